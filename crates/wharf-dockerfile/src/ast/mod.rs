//! What a Dockerfile says, as data: stages of instructions of words. Nothing is expanded, nothing is looked up.

mod command;
mod dockerfile;
mod files;
mod healthcheck;
mod heredoc;
mod instruction;
mod keyword;
mod mount;
mod resolve_mount;
mod run;

pub use command::CommandLine;
pub(crate) use dockerfile::describe;
pub use dockerfile::{Comment, Directive, Directives, Dockerfile, FromInstruction, Stage, StageName};
pub use files::{AddInstruction, CopyInstruction, FileTransfer};
pub use healthcheck::{HealthcheckInstruction, Probe};
pub use heredoc::Heredoc;
pub use instruction::{
    ArgDeclaration, Flag, Instruction, InstructionKind, KeyValue, OnbuildInstruction, Separator,
};
pub use keyword::Keyword;
pub use mount::{Mount, MountField, MountFlag, MountKind, Sharing};
pub use resolve_mount::{Expander, MountError};
pub use run::{DeviceRequest, NetworkMode, RunInstruction, SecurityMode};
