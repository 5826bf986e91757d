//! A minimal /dev: what the OCI runtime specification asks for, and nothing of the machine's.

use std::{
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{FileType, Mode, OFlags, makedev, mkdirat, mknodat, openat, symlinkat},
    io::Errno,
    mount::MountAttrFlags,
};

use super::{
    target::Inner,
    tree::{INERT, Tree, without_devices_unless},
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
    /// Whether devices that the process makes can be opened.
    pub(super) devices: bool,
}

/// /dev and what is in it, mounted nowhere yet.
pub(super) struct Dev {
    tree: Tree,
    devices: Vec<(&'static str, Tree)>,
    /// The file systems below, each with its directory.
    inside: [(&'static str, Tree); 3],
}

impl Dev {
    /// Makes it.
    ///
    /// The devices are mounts of their own, from a second mount of the same file system: /dev itself leads to no device, so that a process
    /// with `CAP_MKNOD` cannot make itself the machine's disk there.
    pub(super) fn make(stage: &Path, options: &Options) -> Result<Self, SetupError> {
        let nodes = stage.join("devices");
        let how = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_STRICTATIME;
        let tree = Tree::new("tmpfs", &[("mode", Some("0755")), ("size", Some("65536k"))], how)?;
        let mut sources = Vec::new();
        for device in DEVICES {
            let made = make_device(&tree, *device)?;
            let from = if made { nodes.as_path() } else { Path::new("/dev") };
            sources.push((device.0, from.join(device.0)));
        }
        for (name, target) in LINKS {
            symlinkat(*target, &tree, *name).doing("make the link", Path::new("/dev").join(name))?;
        }
        for name in ["pts", "shm", "mqueue"] {
            mkdirat(&tree, name, Mode::from_raw_mode(0o755)).doing("make", Path::new("/dev").join(name))?;
        }
        let place =
            rustix::fs::open(&nodes, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).doing("open", &nodes)?;
        tree.attach(place).doing("mount at", &nodes)?;
        let devices = sources
            .into_iter()
            .map(|(name, source)| Ok((name, Tree::of(&source)?)));
        Ok(Self {
            tree: without_devices_unless(options.devices, Tree::of(&nodes)?)?,
            devices: devices.collect::<Result<_, SetupError>>()?,
            inside: inside(options)?,
        })
    }

    /// Mounts it; returns the directory.
    pub(super) fn mount(&self, inner: &Inner) -> Result<OwnedFd, SetupError> {
        let dev = Path::new("/dev");
        inner.mount(&self.tree, dev)?;
        for (name, tree) in self.devices.iter().chain(&self.inside) {
            inner.mount(tree, &dev.join(name))?;
        }
        inner.find(dev).doing("open", dev)
    }
}

/// Makes a device node; false: only root of the machine may, and a mount point for the machine's own was made instead.
fn make_device(dev: &Tree, (name, major, minor): (&str, u32, u32)) -> Result<bool, SetupError> {
    let mode = Mode::from_raw_mode(0o666);
    match mknodat(dev, name, FileType::CharacterDevice, mode, makedev(major, minor)) {
        Err(Errno::PERM) => {}
        made => {
            return made
                .map(|()| true)
                .doing("make the device", Path::new("/dev").join(name));
        }
    }
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
    let made = openat(dev, name, flags, mode).doing("make the mount point", Path::new("/dev").join(name));
    made.map(|_| false)
}

fn inside(options: &Options) -> Result<[(&'static str, Tree); 3], SetupError> {
    let noexec = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mut terminals = vec![("ptmxmode", Some("0666")), ("mode", Some("0620"))];
    let group = TTY_GROUP.to_string();
    if options.ids > TTY_GROUP {
        terminals.push(("gid", Some(&group)));
    }
    let size = options.shm_size.to_string();
    let shm = [("mode", Some("1777")), ("size", Some(size.as_str()))];
    Ok([
        ("pts", Tree::new("devpts", &terminals, noexec)?),
        ("shm", Tree::new("tmpfs", &shm, INERT)?),
        ("mqueue", Tree::new("mqueue", &[], INERT)?),
    ])
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
