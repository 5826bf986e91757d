//! `wharf store df|gc|verify`.

use std::{process::ExitCode, time::Duration};

use indicatif::HumanBytes;
use serde_json::json;
use wharf_store::{GcPolicy, Usage};

use crate::{
    args::{
        cli::{FormatArgs, GlobalArgs, StoreVerb},
        values,
    },
    machine::local,
    report::{Code, Message, Report},
    stdout::out,
};

/// Shows, cleans or verifies the store.
pub(crate) fn run(global: &GlobalArgs, verb: &StoreVerb) -> Result<ExitCode, Report> {
    match verb {
        StoreVerb::Df(format) => df(global, format),
        StoreVerb::Gc { max_size, caches } => gc(global, max_size.as_deref(), *caches),
        StoreVerb::Verify(format) => verify(global, format),
    }
}

fn environment(error: impl std::error::Error + 'static) -> Report {
    Report::new(Code::Environment, error)
}

fn df(global: &GlobalArgs, format: &FormatArgs) -> Result<ExitCode, Report> {
    let local = local(global)?;
    let report = local.store.df().map_err(environment)?;
    let rows: [(&str, Usage); 5] = [
        ("blobs", report.blobs),
        ("metadata", report.metadata),
        ("stat caches", report.stat),
        ("build records", report.history),
        ("scratch", report.work),
    ];
    if format.json {
        let mut value = json!({"path": local.store.path(), "images": report.images, "total": report.total()});
        for (name, usage) in rows {
            value[name] = json!({"count": usage.count, "bytes": usage.bytes});
        }
        let caches: Vec<_> = report
            .caches
            .iter()
            .map(|(id, usage)| json!({"id": id, "count": usage.count, "bytes": usage.bytes}))
            .collect();
        value["caches"] = caches.into();
        out!("{value:#}");
        return Ok(ExitCode::SUCCESS);
    }
    out!("{}", local.store.path().display());
    for (name, usage) in rows {
        out!(
            "{name:<16} {:>10} {:>9}",
            HumanBytes(usage.bytes).to_string(),
            usage.count
        );
    }
    for (id, usage) in &report.caches {
        out!(
            "cache {id:<10} {:>10} {:>9}",
            HumanBytes(usage.bytes).to_string(),
            usage.count
        );
    }
    out!(
        "{:<16} {:>10}   {} images",
        "total",
        HumanBytes(report.total()).to_string(),
        report.images
    );
    Ok(ExitCode::SUCCESS)
}

fn gc(global: &GlobalArgs, max_size: Option<&str>, caches: bool) -> Result<ExitCode, Report> {
    let local = local(global)?;
    let size =
        |text: &str| values::byte_size("--max-size", text).map_err(|error| Report::new(Code::Usage, error));
    let configured = local.settings.store.max_size.as_deref();
    let max_bytes = max_size.or(configured).map(size).transpose()?;
    let policy = GcPolicy {
        max_bytes,
        max_cache_bytes: caches.then_some(0),
        max_age: max_bytes.is_none().then_some(Duration::from_hours(30 * 24)),
        ..GcPolicy::default()
    };
    let report = local.store.gc(&policy).map_err(environment)?;
    out!(
        "removed {} objects ({}), kept {} ({})",
        report.removed,
        HumanBytes(report.freed),
        report.kept,
        HumanBytes(report.kept_bytes)
    );
    Ok(ExitCode::SUCCESS)
}

fn verify(global: &GlobalArgs, format: &FormatArgs) -> Result<ExitCode, Report> {
    let local = local(global)?;
    let report = local.store.verify().map_err(environment)?;
    if format.json {
        let damage: Vec<_> = report
            .damage
            .iter()
            .map(|damage| json!({"path": damage.path, "reason": damage.reason}))
            .collect();
        out!(
            "{:#}",
            json!({"objects": report.objects, "bytes": report.bytes, "damage": damage})
        );
    } else {
        for damage in &report.damage {
            out!("{}: {}", damage.path.display(), damage.reason);
        }
        out!(
            "{} objects, {}: {} damaged",
            report.objects,
            HumanBytes(report.bytes),
            report.damage.len()
        );
    }
    if report.damage.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let error = Message("the store has damaged objects, which count as absent from now on".to_owned());
    Err(Report::new(Code::Failed, error))
}
