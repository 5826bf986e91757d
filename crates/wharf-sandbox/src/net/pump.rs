//! Carrying bytes both ways between two connections.

use std::{fs::File, io, os::fd::OwnedFd, thread};

use rustix::net::{Shutdown, shutdown};

/// Carries bytes both ways until both sides have finished, in threads of its own.
pub(super) fn join(one: OwnedFd, other: OwnedFd) -> io::Result<()> {
    let back = (other.try_clone()?, one.try_clone()?);
    spawn("relay", move || carry(one, other))?;
    spawn("relay", move || carry(back.0, back.1))
}

/// Starts a thread that nobody waits for.
pub(super) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // Two buffers of 8 KiB are all that it needs.
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(128 << 10)
        .spawn(work)
        .map(drop)
}

fn carry(from: OwnedFd, to: OwnedFd) {
    let (mut from, mut to) = (File::from(from), File::from(to));
    // A broken connection ends like a finished one: the other side hears the end of what came.
    let _ = io::copy(&mut from, &mut to);
    let _ = shutdown(&to, Shutdown::Write);
    let _ = shutdown(&from, Shutdown::Read);
}
