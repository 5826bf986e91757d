//! What is to be run, in which root, with what around it: data, complete, checked by nobody but the kernel.

mod content;
mod emulator;
mod limits;
mod mount;
mod network;
pub(crate) mod raw;
mod root;
mod terminal;

pub use content::Content;
pub use emulator::Emulator;
pub use limits::{Limits, Resource, Ulimit};
pub use mount::{Mount, SyntheticFile};
pub use network::{Network, Private, Publish};
pub use root::{Large, Root};
pub use terminal::TerminalSize;

use std::{ffi::OsString, fs::File, io, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{caps::Capabilities, seccomp::Seccomp};

/// One process and its surroundings. [`Spec::new`] gives Docker's defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The root file system.
    pub root: Root,
    /// Exec form: the program and its arguments. A program without a slash is searched in `PATH` *inside* the root.
    #[serde(with = "raw::list")]
    pub argv: Vec<OsString>,
    /// The whole environment, `NAME=value`; nothing of the caller's is added.
    #[serde(with = "raw::list")]
    pub env: Vec<OsString>,
    /// The working directory, absolute, in the root; it must exist.
    #[serde(with = "raw")]
    pub cwd: PathBuf,
    /// The user, as a number inside.
    pub uid: u32,
    /// The group, as a number inside.
    pub gid: u32,
    /// Supplementary groups, as numbers inside.
    pub groups: Vec<u32>,
    /// What `hostname` says.
    pub hostname: String,
    /// Mounted in this order, after /proc, /dev and /sys. Their targets must exist in the root.
    pub mounts: Vec<Mount>,
    /// The network that the process sees.
    pub network: Network,
    /// The bounding set, and, for uid 0, what is permitted and effective.
    pub capabilities: Capabilities,
    /// Whether a process of another user than uid 0 has them as well.
    pub ambient: bool,
    /// Whether device files of the root and of what is bound into it can be opened, those that the process makes too. Without, only
    /// the devices of /dev can, whoever may make others: what Docker does with its device cgroup.
    pub devices: bool,
    /// The system calls that the process may make.
    pub seccomp: Seccomp,
    /// Paths hidden by `/dev/null` or an empty directory; those that do not exist are passed over.
    #[serde(with = "raw::list")]
    pub masked_paths: Vec<PathBuf>,
    /// Paths made read-only; those that do not exist are passed over.
    #[serde(with = "raw::list")]
    pub readonly_paths: Vec<PathBuf>,
    /// Size of `/dev/shm` in bytes.
    pub shm_size: u64,
    /// Resource limits (`--ulimit`).
    pub ulimits: Vec<Ulimit>,
    /// Limits on memory, processors and processes, where a cgroup can be had.
    pub limits: Limits,
    /// Run the programs of other processors, for this process and those that have the same ones. They need a user namespace other than
    /// that of processes without: what is registered in it is all that counts there, the machine's own emulators not.
    pub emulators: Vec<Emulator>,
    /// Of this size is the terminal that the process gets instead of the streams of [`Io`](crate::Io).
    pub tty: Option<TerminalSize>,
}

/// Docker's: what /proc and /sys tell of the machine and not of the container (moby `daemon/pkg/oci/defaults.go`).
const MASKED: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// Docker's: what of /proc would change the machine.
const READ_ONLY: &[&str] = &[
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// Docker's default of `--shm-size`: 64 MiB.
const SHM_SIZE: u64 = 64 << 20;

impl Spec {
    /// `argv` in `root` as Docker would run it: uid 0, default capabilities and seccomp profile, host network, no terminal, an empty
    /// environment, working directory `/`.
    pub fn new(root: Root, argv: Vec<OsString>) -> Self {
        Self {
            root,
            argv,
            env: Vec::new(),
            cwd: "/".into(),
            uid: 0,
            gid: 0,
            groups: Vec::new(),
            hostname: "wharf".into(),
            mounts: Vec::new(),
            network: Network::Host,
            capabilities: Capabilities::docker(),
            ambient: false,
            devices: false,
            seccomp: Seccomp::Default,
            masked_paths: MASKED.iter().map(PathBuf::from).collect(),
            readonly_paths: READ_ONLY.iter().map(PathBuf::from).collect(),
            shm_size: SHM_SIZE,
            ulimits: Vec::new(),
            limits: Limits::default(),
            emulators: Vec::new(),
            tty: None,
        }
    }

    /// Takes away what protects the machine, as `RUN --security=insecure` asks: all capabilities and devices whoever the user is, no seccomp,
    /// nothing masked.
    pub fn insecure(&mut self) {
        self.capabilities = Capabilities::all();
        self.ambient = true;
        self.devices = true;
        self.seccomp = Seccomp::Unconfined;
        self.masked_paths.clear();
        self.readonly_paths.clear();
    }

    /// Puts large contents into `beside`, the beginning of the file that the order with this specification will come in.
    pub(crate) fn lay_contents_beside(&mut self, beside: &mut File) -> io::Result<()> {
        let files = self.mounts.iter_mut().flat_map(|mount| match mount {
            Mount::File { file, .. } => std::slice::from_mut(file),
            Mount::Directory { files, .. } => files.as_mut_slice(),
            _ => &mut [],
        });
        for file in files {
            file.content.lay_beside(beside)?;
        }
        Ok(())
    }
}
