//! `wharf check` and `wharf build --check`: the rules of BuildKit's linter, in its words.

pub(super) mod json;
mod sarif;
mod text;

use std::{collections::BTreeMap, fs, path::Path, process::ExitCode, sync::Arc};

use wharf_build::check::{Checked, Fault};
use wharf_dockerfile::{
    Dockerfile,
    lint::{self, LintOptions, LintReport},
    parse_bytes,
    patterns::{PatternMatcher, parse_ignore_file},
};
use wharf_graph::event::Event;
use wharf_solver::{Cancel, Observer};

use crate::{
    args::{
        build::BuildArgs,
        call::{Call, Format},
        cli::{CheckArgs, GlobalArgs},
        values,
    },
    interrupt,
    machine::{Choices, local, machine},
    report::{Code, Message, Report},
    request::request,
    stdout::out,
};

/// Checks what `wharf build` would build, with all that is known of its bases.
pub(crate) fn run_for_build(global: &GlobalArgs, args: &BuildArgs, call: Call) -> Result<ExitCode, Report> {
    let requested = request(args)?;
    let machine = machine(&local(global)?, &Choices::default())?;
    let cancel = Cancel::new();
    interrupt::on_signal(&cancel);
    let observer: Arc<dyn Observer + Send + Sync> = Arc::new(Silent);
    let checked = wharf_build::check::check(&requested.build, &machine, &observer, &cancel);
    let checked = checked.map_err(|error| super::build::told(error, None))?;
    let code = tell(&[checked], call.format);
    Ok(if call.ignore_status {
        ExitCode::SUCCESS
    } else {
        code
    })
}

/// What is found is all that is told.
struct Silent;

impl Observer for Silent {
    fn observe(&self, _: Event) {}
}

/// Checks Dockerfiles, of whose bases nothing is known.
pub(crate) fn run(args: &CheckArgs) -> Result<ExitCode, Report> {
    let format = Format::of("--format", &args.format).map_err(|error| Report::new(Code::Usage, error))?;
    let checked: Vec<_> = args
        .paths
        .iter()
        .map(|path| check(path, args))
        .collect::<Result<_, _>>()?;
    Ok(tell(&checked, format))
}

/// Prints what was found, and says with which code to exit.
fn tell(checked: &[Checked], format: Format) -> ExitCode {
    let text = match format {
        Format::Text => checked.iter().map(text::of).collect::<Vec<_>>().concat(),
        Format::Json => pretty(&json::of(checked)),
        Format::Sarif => pretty(&sarif::of(checked)),
    };
    out!("{}", text.trim_end());
    let failed =
        |checked: &Checked| checked.report.findings_are_errors && !checked.report.findings.is_empty();
    if checked.iter().any(failed) {
        return ExitCode::from(Code::Failed as u8);
    }
    if checked.iter().any(|checked| !checked.errors.is_empty()) {
        return ExitCode::from(Code::Usage as u8);
    }
    ExitCode::SUCCESS
}

fn check(path: &Path, args: &CheckArgs) -> Result<Checked, Report> {
    let file = match &args.file {
        Some(file) => file.clone(),
        None if path.is_dir() => path.join("Dockerfile"),
        None => path.to_owned(),
    };
    let bytes = fs::read(&file).map_err(|error| {
        Report::new(
            Code::Usage,
            Message(format!("cannot read {}: {error}", file.display())),
        )
    })?;
    let parsed = parse_bytes(&bytes);
    let report = lint(&parsed.dockerfile, path, args)?;
    let mut errors: Vec<_> = parsed.errors.iter().map(Fault::from).collect();
    if errors.is_empty() {
        errors.extend(report.problems.iter().map(|problem| Fault {
            span: Some(problem.span),
            message: problem.error.to_string(),
            hint: None,
        }));
    }
    Ok(Checked {
        name: file.display().to_string(),
        dockerfile: parsed.dockerfile,
        report,
        errors,
    })
}

fn lint(dockerfile: &Dockerfile, context: &Path, args: &CheckArgs) -> Result<LintReport, Report> {
    let ignored = ignore_file(context);
    let build_args: BTreeMap<_, _> = args
        .build_arg
        .iter()
        .map(|text| values::build_arg(text))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Report::new(Code::Usage, error))?
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let target = args
        .target
        .as_ref()
        .and_then(|target| dockerfile.stage_named(target))
        .map(|stage| stage.index);
    let options = LintOptions {
        build_args,
        target,
        ignored: ignored.as_ref(),
        ..LintOptions::default()
    };
    Ok(lint::check(dockerfile, &options))
}

fn ignore_file(context: &Path) -> Option<PatternMatcher> {
    let text = fs::read(context.join(".dockerignore")).ok()?;
    parse_ignore_file(&text).ok()
}

pub(super) fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON values can be written")
}
