//! What this machine offers, found by trying.

mod rung;

pub use rung::Rung;

use serde::Serialize;

/// What this machine offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostReport {
    /// Each thing that was tried.
    pub findings: Vec<Finding>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
