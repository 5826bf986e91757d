//! What this machine offers, found by trying, and the rung that follows from it.

mod probe;
mod remedy;
mod rung;

pub use probe::{egress, probe};
pub use rung::{Rung, UnknownRung};

use serde::{Deserialize, Serialize};

use crate::SetupError;

/// What this machine offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostReport {
    /// Each thing that was tried.
    pub findings: Vec<Finding>,
    /// The best way to make a root, if there is one.
    pub rung: Option<Rung>,
}

impl HostReport {
    /// What was found out about a feature.
    pub fn finding(&self, feature: Feature) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.feature == feature)
    }

    /// Whether a feature was tried and works.
    pub fn works(&self, feature: Feature) -> bool {
        self.finding(feature).is_some_and(|finding| finding.works)
    }
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is.
    pub feature: Feature,
    /// Whether it works.
    pub works: bool,
    /// What was found, in words.
    pub detail: String,
    /// What to do when it does not work.
    pub remedy: Option<String>,
}

/// What can be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// A user namespace can be made.
    UserNamespace,
    /// Subordinate ids can be mapped into it.
    SubordinateIds,
    /// Mount, pid, ipc and uts namespaces.
    Namespaces,
    /// A network namespace.
    NetworkNamespace,
    /// A procfs of one's own.
    Procfs,
    /// An overlay on the store's file system.
    Overlay,
    /// /dev/fuse can be opened and mounted.
    Fuse,
    /// A seccomp filter.
    Seccomp,
    /// Limits by cgroup v2.
    Cgroups,
    /// A way out of a network namespace.
    Egress,
}

/// What a process inside found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trial {
    pub(crate) feature: Feature,
    /// None: it works.
    pub(crate) refusal: Option<SetupError>,
}
