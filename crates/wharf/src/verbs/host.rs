//! `wharf host`: what this machine offers to build steps.

use std::process::ExitCode;

use wharf_sandbox::host::probe;

use crate::{
    args::cli::{FormatArgs, GlobalArgs},
    machine::local,
    report::{Code, Report},
    stdout::out,
};

/// Tries everything and tells.
pub(crate) fn run(global: &GlobalArgs, format: &FormatArgs) -> Result<ExitCode, Report> {
    let local = local(global)?;
    let scratch = local
        .store
        .work_dir()
        .map_err(|error| Report::new(Code::Environment, error))?;
    let report =
        probe(local.sandbox(), scratch.path()).map_err(|error| Report::new(Code::Environment, error))?;
    if format.json {
        out!(
            "{}",
            serde_json::to_string_pretty(&report).expect("a report has only string keys")
        );
        return Ok(ExitCode::SUCCESS);
    }
    for finding in &report.findings {
        let mark = if finding.works { "yes" } else { "no" };
        let name = serde_json::to_value(finding.feature).ok();
        let name = name.as_ref().and_then(|name| name.as_str()).unwrap_or_default();
        out!("{mark:<4} {name:<18} {}", finding.detail);
        if let Some(remedy) = &finding.remedy {
            out!("     {:<18} → {remedy}", "");
        }
    }
    match report.rung {
        Some(rung) => out!("steps run on the rung `{}`", format!("{rung:?}").to_lowercase()),
        None => out!("steps cannot run here"),
    }
    Ok(ExitCode::SUCCESS)
}
