//! `wharf explain`: why steps of a build ran, and why others did not.

use std::process::ExitCode;

use wharf_graph::event::{BuildStarted, Event, Record};
use wharf_store::{RecordId, Store};

use super::history::{choose, environment, records};
use crate::{
    args::cli::{ExplainArgs, GlobalArgs},
    explain::{explain, lines, named_steps},
    machine::local,
    report::{Code, Message, Report},
    stdout::out,
};

/// Explains a build, or one step of it.
pub(crate) fn run(global: &GlobalArgs, args: &ExplainArgs) -> Result<ExitCode, Report> {
    let store = local(global)?.store;
    let id = choose(&store, args.build.as_deref())?;
    let these = records(&store, &id)?;
    let before = before(&store, &id, &these)?;
    let mut explanation = explain(&id.to_string(), &these, &before);
    if let Some(wanted) = &args.step {
        let named = named_steps(&explanation, wanted);
        if named.is_empty() {
            return Err(no_step(wanted));
        }
        if args.json {
            explanation.steps.retain(|step| named.contains(&step.step));
        }
    }
    if args.json {
        let text = serde_json::to_string_pretty(&explanation).expect("it has only string keys");
        out!("{text}");
    } else {
        for line in lines(&explanation, args.step.as_deref()) {
            out!("{line}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn no_step(wanted: &str) -> Report {
    Report::new(
        Code::Usage,
        Message(format!("no step of this build is `{wanted}`")),
    )
    .with_hint(Some(
        "name it by number (#4), stage/ordinal (build/2), line (:7) or a part of its text".to_owned(),
    ))
}

/// The last build before this one of the same context and Dockerfile.
fn before(store: &Store, id: &RecordId, these: &[Record]) -> Result<Vec<Record>, Report> {
    let place = |records: &[Record]| {
        records.iter().find_map(|record| match &record.event {
            Event::BuildStarted(BuildStarted {
                context, dockerfile, ..
            }) => Some((context.clone(), dockerfile.clone())),
            _ => None,
        })
    };
    let wanted = place(these);
    let all = store.records().map_err(environment)?;
    for earlier in all.iter().rev().skip_while(|earlier| *earlier != id).skip(1) {
        let found = records(store, earlier)?;
        if place(&found) == wanted {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}
