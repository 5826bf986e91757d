//! Asking the machine: a process that tries everything, and what can be seen from outside.

use std::{fs::File, path::Path};

use super::{Feature, Finding, HostReport, Rung, Trial, remedy};
use crate::{
    Identity, Io, Sandbox, SandboxError, cgroup,
    identity::find,
    launch::Orders,
    message::{Report, Role},
};
use std::os::fd::AsFd;

/// Tries what this machine offers. Overlays are tried in `scratch`, a directory of the store.
///
/// # Errors
/// Only when the program cannot start itself or talk with what it started: what the machine refuses is a finding.
pub fn probe(sandbox: &Sandbox, scratch: &Path) -> Result<HostReport, SandboxError> {
    let mut findings = vec![];
    match try_inside(sandbox, scratch) {
        Ok(trials) => {
            findings.push(namespace(sandbox.identity()));
            findings.push(subordinate(sandbox));
            findings.extend(trials.into_iter().map(finding));
        }
        Err(error @ (SandboxError::Setup(_) | SandboxError::Identity(_))) => {
            findings.push(missing(Feature::UserNamespace, error.to_string()));
            findings.push(subordinate(sandbox));
        }
        Err(error) => return Err(error),
    }
    findings.push(cgroups());
    findings.push(egress(sandbox));
    let rung = rung(&findings);
    Ok(HostReport { findings, rung })
}

fn try_inside(sandbox: &Sandbox, scratch: &Path) -> Result<Vec<Trial>, SandboxError> {
    let io = Io::null().map_err(SandboxError::Channel)?;
    let launch = sandbox.launch(Orders {
        role: Role::Probe {
            scratch: scratch.to_owned(),
        },
        streams: [io.stdin.as_fd(), io.stdout.as_fd(), io.stderr.as_fd()],
        relay: None,
        cgroup: None,
    })?;
    match launch.hear()?.0 {
        Report::Probed(trials) => Ok(trials),
        _ => Err(SandboxError::OutOfOrder("a trial")),
    }
}

fn rung(findings: &[Finding]) -> Option<Rung> {
    let works = |feature| {
        findings
            .iter()
            .any(|finding| finding.feature == feature && finding.works)
    };
    if !works(Feature::UserNamespace) || !works(Feature::Namespaces) {
        return None;
    }
    Some(match (works(Feature::Overlay), works(Feature::Fuse)) {
        (true, true) => Rung::Fuse,
        (true, false) => Rung::Overlay,
        (false, _) => Rung::Copy,
    })
}

fn present(feature: Feature, detail: impl Into<String>) -> Finding {
    Finding {
        feature,
        works: true,
        detail: detail.into(),
        remedy: None,
    }
}

fn missing(feature: Feature, detail: impl Into<String>) -> Finding {
    Finding {
        feature,
        works: false,
        detail: detail.into(),
        remedy: Some(remedy::of(feature)),
    }
}

fn finding(trial: Trial) -> Finding {
    match trial.refusal {
        None => present(trial.feature, "works"),
        Some(error) => missing(trial.feature, error.to_string()),
    }
}

fn namespace(identity: &Identity) -> Finding {
    let detail = match identity {
        Identity::Root => "not needed: root",
        _ => "works",
    };
    present(Feature::UserNamespace, detail)
}

fn subordinate(sandbox: &Sandbox) -> Finding {
    match sandbox.identity() {
        Identity::Root => present(Feature::SubordinateIds, "not needed: root"),
        Identity::Subordinate(map) => present(Feature::SubordinateIds, format!("{} ids", map.span())),
        Identity::OneId(_) => {
            let tools = find(&sandbox.options.tools, "newuidmap").is_some();
            let what = if tools {
                "/etc/subuid or /etc/subgid names no range for this user"
            } else {
                "newuidmap is not installed"
            };
            Finding {
                remedy: Some(remedy::subordinate(tools)),
                ..missing(Feature::SubordinateIds, what)
            }
        }
    }
}

fn cgroups() -> Finding {
    match cgroup::delegated() {
        Ok(path) => present(Feature::Cgroups, path.display().to_string()),
        Err(error) => missing(Feature::Cgroups, error.to_string()),
    }
}

/// Whether there is a way out of a network namespace, by what can be seen without making one.
pub fn egress(sandbox: &Sandbox) -> Finding {
    let Some(pasta) = find(&sandbox.options.tools, "pasta") else {
        return missing(Feature::Egress, "pasta is not installed");
    };
    match File::options().read(true).write(true).open("/dev/net/tun") {
        Ok(_) => present(Feature::Egress, pasta.display().to_string()),
        Err(error) => missing(Feature::Egress, format!("cannot open /dev/net/tun: {error}")),
    }
}
