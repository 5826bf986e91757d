//! Making the root file system, and making it `/`.
//!
//! Everything is done on a *stage*: a small file system in memory that covers the caller's own directory, in this mount namespace
//! only. So no directory is made outside, and nothing is left there.

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    process::exit,
};

use rustix::{
    fs::{CWD, Mode, OFlags, open, openat},
    mount::{MountAttrFlags, UnmountFlags, unmount},
    process::{chdir, fchdir, pivot_root},
};

use super::{
    FAILED, layers,
    target::Inner,
    tree::{INERT, Parameter, SEALED, Tree, detach, without_devices_unless},
};
use crate::{
    Root, SetupError, Spec,
    channel::Channel,
    error::Doing,
    message::{Command, Report},
};

/// The root, mounted on the stage.
pub(super) struct Made {
    pub(super) inner: Inner,
    /// A place in memory for files that are to be mounted.
    pub(super) stage: PathBuf,
}

/// Makes the root. For a FUSE one this goes on when the program serves it.
pub(super) fn make(
    spec: &Spec,
    user_xattrs: bool,
    procfs: Option<&Tree>,
    channel: &Channel,
) -> Result<Made, SetupError> {
    let root = &spec.root;
    let own = match root {
        Root::FuseOverlay { upper, .. } | Root::Overlay { upper, .. } => upper,
        Root::Plain { dir } => dir,
    };
    let below = Below::open(root)?;
    // Before the stage covers it: a copy takes along what is mounted there.
    let plain = Tree::at(&below.upper).doing("bind", own)?;
    let stage = set_stage(own)?;
    let tree = match root {
        Root::FuseOverlay { large, .. } => {
            let lowers = [stage.join("lower"), stage.join("large")];
            let [lower, second] = &lowers;
            let wanted = if large.is_some() { 2 } else { 1 };
            connect(&lowers[..wanted], procfs, channel)?;
            let tree = match (served(channel), large) {
                (true, Some(large)) => layers::mount(large, &lowers, &stage, &below, user_xattrs, channel)?,
                _ => None,
            };
            let only = lower.to_string_lossy();
            let tree = match tree {
                Some(tree) => tree,
                None => overlay(&[("lowerdir", Some(&only))], Some(&below), user_xattrs)?,
            };
            // The overlay keeps its own copies; the process shall not see these.
            detach(lower)?;
            if large.is_some() {
                detach(second)?;
            }
            tree
        }
        Root::Overlay { .. } => overlay(&[("lowerdir", Some(&below.lower()))], Some(&below), user_xattrs)?,
        Root::Plain { .. } => plain,
    };
    let place = directory(&stage.join("root"))?;
    let tree = without_devices_unless(spec.devices, tree)?;
    tree.attach(&place).doing("mount the root file system", "")?;
    Ok(Made {
        inner: Inner::new(directory(&stage.join("root"))?),
        stage,
    })
}

/// The caller's directories, held open: the stage covers one of them, and descriptors need no quoting in mount options.
pub(super) struct Below {
    lower: Option<OwnedFd>,
    upper: OwnedFd,
    work: Option<OwnedFd>,
}

impl Below {
    fn open(root: &Root) -> Result<Self, SetupError> {
        let (lower, upper, work) = match root {
            Root::FuseOverlay { upper, work, .. } => (None, upper, Some(work)),
            Root::Overlay { lower, upper, work } => (Some(lower), upper, Some(work)),
            Root::Plain { dir } => (None, dir, None),
        };
        let optional = |path: Option<&PathBuf>| path.map(|path| directory(path)).transpose();
        Ok(Self {
            lower: optional(lower)?,
            upper: directory(upper)?,
            work: optional(work)?,
        })
    }

    /// Removes what an overlay that was not made after all has left in its work directory: with that mark of a volatile overlay no other
    /// one is made.
    pub(super) fn clear_work(&self) -> Result<(), SetupError> {
        let Some(work) = &self.work else {
            return Ok(());
        };
        let left = Path::new(&by_descriptor(work)).join("work");
        match fs::remove_dir_all(&left) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).doing("empty the work directory", left)
            }
            _ => Ok(()),
        }
    }

    fn lower(&self) -> String {
        self.lower.as_ref().map(by_descriptor).unwrap_or_default()
    }
}

