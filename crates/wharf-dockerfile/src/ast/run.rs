//! RUN.

use super::{CommandLine, Heredoc, MountFlag};
use crate::source::Span;

/// RUN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunInstruction {
    /// The command. With heredocs it is the shell form, the operators still in it.
    pub command: CommandLine,
    /// The heredocs of the command, in order.
    pub heredocs: Vec<Heredoc>,
    /// `--mount=`, in order.
    pub mounts: Vec<MountFlag>,
    /// `--network=`.
    pub network: NetworkMode,
    /// `--security=`.
    pub security: SecurityMode,
    /// `--device=`, in order.
    pub devices: Vec<DeviceRequest>,
}

impl RunInstruction {
    /// The one heredoc that *is* the command (`RUN <<EOF`), as against heredocs that a command reads. Its text is run by the
    /// shell, or, when it begins with `#!`, as a file of its own.
    pub fn script(&self) -> Option<&Heredoc> {
        let CommandLine::Shell(word) = &self.command else {
            return None;
        };
        let first = self.heredocs.first()?;
        crate::parser::is_operator(word.as_str()).then_some(first)
    }
}

/// Which network a RUN sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NetworkMode {
    /// What the build chose.
    #[default]
    Default,
    /// No network.
    None,
    /// The host's.
    Host,
}

impl NetworkMode {
    /// The names that `--network=` takes.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("default", Self::Default),
        ("none", Self::None),
        ("host", Self::Host),
    ];
}

/// How confined a RUN is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SecurityMode {
    /// As usual.
    #[default]
    Sandbox,
    /// With all capabilities; the build must allow it.
    Insecure,
}

impl SecurityMode {
    /// The names that `--security=` takes.
    pub const NAMES: [(&'static str, Self); 2] = [("sandbox", Self::Sandbox), ("insecure", Self::Insecure)];
}

/// `RUN --device=name[,required]`: a CDI device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRequest {
    /// The flag's value.
    pub span: Span,
    /// The device's qualified name.
    pub name: String,
    /// Whether its absence is an error.
    pub required: bool,
}
