//! Parts of the program that run in the user namespace of the sandbox, where files of subordinate ids can be read and removed.

use std::{
    io::{self, Read, Seek, Write},
    os::fd::{AsFd, OwnedFd},
    process::ExitCode,
};

use crate::{
    Exit, Sandbox, SandboxError,
    launch::Orders,
    message::{Role, memory_file},
};

/// A part of the program that [`Sandbox::inside`](crate::Sandbox::inside) starts by its name, in a process of its own that has one
/// thread and is root of the user namespace.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Reads what it is to do, writes what came of it; its process ends with code 0 for success and 1 otherwise.
    pub run: fn(&mut dyn Read, &mut dyn Write) -> ExitCode,
}

impl Sandbox {
    /// Calls the [`Entry`] of that name in the user namespace, or without one in a process like this one; gives how it ended and
    /// what it wrote.
    ///
    /// # Errors
    /// When the process cannot be started, as for [`Sandbox::start`]; what the entry makes of its work shows in how it ended.
    pub fn inside(&self, entry: &str, input: &[u8]) -> Result<(Exit, Vec<u8>), SandboxError> {
        let (mut reader, writer) = io::pipe().map_err(SandboxError::Channel)?;
        let (input, writer) = (
            file_of(input).map_err(SandboxError::Channel)?,
            OwnedFd::from(writer),
        );
        let launch = self.launch(Orders {
            role: Role::Inside {
                entry: entry.to_owned(),
            },
            streams: [input.as_fd(), writer.as_fd(), writer.as_fd()],
            relay: None,
            cgroup: None,
        })?;
        drop(writer);
        let mut output = Vec::new();
        reader.read_to_end(&mut output).map_err(SandboxError::Channel)?;
        Ok((launch.wait()?, output))
    }
}

/// A file in memory, read from its beginning.
fn file_of(content: &[u8]) -> io::Result<OwnedFd> {
    let mut file = memory_file()?;
    file.write_all(content)?;
    file.rewind()?;
    Ok(file.into())
}
