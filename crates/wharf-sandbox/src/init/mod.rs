//! What runs when the program is started as a sandbox's first process.
//!
//! `supervisor` (outside the pid namespace, watches the program) → `first` (pid 1: makes the root, reaps, ends everything)
//! → `process` (becomes what was asked for). Each has one thread.

mod console;
mod credentials;
mod dev;
mod egress;
mod emulators;
mod exec;
mod files;
mod first;
mod layers;
mod leash;
mod loopback;
mod mask;
mod mounts;
mod process;
mod reaper;
mod root;
mod supervisor;
mod system;
mod target;
mod tree;
mod trials;

use std::{os::fd::AsFd, process::exit};

use crate::inside::Entry;

/// The name (argument 0) by which the program knows that it is a sandbox's first process.
pub(crate) const NAME: &str = "wharf-sandbox-init";

/// The exit code of a first process that could not do its work; what went wrong was said over the channel.
const FAILED: i32 = 125;

/// To be called first thing in `main`: returns at once, unless this process was started by a [`Sandbox`](crate::Sandbox), in
/// which case it never returns.
pub fn init_if_asked() {
    init_if_asked_with(&[]);
}

/// The same, with the parts of the program that [`Sandbox::inside`](crate::Sandbox::inside) may start.
pub fn init_if_asked_with(entries: &[Entry]) {
    if std::env::args_os().next().is_none_or(|name| name != NAME) {
        return;
    }
    crate::kernel::close_others();
    // The channel came as standard input; that number is for the streams of what will run.
    match std::io::stdin().as_fd().try_clone_to_owned() {
        Ok(channel) => supervisor::run(channel, entries),
        Err(_) => exit(FAILED),
    }
}
