//! `wharf host`: what this machine offers to build steps.

use std::process::ExitCode;

use serde_json::json;
use wharf_oci::Platform;
use wharf_sandbox::host::probe;

use crate::{
    args::cli::{FormatArgs, GlobalArgs},
    machine::{Choices, local, machine},
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
    let platforms = machine(&local, &Choices::default())?.emulation.platforms();
    if format.json {
        let mut shown = json!(report);
        shown["platforms"] = platforms
            .iter()
            .map(|(platform, emulated)| json!({"platform": platform.to_string(), "emulated": emulated}))
            .collect();
        out!("{shown:#}");
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
    say_platforms(&platforms);
    match report.rung {
        Some(rung) => out!("steps run on the rung `{}`", format!("{rung:?}").to_lowercase()),
        None => out!("steps cannot run here"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Which programs of other processors steps may run.
fn say_platforms(platforms: &[(Platform, bool)]) {
    for (emulated, how) in [
        (false, "as the machine is set up"),
        (true, "under QEMU, for the step alone"),
    ] {
        let these = platforms.iter().filter(|(_, needs)| *needs == emulated);
        let names: Vec<_> = these.map(|(platform, _)| platform.to_string()).collect();
        if !names.is_empty() {
            out!("{:<4} {:<18} {how}: {}", "yes", "platforms", names.join(", "));
        }
    }
    if platforms.iter().all(|(_, emulated)| !emulated) {
        out!("{:<4} {:<18} no emulator for others in PATH", "no", "platforms");
        out!(
            "     {:<18} → install qemu-user-static to run steps for other processors",
            ""
        );
    }
}
