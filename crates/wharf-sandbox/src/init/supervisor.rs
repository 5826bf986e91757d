//! The process between the program and the sandbox: enters the user namespace, starts pid 1, and ends it when the program goes.

use std::{
    fs::File,
    os::fd::{AsFd, OwnedFd},
    process::{ExitCode, exit},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, setsid, waitpid},
    thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, set_name},
};

use super::{FAILED, first, leash, reaper, trials};
use crate::{
    SetupError,
    channel::{Channel, retry},
    error::Doing,
    inside::Entry,
    kernel::{self, Fork},
    message::{Command, Order, Report, Role, Run, Users},
};

/// What came with [`Command::Begin`], after the order.
pub(super) struct Files {
    /// What the order came in.
    pub(super) order: File,
    pub(super) streams: [OwnedFd; 3],
    /// Where sockets of the network namespace are asked for.
    pub(super) relay: Option<OwnedFd>,
}

/// Does what the program orders, and ends.
pub(super) fn run(channel: OwnedFd, entries: &[Entry]) -> ! {
    // What ps(1) shows; a process without a name of its own would do as well.
    let _ = set_name(c"wharf-init");
    let channel = Channel::new(channel);
    match begin(&channel, entries) {
        Ok(code) => exit(code),
        Err(error) => {
            // Nobody may be left to hear it.
            let _ = channel.send(&Report::Failed(error), &[]);
            exit(FAILED)
        }
    }
}

fn begin(channel: &Channel, entries: &[Entry]) -> Result<i32, SetupError> {
    let (order, file, mut files) = receive(channel, |command| matches!(command, Command::Begin))?;
    // Out of the terminal's foreground group: Ctrl-C is for the program, which then says what is to become of us.
    setsid().doing("start a session", "")?;
    let namespace = (order.users == Users::Join && files.len() > 3).then(|| files.remove(3));
    enter_users(channel, order.users, namespace)?;
    match order.role {
        Role::Run(run) => supervise(channel, &run, take(file, files)?),
        Role::Inside { entry } => Ok(call(&entry, entries, files)),
        Role::Probe { scratch } => {
            let found = trials::all(&scratch);
            channel.send(&Report::Probed(found), &[]).doing("report", "")?;
            Ok(0)
        }
    }
}

/// What is to be run in surroundings that were made ahead, when it comes.
pub(super) fn receive_order(channel: &Channel) -> Result<(Run, Files), SetupError> {
    let (order, file, files) = receive(channel, |command| matches!(command, Command::Order))?;
    match order.role {
        Role::Run(run) => Ok((*run, take(file, files)?)),
        _ => exit(FAILED),
    }
}

/// The order, the file that it came in, and what came with it. Ends this process when the program is gone or says something else.
fn receive(
    channel: &Channel,
    wanted: fn(&Command) -> bool,
) -> Result<(Order, File, Vec<OwnedFd>), SetupError> {
    let message = channel.receive::<Command>().doing("read the order", "")?;
    let Some((_, mut files)) = message.filter(|(command, files)| wanted(command) && !files.is_empty()) else {
        exit(FAILED)
    };
    let mut file = File::from(files.remove(0));
    let order = Order::from_file(&mut file).doing("read the order", "")?;
    Ok((order, file, files))
}

fn take(order: File, files: Vec<OwnedFd>) -> Result<Files, SetupError> {
    let mut files = files.into_iter();
    let (Some(stdin), Some(stdout), Some(stderr)) = (files.next(), files.next(), files.next()) else {
        return Err(SetupError::new("take the streams", "", rustix::io::Errno::BADF));
    };
    Ok(Files {
        order,
        streams: [stdin, stdout, stderr],
        relay: files.next(),
    })
}

fn enter_users(channel: &Channel, users: Users, namespace: Option<OwnedFd>) -> Result<(), SetupError> {
    match (users, namespace) {
        (Users::New, _) => {
            kernel::unshare(UnshareFlags::NEWUSER).doing("make a user namespace", "")?;
            channel.send(&Report::Unmapped, &[]).doing("report", "")?;
            expect(channel, |command| matches!(command, Command::Mapped));
            Ok(())
        }
        (Users::Join, Some(namespace)) => {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::User))
                .doing("join the user namespace", "")
        }
        _ => Ok(()),
    }
}

/// Waits for a command; ends this process when the program is gone or says something else.
pub(super) fn expect(channel: &Channel, wanted: fn(&Command) -> bool) {
    match channel.receive::<Command>() {
        Ok(Some((command, _))) if wanted(&command) => {}
        _ => exit(FAILED),
    }
}

fn call(name: &str, entries: &[Entry], files: Vec<OwnedFd>) -> i32 {
    let entry = entries.iter().find(|entry| entry.name == name);
    let mut files = files.into_iter();
    match (entry, files.next(), files.next()) {
        (Some(entry), Some(input), Some(output)) => {
            let code = (entry.run)(&mut File::from(input), &mut File::from(output));
            i32::from(code != ExitCode::SUCCESS)
        }
        _ => FAILED,
    }
}

/// Starts pid 1 and stays until it, and with it everything inside, is gone.
fn supervise(channel: &Channel, run: &Run, files: Files) -> Result<i32, SetupError> {
    let (mut holder, leash) = leash::pair()?;
    let forked = if run.own_processes {
        kernel::fork_as_first()
    } else {
        kernel::lower_dumpable();
        reaper::adopt_orphans();
        kernel::fork()
    };
    let pid = match forked.doing("start the first process", "")? {
        Fork::Parent(pid) => pid,
        Fork::Child => {
            drop(holder);
            first::run(channel, run, files, leash)
        }
    };
    drop((files, leash));
    let way_out = run
        .pasta
        .as_ref()
        .and_then(|program| holder.lay_egress(program, pid));
    watch(channel, pid).doing("watch the first process", "")?;
    drop(way_out);
    if !run.own_processes {
        reaper::end_descendants();
    }
    Ok(0)
}

/// Waits for pid 1, and ends it when the program hangs up.
fn watch(channel: &Channel, pid: Pid) -> rustix::io::Result<()> {
    let first = pidfd_open(pid, PidfdFlags::empty())?;
    let mut both = [
        PollFd::new(&first, PollFlags::IN),
        PollFd::new(channel, PollFlags::RDHUP),
    ];
    retry(|| poll(&mut both, None))?;
    if !both[1].revents().is_empty() {
        // It may have ended by itself in this moment.
        let _ = pidfd_send_signal(&first, Signal::KILL);
    }
    retry(|| waitpid(Some(pid), WaitOptions::empty()))?;
    Ok(())
}
