//! Which system calls a process may make: profiles in Docker's format, compiled to BPF programs.

use serde::{Deserialize, Serialize};

/// The profile of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seccomp {
    /// Docker's default profile.
    Default,
    /// None: every call is let through.
    Unconfined,
    /// The text of a profile in Docker's JSON format.
    Profile(String),
}

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The text is not a profile.
    #[error("not a seccomp profile in JSON")]
    Json(#[from] serde_json::Error),
}
