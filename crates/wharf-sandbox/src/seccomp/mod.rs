//! Which system calls a process may make: profiles in Docker's format, compiled to BPF programs (seccomp(2)).
//!
//! text → [`profile`] → rules ([`rule`]) → one search tree per audit architecture ([`compile`]) → [`bpf`] instructions. Numbers
//! come from [`arch`], which is data of the kernel. Nothing here makes a system call.

mod arch;
mod bpf;
mod compile;
mod fake;
#[cfg(test)]
mod machine;
mod profile;
mod rule;

pub use arch::Arch;
pub use bpf::Program;
pub use fake::ids_and_devices;
pub use profile::{Context, ProfileError};

use serde::{Deserialize, Serialize};

/// Docker's default profile: `default.json` of github.com/moby/profiles/seccomp v0.2.3, which moby v2.0.0-beta.24 carries
/// (Apache-2.0, see NOTICE).
const DEFAULT: &str = include_str!("../../data/seccomp-default.json");

/// The profile of a process.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Seccomp {
    /// Docker's default profile.
    Default,
    /// None: every call is let through.
    Unconfined,
    /// The text of a profile in Docker's JSON format.
    Profile(String),
}

impl Seccomp {
    /// The program for a process in `context`; none when every call is let through.
    ///
    /// # Errors
    /// When the text is not a profile, or asks for something that this compiler cannot give.
    pub fn compile(&self, context: &Context) -> Result<Option<Program>, ProfileError> {
        let text = match self {
            Seccomp::Default => DEFAULT,
            Seccomp::Unconfined => return Ok(None),
            Seccomp::Profile(text) => text,
        };
        let filter = profile::parse(text, context)?;
        compile::compile(&filter).map(Some)
    }
}
