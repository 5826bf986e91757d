//! Waiting for the process, for orphans, and for what the program says meanwhile.

use std::{
    fs,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::{Errno, read},
    net::{
        AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
        sendmsg, socket_with,
    },
    process::{
        Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, set_child_subreaper, wait,
    },
};

use crate::{
    Exit,
    channel::{Channel, retry},
    message::Command,
};

/// What can wake this process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Children,
    Program,
    Relay,
}

/// Lives until `process` ends: reaps everything, passes on signals, makes sockets for the relay.
pub(super) fn until_end(process: Pid, ended: &OwnedFd, channel: &Channel, relay: Option<&OwnedFd>) -> Exit {
    let mut sources = vec![
        (Source::Children, ended.as_fd()),
        (Source::Program, channel.as_fd()),
    ];
    sources.extend(relay.map(|relay| (Source::Relay, relay.as_fd())));
    loop {
        if let Some(end) = reap(process) {
            return end;
        }
        for (source, fd) in ready(&sources) {
            let goes_on = match source {
                // The signals stand for what `reap` finds anyway.
                Source::Children => read(fd, &mut [0; 128]).is_ok(),
                Source::Program => obey(channel, process),
                Source::Relay => make_socket(fd).is_ok(),
            };
            if !goes_on {
                sources.retain(|(other, _)| *other != source);
            }
        }
    }
}

/// Waits until some of the sources have something to say.
fn ready<'a>(sources: &[(Source, BorrowedFd<'a>)]) -> Vec<(Source, BorrowedFd<'a>)> {
    let mut watched: Vec<PollFd<'_>> = sources
        .iter()
        .map(|(_, fd)| PollFd::new(fd, PollFlags::IN))
        .collect();
    // It fails only for want of memory; the next round tries again.
    let _ = retry(|| poll(&mut watched, None));
    let awake = |(source, one): (&(Source, BorrowedFd<'a>), &PollFd<'_>)| {
        (!one.revents().is_empty()).then_some(*source)
    };
    sources.iter().zip(&watched).filter_map(awake).collect()
}

/// Reaps all that ended; says how the process did, if it is among them.
fn reap(process: Pid) -> Option<Exit> {
    let mut end = None;
    while let Ok(Some((pid, status))) = retry(|| wait(WaitOptions::NOHANG)) {
        if pid == process {
            end = how(status);
        }
    }
    end
}

fn how(status: WaitStatus) -> Option<Exit> {
    let code = status.exit_status().map(|code| Exit::Code(code as u8));
    code.or_else(|| status.terminating_signal().map(Exit::Signal))
}

/// Does what the program says; false when it has nothing more to say.
fn obey(channel: &Channel, process: Pid) -> bool {
    match channel.receive::<Command>() {
        Ok(Some((Command::Signal(number), _))) => {
            if let Some(signal) = Signal::from_named_raw(number) {
                // It may have ended in this moment.
                let _ = kill_process(process, signal);
            }
            true
        }
        Ok(Some(_)) => true,
        Ok(None) | Err(_) => false,
    }
}

/// Answers a request (one byte: 4 or 6) with a TCP socket of this network namespace.
fn make_socket(relay: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut version = [0];
    if read(relay, &mut version)? == 0 {
        return Err(Errno::PIPE);
    }
    let family = if version == *b"6" {
        AddressFamily::INET6
    } else {
        AddressFamily::INET
    };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let files = [socket.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&files));
    sendmsg(
        relay,
        &[std::io::IoSlice::new(&version)],
        &mut control,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// Makes this process the parent of orphans below it: what pid 1 is by nature.
pub(super) fn adopt_orphans() {
    // Known since Linux 3.4; without it orphans go to the machine's first process and are lost to us.
    let _ = set_child_subreaper(Some(rustix::process::getpid()));
}

/// Ends all other processes of this process's pid namespace. Its own end would do it too, but they are gone when this returns.
pub(super) fn end_all_others() {
    // The group of that number is everybody but the caller, kill(2). There may be none.
    let _ = kill_process_group(Pid::INIT, Signal::KILL);
    // Orphans become ours.
    while retry(|| wait(WaitOptions::empty())).is_ok() {}
}

/// Ends all that runs below this process, where there is no pid namespace whose end would do it.
pub(super) fn end_descendants() {
    loop {
        for child in children() {
            let _ = kill_process(child, Signal::KILL);
        }
        // The children of what ends become ours.
        if matches!(retry(|| wait(WaitOptions::empty())), Err(Errno::CHILD)) {
            return;
        }
    }
}

fn children() -> Vec<Pid> {
    let own = rustix::process::getpid().as_raw_nonzero().get().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pid = |entry: fs::DirEntry| {
        let number: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // After the name, which may hold anything: state, then the parent.
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?;
        (parent == own).then_some(Pid::from_raw(number)?)
    };
    entries.filter_map(pid).collect()
}
