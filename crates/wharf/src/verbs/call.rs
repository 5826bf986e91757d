//! `wharf build --call=outline` and `targets`: what a build can be given, and its stages, in the words and the JSON of BuildKit's subrequests
//! (`frontend/subrequests`).

use std::{
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Map, Value, json};
use wharf_build::{
    call::{self, Asked},
    error::BuildError,
};
use wharf_dockerfile::{Dockerfile, Source, Stage};
use wharf_graph::{Outline, OutlineMount, event::Event};
use wharf_solver::Observer;

use super::{
    build::told,
    check::{
        json::{base64, location},
        pretty,
    },
};
use crate::{
    args::{
        build::BuildArgs,
        call::{Call, Format, Method},
        cli::GlobalArgs,
    },
    interrupt,
    machine::{Choices, local, machine},
    progress::warning_lines,
    report::Report,
    request::request,
    stdout::out,
};

/// Asks, and prints the answer.
pub(super) fn run(global: &GlobalArgs, args: &BuildArgs, call: Call) -> Result<ExitCode, Report> {
    let requested = request(args)?;
    let local = local(global)?;
    let machine = machine(&local, &Choices::default())?;
    let cancel = interrupt::on_signal();
    let observer: Arc<dyn Observer + Send + Sync> = Arc::new(Warnings::default());
    let failed = |error: BuildError| told(error, None);
    let request = &requested.build;
    let is_json = call.format == Format::Json;
    let answer = if call.method == Method::Outline {
        let asked = call::outline(request, &machine, &observer, &cancel);
        let (asked, outline) = asked.map_err(failed)?;
        if is_json {
            pretty(&outline_json(&outline, &asked))
        } else {
            outline_text(&outline)
        }
    } else {
        let asked = call::dockerfile(request, &machine, &observer, &cancel).map_err(failed)?;
        if is_json {
            pretty(&targets_json(&asked))
        } else {
            targets_text(&asked.dockerfile)
        }
    };
    if !answer.is_empty() {
        out!("{}", answer.strip_suffix('\n').unwrap_or(&answer));
    }
    Ok(ExitCode::SUCCESS)
}

/// Passes warnings on; all else is of no interest to one who asks a question.
#[derive(Default)]
struct Warnings(Mutex<()>);

impl Observer for Warnings {
    fn observe(&self, event: Event) {
        if let Event::Warning(warning) = event {
            let _line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            warning_lines(&warning).for_each(|line| eprintln!("{line}"));
        }
    }
}

/// An object without the fields that are empty.
fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let is_empty = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    let given = fields.into_iter().filter(|(_, value)| !is_empty(value));
    Value::Object(
        given
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<Map<_, _>>(),
    )
}

fn sources(asked: &Asked) -> Value {
    json!([base64(&asked.read.bytes)])
}

fn outline_json(outline: &Outline, asked: &Asked) -> Value {
    let source = &asked.dockerfile.source;
    let args = outline.args.iter().map(|arg| {
        let mut value = object([
            ("description", arg.description.clone().into()),
            ("value", arg.value.clone().into()),
            ("location", location(source, arg.span)),
        ]);
        value["name"] = arg.name.clone().into();
        value
    });
    object([
        ("name", outline.name.clone().into()),
        ("description", outline.description.clone().into()),
        ("args", args.collect()),
        ("secrets", mounts_json(&outline.secrets, source)),
        ("ssh", mounts_json(&outline.ssh, source)),
        ("sources", sources(asked)),
    ])
}

fn mounts_json(mounts: &[OutlineMount], source: &Source) -> Value {
    let mount = |mount: &OutlineMount| {
        let mut value = object([
            ("required", mount.required.into()),
            ("location", location(source, mount.span)),
        ]);
        value["name"] = mount.id.clone().into();
        value
    };
    mounts.iter().map(mount).collect()
}

fn outline_text(outline: &Outline) -> String {
    let mut text = String::new();
    if !outline.name.is_empty() || !outline.description.is_empty() {
        let name = if outline.name.is_empty() {
            "(default)"
        } else {
            &outline.name
        };
        let mut rows = vec![["TARGET:", name]];
        if !outline.description.is_empty() {
            rows.push(["DESCRIPTION:", &outline.description]);
        }
        text.push_str(&(table(&rows, 1) + "\n"));
    }
    if !outline.args.is_empty() {
        let mut rows = vec![["BUILD ARG", "VALUE", "DESCRIPTION"]];
        rows.extend(
            outline
                .args
                .iter()
                .map(|arg| [&arg.name[..], &arg.value, &arg.description]),
        );
        text.push_str(&(table(&rows, 3) + "\n"));
    }
    for (heading, mounts) in [("SECRET", &outline.secrets), ("SSH", &outline.ssh)] {
        if !mounts.is_empty() {
            let mut rows = vec![[heading, "REQUIRED"]];
            rows.extend(mounts.iter().map(|mount| [&mount.id[..], shown(mount.required)]));
            text.push_str(&(table(&rows, 3) + "\n"));
        }
    }
    text
}

fn shown(required: bool) -> &'static str {
    if required { "true" } else { "" }
}

fn targets_json(asked: &Asked) -> Value {
    let dockerfile = &asked.dockerfile;
    let target = |stage: &Stage| {
        let from = &stage.from;
        object([
            ("name", stage.name().unwrap_or_default().into()),
            ("default", is_default(dockerfile, stage).into()),
            ("description", stage.description().unwrap_or_default().into()),
            ("base", from.base.as_str().into()),
            (
                "platform",
                from.platform.as_ref().map_or("", |word| word.as_str()).into(),
            ),
            ("location", location(&dockerfile.source, from.span)),
        ])
    };
    let targets: Vec<_> = dockerfile.stages.iter().map(target).collect();
    json!({"targets": targets, "sources": sources(asked)})
}

fn targets_text(dockerfile: &Dockerfile) -> String {
    let name = |stage: &Stage| match (stage.name(), is_default(dockerfile, stage)) {
        (None, true) => "(default)".to_owned(),
        (Some(name), true) => format!("{name} (default)"),
        (name, false) => name.unwrap_or_default().to_owned(),
    };
    let names: Vec<_> = dockerfile.stages.iter().map(name).collect();
    let mut rows = vec![["TARGET", "DESCRIPTION"]];
    for (stage, name) in dockerfile.stages.iter().zip(&names) {
        rows.push([name, stage.description().unwrap_or_default()]);
    }
    table(&rows, 1)
}

fn is_default(dockerfile: &Dockerfile, stage: &Stage) -> bool {
    stage.index + 1 == dockerfile.stages.len()
}

/// Rows with all columns but the last as wide as their widest cell and `gap` more.
fn table<const N: usize>(rows: &[[&str; N]], gap: usize) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or_default() + gap
    };
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if column + 1 < N {
                text.extend(std::iter::repeat_n(' ', width(column) - cell.chars().count()));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["A", "B", "C"], ["long", "ü", ""]];
        assert_eq!(table(&rows, 2), "A     B  C\nlong  ü  \n");
    }
}
