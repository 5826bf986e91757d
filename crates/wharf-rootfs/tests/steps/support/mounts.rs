//! Mounts and processes in a mount namespace that lives as long as one thread.

use std::{
    ffi::CString,
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::mpsc::{Receiver, Sender},
};

use rustix::{
    fs::{Mode, OFlags},
    mount::{MountFlags, MountPropagationFlags, UnmountFlags},
    thread::UnshareFlags,
};
use wharf_rootfs::{Markers, beside};

/// Whether mounts can be made here; says what is missing.
pub fn privileged() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("mounting needs root".into());
    }
    if !Path::new(BUSYBOX).exists() {
        return Err(format!("{BUSYBOX} is missing (package busybox-static)"));
    }
    open_fuse().map_err(|error| format!("/dev/fuse cannot be opened: {error}"))?;
    std::thread::spawn(own_namespace)
        .join()
        .expect("a thread")
        .map_err(|error| format!("no mount namespace: {error}"))
}

/// A static binary with the usual small programs.
pub const BUSYBOX: &str = "/bin/busybox";

/// Where a step's files are.
pub struct Place {
    pub scratch: PathBuf,
    pub markers: Markers,
}

/// Mounts, sends `/dev/fuse` away, waits until it is served, and runs `script` in the root. To be called on a thread of
/// its own: it stays in the root until it ends.
pub fn run(place: &Place, script: &str, send: &Sender<OwnedFd>, ready: &Receiver<bool>) -> Output {
    own_namespace().expect("a mount namespace");
    let (lower, root) = (place.scratch.join("lower"), place.scratch.join("root"));
    for dir in [&lower, &root, &place.scratch.join("work")] {
        std::fs::create_dir(dir).expect("a new directory");
    }
    send.send(mount_fuse(&lower)).expect("somebody serves");
    let large = ready.recv().expect("somebody serves");
    if !large || !mount_layered(place, &lower, &root, send, ready) {
        mount_overlay(place, &lower.display().to_string(), &root);
    }
    rustix::mount::unmount(&lower, UnmountFlags::DETACH).expect("the lower is mounted");
    let null = std::fs::File::open("/dev/null").expect("a null device");
    rustix::process::chroot(&root).expect("a root");
    rustix::process::chdir("/").expect("a root");
    Command::new("/bin/busybox")
        .args(["sh", "-c", script])
        .env_clear()
        .env("PATH", "/bin")
        .stdin(null)
        .output()
        .expect("busybox runs")
}

#[allow(unsafe_code)]
fn own_namespace() -> rustix::io::Result<()> {
    // SAFETY: no descriptor table is unshared; only this thread's mounts and root directory change.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS)? };
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
}

fn open_fuse() -> rustix::io::Result<OwnedFd> {
    rustix::fs::open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}

fn mount_fuse(at: &Path) -> OwnedFd {
    let fuse = open_fuse().expect("/dev/fuse opens");
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let options = format!(
        "fd={},rootmode=40000,user_id=0,group_id=0,default_permissions",
        fuse.as_raw_fd()
    );
    let options = CString::new(options).expect("no NUL");
    rustix::mount::mount("wharf", at, "fuse.wharf", flags, options.as_c_str()).expect("FUSE mounts");
    fuse
}

/// Whether the kernel has a layer for large files: from 6.16 on.
pub fn layers() -> bool {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let mut next = || numbers.next().and_then(Result::ok).unwrap_or(0_u32);
    (next(), next()) >= (6, 16)
}

/// Whether it was not to be refused.
fn mount_layered(
    place: &Place,
    lower: &Path,
    root: &Path,
    send: &Sender<OwnedFd>,
    ready: &Receiver<bool>,
) -> bool {
    let dir = |name: &str| place.scratch.join(name);
    let (large, data) = (dir("large"), dir("data"));
    for dir in [&large, &data] {
        std::fs::create_dir(dir).expect("a new directory");
    }
    send.send(mount_fuse(&large)).expect("somebody serves");
    if !ready.recv().expect("somebody serves") {
        rustix::mount::unmount(&large, UnmountFlags::DETACH).expect("it is mounted");
        return false;
    }
    let at = |name: &str| large.join(name).display().to_string();
    let options = format!(
        "lowerdir={}::{},xino=off,redirect_dir=nofollow{}",
        at(beside::DATA),
        dir("blobs").display(),
        marks(place)
    );
    overlay(&data, options);
    let lowers = format!("{}:{}::{}", lower.display(), at(beside::TREE), data.display());
    mount_overlay(place, &lowers, root);
    for dir in [&data, &large] {
        rustix::mount::unmount(dir, UnmountFlags::DETACH).expect("it is mounted");
    }
    true
}

const fn marks(place: &Place) -> &'static str {
    match place.markers {
        Markers::Trusted => "",
        Markers::User => ",userxattr",
    }
}

fn mount_overlay(place: &Place, lower: &str, root: &Path) {
    let dir = |name: &str| place.scratch.join(name).display().to_string();
    let options = format!(
        "lowerdir={lower},upperdir={},workdir={},volatile,xino=off,redirect_dir=nofollow{}",
        dir("upper"),
        dir("work"),
        marks(place),
    );
    overlay(root, options);
}

fn overlay(at: &Path, options: String) {
    let options = CString::new(options).expect("no NUL");
    rustix::mount::mount("overlay", at, "overlay", MountFlags::empty(), options.as_c_str())
        .expect("overlay mounts");
}
