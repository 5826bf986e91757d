//! A minimal /dev: what the OCI runtime specification asks for, and nothing of the machine's.

use std::{
    fs,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, makedev, mkdirat, mknodat, openat, symlinkat},
    mount::MountAttrFlags,
};

use super::{
    target::Inner,
    tree::{INERT, Tree},
};
use crate::{SetupError, error::Doing};

/// Name, major and minor number.
const DEVICES: &[(&str, u32, u32)] = &[
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

const LINKS: &[(&str, &str)] = &[
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
];

/// The group `tty`, which owns terminals in every distribution.
const TTY_GROUP: u64 = 5;

/// What varies.
pub(super) struct Options {
    /// Size of `/dev/shm`, bytes.
    pub(super) shm_size: u64,
    /// Ids from 0 to below this one exist.
    pub(super) ids: u64,
    /// Whether device nodes may be made; else the machine's are bound.
    pub(super) nodes: bool,
}

/// Mounts /dev and what is in it; returns the directory.
pub(super) fn mount(inner: &Inner, options: &Options) -> Result<OwnedFd, SetupError> {
    let how = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_STRICTATIME;
    let tree = Tree::new("tmpfs", &[("mode", Some("0755")), ("size", Some("65536k"))], how)?;
    for device in DEVICES {
        make_device(&tree, *device, options.nodes)?;
    }
    for (name, target) in LINKS {
        symlinkat(*target, &tree, *name).doing("make the link", Path::new("/dev").join(name))?;
    }
    for name in ["pts", "shm", "mqueue"] {
        mkdirat(&tree, name, Mode::from_raw_mode(0o755)).doing("make", Path::new("/dev").join(name))?;
    }
    inner.mount(&tree, Path::new("/dev"))?;
    if !options.nodes {
        bind_devices(inner)?;
    }
    mount_inside(inner, options)?;
    inner.find(Path::new("/dev")).doing("open", "/dev")
}

fn make_device(dev: &Tree, (name, major, minor): (&str, u32, u32), node: bool) -> Result<(), SetupError> {
    let mode = Mode::from_raw_mode(0o666);
    let path = || Path::new("/dev").join(name);
    if node {
        return mknodat(dev, name, FileType::CharacterDevice, mode, makedev(major, minor))
            .doing("make the device", path());
    }
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
    openat(dev, name, flags, mode)
        .map(drop)
        .doing("make the mount point", path())
}

fn bind_devices(inner: &Inner) -> Result<(), SetupError> {
    for (name, ..) in DEVICES {
        let path = Path::new("/dev").join(name);
        inner.mount(&Tree::of(&path)?, &path)?;
    }
    Ok(())
}

fn mount_inside(inner: &Inner, options: &Options) -> Result<(), SetupError> {
    let noexec = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mut terminals = vec![("ptmxmode", Some("0666")), ("mode", Some("0620"))];
    let group = TTY_GROUP.to_string();
    if options.ids > TTY_GROUP {
        terminals.push(("gid", Some(&group)));
    }
    let size = options.shm_size.to_string();
    let shm = [("mode", Some("1777")), ("size", Some(size.as_str()))];
    inner.mount(&Tree::new("devpts", &terminals, noexec)?, Path::new("/dev/pts"))?;
    inner.mount(&Tree::new("tmpfs", &shm, INERT)?, Path::new("/dev/shm"))?;
    inner.mount(&Tree::new("mqueue", &[], INERT)?, Path::new("/dev/mqueue"))
}

/// Whether this process may make device nodes that can be opened: root of the machine, not of a user namespace.
pub(super) fn may_make_nodes(stage: &Path) -> bool {
    let path = stage.join("node");
    let made = mknodat(
        CWD,
        &path,
        FileType::CharacterDevice,
        Mode::from_raw_mode(0o600),
        makedev(1, 3),
    );
    let opened = made.is_ok() && fs::File::open(&path).is_ok();
    made.is_ok() && fs::remove_file(&path).is_ok() && opened
}

/// Mounts a terminal as /dev/console.
pub(super) fn mount_console(dev: impl AsFd, terminal: &Tree) -> Result<(), SetupError> {
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
    openat(&dev, "console", flags, Mode::from_raw_mode(0o600))
        .doing("make the mount point", "/dev/console")?;
    let place = openat(&dev, "console", OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    terminal
        .attach(place.doing("open", "/dev/console")?)
        .doing("mount at", "/dev/console")
}
