//! What this machine allows, found by trying it in a process that ends afterwards.

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    process::exit,
};

use rustix::{
    fs::{Mode, OFlags, open},
    mount::MountAttrFlags,
    process::{WaitOptions, waitpid},
    thread::UnshareFlags,
};

use super::{
    system,
    tree::{self, INERT, Parameter, SEALED, Tree},
};
use crate::{
    SetupError,
    channel::retry,
    error::Doing,
    host::{Feature, Trial},
    kernel::{self, Fork},
    seccomp::{self, Arch},
};

/// Something to try.
type Try<'a> = &'a dyn Fn() -> Result<(), SetupError>;

/// Tries everything; uppers and works of overlays are tried on the file system of `scratch`.
pub(super) fn all(scratch: &Path) -> Vec<Trial> {
    let trials: [(Feature, Try<'_>); 6] = [
        // Before the new pid namespace, in which only one child can be had.
        (Feature::Seccomp, &|| in_child(seccomp)),
        (Feature::Namespaces, &namespaces),
        (Feature::NetworkNamespace, &network),
        (Feature::Procfs, &|| in_child(procfs)),
        (Feature::Overlay, &|| overlay(scratch)),
        (Feature::Fuse, &fuse),
    ];
    let trial = |(feature, try_it): (Feature, Try<'_>)| Trial {
        feature,
        refusal: try_it().err(),
    };
    trials.into_iter().map(trial).collect()
}

fn namespaces() -> Result<(), SetupError> {
    let kinds = UnshareFlags::NEWNS
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP
        | UnshareFlags::NEWPID;
    kernel::unshare(kinds).doing("make namespaces", "")?;
    tree::keep_private()
}

fn network() -> Result<(), SetupError> {
    kernel::unshare(UnshareFlags::NEWNET).doing("make a network namespace", "")?;
    super::loopback::bring_up()
}

/// Runs a trial in a child: the first one of the pid namespace, or one that a filter will stay with.
fn in_child(trial: fn() -> Result<(), SetupError>) -> Result<(), SetupError> {
    match kernel::fork().doing("start a process", "")? {
        Fork::Child => exit(trial().map_or_else(|error| error.errno.clamp(1, 255), |()| 0)),
        Fork::Parent(pid) => {
            let ended = retry(|| waitpid(Some(pid), WaitOptions::empty())).doing("wait", "")?;
            match ended.and_then(|(_, status)| status.exit_status()) {
                Some(0) => Ok(()),
                errno => Err(SetupError::new(
                    "try",
                    "",
                    io::Error::from_raw_os_error(errno.unwrap_or(libc::EIO)),
                )),
            }
        }
    }
}

fn procfs() -> Result<(), SetupError> {
    match system::procfs()? {
        Some(_) => Ok(()),
        None => Err(SetupError::new("mount", "/proc", rustix::io::Errno::PERM)),
    }
}

fn seccomp() -> Result<(), SetupError> {
    let filter = seccomp::ids_and_devices(Arch::native()).map_err(|_| rustix::io::Errno::INVAL);
    filter
        .map_err(Into::into)
        .and_then(|filter| kernel::install_filter(&filter.to_bytes()))
        .doing("install a filter", "")
}

fn overlay(scratch: &Path) -> Result<(), SetupError> {
    let folder = scratch.join(format!("probe-{}", std::process::id()));
    let [lower, upper, work] = ["lower", "upper", "work"].map(|name| folder.join(name));
    let tried = make_all(&[&folder, &lower, &upper, &work]).and_then(|()| {
        let trusted = mount_overlay(&lower, &upper, &work, false);
        trusted.or_else(|_| mount_overlay(&lower, &upper, &work, true))
    });
    // What cannot be removed is removed with the scratch directory.
    let _ = fs::remove_dir_all(&folder);
    tried
}

fn make_all(folders: &[&PathBuf]) -> Result<(), SetupError> {
    folders
        .iter()
        .try_for_each(|folder| fs::create_dir(folder).doing("make the directory", *folder))
}

fn mount_overlay(lower: &Path, upper: &Path, work: &Path, user_xattrs: bool) -> Result<(), SetupError> {
    let held: Vec<OwnedFd> = [lower, upper, work]
        .into_iter()
        .map(directory)
        .collect::<Result<_, _>>()?;
    let names: Vec<String> = held
        .iter()
        .map(|fd| format!("/proc/self/fd/{}", fd.as_raw_fd()))
        .collect();
    let mut options: Vec<Parameter<'_>> = vec![
        ("lowerdir", Some(&names[0])),
        ("upperdir", Some(&names[1])),
        ("workdir", Some(&names[2])),
        ("volatile", None),
    ];
    if user_xattrs {
        options.push(("userxattr", None));
    }
    Tree::new("overlay", &options, MountAttrFlags::empty()).map(drop)
}

fn directory(path: &Path) -> Result<OwnedFd, SetupError> {
    open(
        path,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .doing("open", path)
}

fn fuse() -> Result<(), SetupError> {
    let connection =
        open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).doing("open", "/dev/fuse")?;
    let number = connection.as_fd().as_raw_fd().to_string();
    let options: [Parameter<'_>; 4] = [
        ("fd", Some(&number)),
        ("rootmode", Some("40000")),
        ("user_id", Some("0")),
        ("group_id", Some("0")),
    ];
    Tree::new("fuse", &options, SEALED.union(INERT)).map(drop)
}
