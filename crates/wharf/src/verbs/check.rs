//! `wharf check` and `wharf build --check`: the rules of BuildKit's linter, in its words.

mod bases;
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
use wharf_oci::Platform;
use wharf_solver::Observer;

use bases::StoredBases;

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
    request::{platforms, request},
    stdout::out,
};

/// Checks what `wharf build` would build, with all that is known of its bases.
pub(crate) fn run_for_build(global: &GlobalArgs, args: &BuildArgs, call: Call) -> Result<ExitCode, Report> {
    let requested = request(args)?;
    let machine = machine(&local(global)?, &Choices::default())?;
    let cancel = interrupt::on_signal();
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

/// Checks Dockerfiles, with what the store knows of their bases.
pub(crate) fn run(global: &GlobalArgs, args: &CheckArgs) -> Result<ExitCode, Report> {
    let format = Format::of("--format", &args.format).map_err(|error| Report::new(Code::Usage, error))?;
    let checked: Vec<_> = args
        .paths
        .iter()
        .map(|path| check(path, global, args))
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

fn check(path: &Path, global: &GlobalArgs, args: &CheckArgs) -> Result<Checked, Report> {
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
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let bases = StoredBases::open(global, directory.unwrap_or(Path::new(".")))?;
    let inputs = Inputs {
        bases: &bases,
        ignored: ignore_file(path, &file),
    };
    let report = inputs.lint(&parsed.dockerfile, args)?;
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

/// What is beside a Dockerfile.
struct Inputs<'a> {
    bases: &'a StoredBases,
    ignored: Option<PatternMatcher>,
}

impl Inputs<'_> {
    fn lint(&self, dockerfile: &Dockerfile, args: &CheckArgs) -> Result<LintReport, Report> {
        let usage = |error| Report::new(Code::Usage, error);
        let build_args = args.build_arg.iter().map(|text| values::build_arg(text));
        let build_args = build_args.collect::<Result<BTreeMap<_, _>, _>>().map_err(usage)?;
        let platforms = platforms(args.platform.as_slice()).map_err(usage)?;
        let target = args
            .target
            .as_ref()
            .and_then(|target| dockerfile.stage_named(target));
        let options = LintOptions {
            build_args: build_args
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
            target: target.map(|stage| stage.index),
            target_platform: platforms.into_iter().next().unwrap_or_else(Platform::host),
            ignored: self.ignored.as_ref(),
            base: &|name, platform| self.bases.get(name, platform),
            ..LintOptions::default()
        };
        Ok(lint::check(dockerfile, &options))
    }
}

/// The ignore file beside a Dockerfile, else that of its context. One that is wrong is for a build to complain about.
fn ignore_file(context: &Path, dockerfile: &Path) -> Option<PatternMatcher> {
    let mut own = dockerfile.as_os_str().to_owned();
    own.push(".dockerignore");
    let text = fs::read(own).or_else(|_| fs::read(context.join(".dockerignore")));
    parse_ignore_file(&text.ok()?).ok()
}

pub(super) fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON values can be written")
}