pub(super) fn directory(path: &Path) -> Result<OwnedFd, SetupError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(path, flags, Mode::empty()).doing("open the directory", path)
}

pub(super) fn by_descriptor(directory: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", directory.as_raw_fd())
}

fn set_stage(cover: &Path) -> Result<PathBuf, SetupError> {
    let place = directory(cover)?;
    // Programs run from what is mounted of it where that is meant.
    let how = INERT.difference(MountAttrFlags::MOUNT_ATTR_NOEXEC);
    let tree = Tree::new("tmpfs", &[("mode", Some("0700"))], how)?;
    tree.attach(&place).doing("mount the stage", cover)?;
    for name in ["data", "devices", "empty", "files", "large", "lower", "root"] {
        let path = cover.join(name);
        fs::create_dir(&path).doing("make the directory", &path)?;
    }
    Ok(cover.to_owned())
}

/// Mounts FUSE file systems and hands their connections to the program, which has to serve them before anything looks there.
///
/// `default_permissions`, so that the kernel asks for a file's status before it opens it: a mapping, splice(2), copy_file_range(2)
/// and FIONREAD tell its size from what a look-up said, and would not ask.
fn connect(lowers: &[PathBuf], procfs: Option<&Tree>, channel: &Channel) -> Result<(), SetupError> {
    let connections = lowers
        .iter()
        .map(|lower| mount_fuse(lower))
        .collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<_> = connections.iter().map(AsFd::as_fd).collect();
    files.extend(procfs.map(AsFd::as_fd));
    // Our copies are closed then: the program's end of a connection is its end.
    channel
        .send(&Report::Fuse, &files)
        .doing("hand over the FUSE connection", "")
}

fn mount_fuse(lower: &Path) -> Result<OwnedFd, SetupError> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let connection = openat(CWD, "/dev/fuse", flags, Mode::empty()).doing("open", "/dev/fuse")?;
    let number = connection.as_raw_fd().to_string();
    let options: [Parameter<'_>; 5] = [
        ("fd", Some(&number)),
        ("rootmode", Some("40000")),
        ("user_id", Some("0")),
        ("group_id", Some("0")),
        ("default_permissions", None),
    ];
    let tree = Tree::new("fuse", &options, SEALED)?;
    tree.attach(directory(lower)?)
        .doing("mount the lower file system", "")?;
    Ok(connection)
}

/// Waits until the program answers: whether the second connection too, for large files. Ends this process when it is gone.
fn served(channel: &Channel) -> bool {
    match channel.receive() {
        Ok(Some((Command::Served { large }, _))) => large,
        _ => exit(FAILED),
    }
}

/// An overlay of these layers, written to what is open in `below`, if anything.
///
/// `nofollow` and `off`: what the kernel may not be asked for in a user namespace is off in both modes, so that uppers are alike.
pub(super) fn overlay(
    layers: &[Parameter<'_>],
    below: Option<&Below>,
    user_xattrs: bool,
) -> Result<Tree, SetupError> {
    let mut options = layers.to_vec();
    let written = below.map(|below| {
        let work = below.work.as_ref().map(by_descriptor).unwrap_or_default();
        (by_descriptor(&below.upper), work)
    });
    if let Some((upper, work)) = &written {
        options.extend([
            ("upperdir", Some(upper.as_str())),
            ("workdir", Some(work)),
            ("volatile", None),
        ]);
    }
    options.extend([("xino", Some("off")), ("redirect_dir", Some("nofollow"))]);
    if user_xattrs {
        options.push(("userxattr", None));
    }
    Tree::new("overlay", &options, MountAttrFlags::empty())
}

/// Makes the root `/` of this process; what was mounted before is gone for it.
pub(super) fn enter(inner: &Inner) -> Result<(), SetupError> {
    fchdir(inner).doing("enter the root", "")?;
    pivot_root(".", ".").doing("change the root", "")?;
    unmount(".", UnmountFlags::DETACH).doing("leave the old root", "")?;
    chdir("/").doing("enter the root", "/")
}
