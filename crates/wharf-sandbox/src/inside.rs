//! Parts of the program that run in the user namespace of the sandbox, where files of subordinate ids can be read and removed.

use std::{
    io::{Read, Write},
    process::ExitCode,
};

/// A part of the program that [`Sandbox::inside`](crate::Sandbox::inside) starts by its name, in a process of its own that has one
/// thread and is root of the user namespace.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Reads what it is to do, writes what came of it.
    pub run: fn(&mut dyn Read, &mut dyn Write) -> ExitCode,
}
