//! Pid 1: makes everything around the process, starts it, reaps what dies, and ends the rest when the process ends.

use std::{
    fs::File,
    io::Write,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process::exit,
};

use rustix::{process::umask, system::sethostname, thread::UnshareFlags};

use super::{
    FAILED,
    console::{self, Terminal},
    dev::{self, Dev},
    emulators,
    files::Workshop,
    leash::Leash,
    loopback, mask, mounts,
    process::{self, Streams},
    reaper, root,
    root::Made,
    supervisor::{self, Files},
    system,
    tree::{self, Tree},
};
use crate::{
    Exit, Network, SetupError, Spec,
    channel::Channel,
    error::Doing,
    kernel::{self, Fork},
    message::{Report, Run},
};

/// Never returns: this process ends when everything inside has and the program has heard of it.
pub(super) fn run(channel: &Channel, run: &Run, files: Files, mut leash: Leash) -> ! {
    match live(channel, run, files, &mut leash) {
        Ok(Some(end)) => {
            // When the program is gone, nobody wants to know.
            let _ = channel.send(&Report::Ended(end), &[]);
            // Its mounts go with this process: the program may want to look at them before.
            channel.until_finished();
            exit(0)
        }
        Ok(None) => exit(FAILED),
        Err(error) => {
            let _ = channel.send(&Report::Failed(error), &[]);
            exit(FAILED)
        }
    }
}

/// How the process ended; none when its own procfs is refused.
fn live(channel: &Channel, run: &Run, files: Files, leash: &mut Leash) -> Result<Option<Exit>, SetupError> {
    leash.tie()?;
    if !run.own_processes {
        kernel::lower_dumpable();
        reaper::adopt_orphans();
    }
    // Modes of what is made here are meant literally.
    umask(rustix::fs::Mode::empty());
    separate(&run.spec)?;
    let procfs = if run.own_processes {
        system::procfs()?
    } else {
        None
    };
    if run.own_processes && procfs.is_none() {
        channel.send(&Report::ProcfsRefused, &[]).doing("report", "")?;
        return Ok(None);
    }
    channel.send(&Report::Begun, &[]).doing("report", "")?;
    let no_egress = if run.pasta.is_some() {
        leash.ask_for_egress()?
    } else {
        None
    };
    // Held until the process has ended.
    let _emulators = emulators::register(&run.spec.emulators)?;
    let made = root::make(&run.spec, run.user_xattrs, procfs.as_ref(), channel)?;
    let dev = Dev::make(&made.stage, &dev_options(run))?;
    let mut workshop = Workshop::new(&made.stage, run.ids);
    let ordered;
    let mut directories = Vec::new();
    let (run, files) = if run.ahead {
        directories = mounts::directories(&run.spec, &mut workshop.with(&files.order))?;
        channel.send(&Report::Mounted, &[]).doing("report", "")?;
        let (run, files) = supervisor::receive_order(channel)?;
        ordered = run;
        (&ordered, files)
    } else {
        (run, files)
    };
    let Files {
        order,
        streams,
        relay,
    } = files;
    let furniture = Furniture {
        procfs: procfs.as_ref(),
        dev,
        workshop,
        directories,
    };
    let furnished = furnish(run, &order, furniture, &made)?;
    drop(order);
    announce(channel, &furnished, no_egress)?;
    let streams = match furnished.terminal {
        Some(terminal) => Streams::Terminal(terminal.own),
        None => Streams::Given(streams),
    };
    start(channel, run, streams, relay.as_ref()).map(Some)
}

/// Enters the other namespaces.
fn separate(spec: &Spec) -> Result<(), SetupError> {
    let mut namespaces =
        UnshareFlags::NEWNS | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS | UnshareFlags::NEWCGROUP;
    if spec.network != Network::Host {
        namespaces |= UnshareFlags::NEWNET;
    }
    kernel::unshare(namespaces).doing("make namespaces", "")?;
    tree::keep_private()?;
    sethostname(spec.hostname.as_bytes()).doing("set the host name", &spec.hostname)?;
    if spec.network == Network::Host {
        Ok(())
    } else {
        loopback::bring_up()
    }
}

/// What is left of the set-up when the process starts.
struct Furnished {
    terminal: Option<Terminal>,
    agents: Vec<OwnedFd>,
}

fn dev_options(run: &Run) -> dev::Options {
    dev::Options {
        shm_size: run.spec.shm_size,
        ids: run.ids,
        devices: run.spec.devices,
    }
}

/// What is made for a root before it is known who will use it.
struct Furniture<'a> {
    procfs: Option<&'a Tree>,
    dev: Dev,
    workshop: Workshop,
    directories: Vec<Tree>,
}

/// Makes what else is mounted in the root, mounts all, and goes there.
fn furnish(
    run: &Run,
    order: &File,
    furniture: Furniture<'_>,
    Made { inner, stage }: &Made,
) -> Result<Furnished, SetupError> {
    let spec = &run.spec;
    system::mount_proc(inner, furniture.procfs)?;
    let dev = furniture.dev.mount(inner)?;
    system::mount_sys(inner)?;
    if matches!(spec.network, Network::Private(_)) {
        loopback::open_ports(inner);
    }
    let directories = furniture.directories.into_iter().map(Some).collect();
    let mut workshop = furniture.workshop;
    let agents = mounts::mount(inner, spec, &mut workshop.with(order), directories, &run.made)?;
    mask::hide(inner, stage, &spec.masked_paths)?;
    mask::protect(inner, &spec.readonly_paths)?;
    let terminal = match spec.tty {
        Some(size) => Some(console::open(&dev, spec.uid, size)?),
        None => None,
    };
    root::enter(inner)?;
    Ok(Furnished { terminal, agents })
}

fn announce(channel: &Channel, furnished: &Furnished, note: Option<String>) -> Result<(), SetupError> {
    let terminal = furnished
        .terminal
        .as_ref()
        .map(|terminal| terminal.controlling.as_fd());
    let files: Vec<BorrowedFd<'_>> = terminal
        .into_iter()
        .chain(furnished.agents.iter().map(AsFd::as_fd))
        .collect();
    let ready = Report::Ready {
        terminal: terminal.is_some(),
        notes: note.into_iter().collect(),
    };
    channel.send(&ready, &files).doing("report", "")
}

/// Starts the process and lives until it has ended and nothing runs that it left.
fn start(
    channel: &Channel,
    run: &Run,
    streams: Streams,
    relay: Option<&OwnedFd>,
) -> Result<Exit, SetupError> {
    let ended = kernel::ended_children().doing("watch children", "")?;
    let (reader, mut writer) = std::io::pipe().doing("make a pipe", "")?;
    let pid = match kernel::fork().doing("start the process", "")? {
        Fork::Parent(pid) => pid,
        Fork::Child => {
            let failure = process::become_it(run, &streams);
            let text = postcard::to_stdvec(&failure).unwrap_or_default();
            // If this is lost, so is the reader.
            let _ = writer.write_all(&text);
            exit(FAILED)
        }
    };
    drop((writer, streams));
    let end = match process::failure(reader) {
        Some(process::Failure::Setup(error)) => Err(error),
        Some(process::Failure::Execution(error)) => Ok(Exit::NotExecuted(error)),
        None => Ok(reaper::until_end(pid, &ended, channel, relay)),
    };
    if run.own_processes {
        reaper::end_all_others();
    } else {
        reaper::end_descendants();
    }
    end
}
