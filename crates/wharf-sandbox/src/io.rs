//! The three streams of a process.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
};

/// The three streams; not used when the process has a terminal of its own.
#[derive(Debug)]
pub struct Io {
    /// Standard input.
    pub stdin: OwnedFd,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
}

impl Io {
    /// Nothing to read, and what is written is lost.
    pub fn null() -> io::Result<Self> {
        let null: OwnedFd = File::options().read(true).write(true).open("/dev/null")?.into();
        Ok(Self {
            stdin: null.try_clone()?,
            stdout: null.try_clone()?,
            stderr: null,
        })
    }

    /// The caller's own.
    pub fn inherit() -> io::Result<Self> {
        Ok(Self {
            stdin: io::stdin().as_fd().try_clone_to_owned()?,
            stdout: io::stdout().as_fd().try_clone_to_owned()?,
            stderr: io::stderr().as_fd().try_clone_to_owned()?,
        })
    }

    /// Nothing to read; both outputs go to `output`.
    pub fn output_to(output: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            stdout: output.try_clone()?,
            stderr: output,
            ..Self::null()?
        })
    }
}
