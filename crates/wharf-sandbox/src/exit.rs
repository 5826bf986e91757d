//! How a process ended.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::spec::raw;

/// How a process ended, or why it did not begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// It exited by itself with this code.
    Code(u8),
    /// A signal ended it.
    Signal(i32),
    /// The program could not be executed.
    NotExecuted(ExecError),
}

/// Why a program could not be executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ExecError {
    /// There is no such program, at its path or in `PATH`.
    #[error("{}: not found", .program.display())]
    NotFound {
        /// As it was asked for.
        #[serde(with = "raw")]
        program: PathBuf,
    },
    /// The program is there; the interpreter or dynamic linker that it names is not.
    #[error("{}: its interpreter is not in the root file system", .program.display())]
    NoInterpreter {
        /// Where it was found.
        #[serde(with = "raw")]
        program: PathBuf,
    },
    /// The program is there and cannot be executed: permission, a directory, another machine's format.
    #[error("{}: {}", .program.display(), std::io::Error::from_raw_os_error(*.errno))]
    NotExecutable {
        /// Where it was found.
        #[serde(with = "raw")]
        program: PathBuf,
        /// The kernel's answer.
        errno: i32,
    },
}

impl Exit {
    /// The code that Docker reports: the process's own, 128 + signal, 127 for a program that is not there, 126 for one that
    /// cannot be executed.
    pub fn code(&self) -> i32 {
        match self {
            Exit::Code(code) => i32::from(*code),
            Exit::Signal(signal) => 128 + signal,
            Exit::NotExecuted(ExecError::NotExecutable { .. }) => 126,
            Exit::NotExecuted(_) => 127,
        }
    }

    /// Whether it ended with code 0.
    pub fn success(&self) -> bool {
        *self == Exit::Code(0)
    }
}
