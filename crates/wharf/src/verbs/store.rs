//! `wharf store df|gc|verify`.

use std::{process::ExitCode, time::Duration};

use indicatif::HumanBytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use wharf_store::{CacheUsage, GcPolicy, Usage};

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
        StoreVerb::Gc {
            max_size,
            max_cache_size,
            caches,
        } => gc(global, max_size.as_deref(), max_cache_size.as_deref(), *caches),
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
        value["caches"] = report.caches.iter().map(cache_json).collect();
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
    for cache in &report.caches {
        out!(
            "cache {:<10} {:>10} {:>9}   last used {}",
            cache.id,
            HumanBytes(cache.usage.bytes).to_string(),
            cache.usage.count,
            last_use(cache).map_or_else(|| "never".to_owned(), |used| used.to_string())
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

fn cache_json(cache: &CacheUsage) -> Value {
    json!({
        "id": cache.id,
        "count": cache.usage.count,
        "bytes": cache.usage.bytes,
        "last-use": last_use(cache).map(|used| used.to_string()),
    })
}

fn last_use(cache: &CacheUsage) -> Option<Timestamp> {
    Timestamp::from_second(cache.last_use?).ok()
}

/// What nobody used for so long goes, where no size is named that it may take.
const UNUSED: Duration = Duration::from_hours(30 * 24);

fn gc(
    global: &GlobalArgs,
    max_size: Option<&str>,
    max_cache_size: Option<&str>,
    caches: bool,
) -> Result<ExitCode, Report> {
    let local = local(global)?;
    let configured = &local.settings.store;
    let max_bytes = size("--max-size", max_size.or(configured.max_size.as_deref()))?;
    let max_cache_bytes = if caches {
        Some(0)
    } else {
        size(
            "--max-cache-size",
            max_cache_size.or(configured.max_cache_size.as_deref()),
        )?
    };
    let policy = GcPolicy {
        max_bytes,
        max_cache_bytes,
        max_age: max_bytes.is_none().then_some(UNUSED),
        max_cache_age: max_cache_bytes.is_none().then_some(UNUSED),
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

fn size(flag: &'static str, text: Option<&str>) -> Result<Option<u64>, Report> {
    text.map(|text| values::byte_size(flag, text).map_err(|error| Report::new(Code::Usage, error)))
        .transpose()
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
