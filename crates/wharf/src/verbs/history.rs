//! `wharf history`: the builds of the past, from their records.

use std::process::ExitCode;

use serde_json::{Value, json};
use wharf_graph::event::{Event, Outcome, Record};
use wharf_store::{RecordId, Store};

use crate::{
    args::cli::{GlobalArgs, HistoryArgs, HistoryVerb},
    machine::local,
    progress::{StepTitles, Summary, cached},
    report::{Code, Message, Report},
    stdout::out,
};

/// Lists builds, or shows one.
pub(crate) fn run(global: &GlobalArgs, args: &HistoryArgs) -> Result<ExitCode, Report> {
    let store = local(global)?.store;
    match &args.verb {
        None => list(&store, args.json),
        Some(HistoryVerb::Show { build, json }) => show(&store, build.as_deref(), *json),
    }
}

pub(crate) fn environment(error: impl std::error::Error + 'static) -> Report {
    Report::new(Code::Environment, error)
}

/// The events of a record; those of later versions that this one does not know are left out.
pub(crate) fn records(store: &Store, id: &RecordId) -> Result<Vec<Record>, Report> {
    let lines = store.record(id).map_err(environment)?.unwrap_or_default();
    Ok(lines
        .into_iter()
        .filter_map(|line| serde_json::from_value(line).ok())
        .collect())
}

/// What one line of the list says.
struct Line {
    id: String,
    what: String,
    outcome: &'static str,
    summary: Summary,
}

fn line(store: &Store, id: &RecordId) -> Result<Line, Report> {
    let mut line = Line {
        id: id.to_string(),
        what: String::new(),
        outcome: "cut off",
        summary: Summary::default(),
    };
    for record in records(store, id)? {
        line.summary.add(&record);
        match &record.event {
            Event::BuildStarted(started) => {
                line.what = format!("{} ({})", started.context, started.dockerfile);
            }
            Event::BuildFinished(finished) => {
                line.outcome = word(finished.outcome);
                if let Some(name) = finished.images.iter().flat_map(|image| &image.names).next() {
                    line.what.clone_from(name);
                }
            }
            _ => {}
        }
    }
    Ok(line)
}

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::Interrupted => "interrupted",
    }
}

fn list(store: &Store, as_json: bool) -> Result<ExitCode, Report> {
    let mut rows = Vec::new();
    for id in store.records().map_err(environment)?.iter().rev() {
        let line = line(store, id)?;
        let seconds = line.summary.total().as_secs_f64();
        if as_json {
            rows.push(
                json!({"build": line.id, "what": line.what, "outcome": line.outcome, "seconds": seconds}),
            );
        } else {
            out!(
                "{:<28} {:<12} {seconds:>8.1} s  {}",
                line.id,
                line.outcome,
                line.what
            );
        }
    }
    if as_json {
        out!("{:#}", Value::Array(rows));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(store: &Store, build: Option<&str>, as_json: bool) -> Result<ExitCode, Report> {
    let id = choose(store, build)?;
    let records = records(store, &id)?;
    if as_json {
        for record in &records {
            out!(
                "{}",
                serde_json::to_string(record).expect("records have only string keys")
            );
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut summary = Summary::default();
    let mut titles = StepTitles::default();
    out!("build {id}");
    for record in &records {
        summary.add(record);
        titles.learn(&record.event);
        if let Some(line) = shown(&record.event, &titles, &summary) {
            out!("{line}");
        }
    }
    for line in summary.lines() {
        out!("{line}");
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(event: &Event, titles: &StepTitles, summary: &Summary) -> Option<String> {
    let took = |step| summary.took(step).as_secs_f64();
    Some(match event {
        Event::BuildStarted(started) => {
            format!("context {}, Dockerfile {}", started.context, started.dockerfile)
        }
        Event::StepCached { step, reason, .. } => {
            format!("  reused           {} — {}", titles.title(*step), cached(reason))
        }
        Event::StepFinished { step } => format!("  ran     {:>7.2} s {}", took(*step), titles.title(*step)),
        Event::StepFailed { step, causes, .. } => {
            format!(
                "  FAILED  {:>7.2} s {}: {}",
                took(*step),
                titles.title(*step),
                causes.join(": ")
            )
        }
        Event::StepInterrupted { step } => {
            format!("  stopped {:>7.2} s {}", took(*step), titles.title(*step))
        }
        Event::BuildFinished(finished) => {
            let images = finished
                .images
                .iter()
                .map(|image| format!("\nimage {} {}", image.digest, image.names.join(", ")));
            format!("{}{}", word(finished.outcome), images.collect::<String>())
        }
        _ => return None,
    })
}

/// The record whose name begins so; the last one without a name.
pub(crate) fn choose(store: &Store, build: Option<&str>) -> Result<RecordId, Report> {
    let found = store
        .find_records(build.unwrap_or_default())
        .map_err(environment)?;
    match (build, &found[..]) {
        (_, []) => Err(
            Report::new(Code::Usage, Message("there is no such build".to_owned()))
                .with_hint(Some("`wharf history` lists them".to_owned())),
        ),
        (None, [.., last]) => Ok(last.clone()),
        (Some(_), [only]) => Ok(only.clone()),
        (Some(prefix), several) => Err(Report::new(
            Code::Usage,
            Message(format!("{} builds begin with `{prefix}`", several.len())),
        )),
    }
}
