//! Limits by cgroup v2 (Documentation/admin-guide/cgroup-v2.rst), where a cgroup was delegated to the caller.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::Limits;

/// Why there is no cgroup to be had.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// The machine has the old hierarchies only, or none.
    #[error("no cgroup v2 hierarchy at /sys/fs/cgroup")]
    NoHierarchy,
    /// A cgroup cannot be made below the caller's.
    #[error("cannot make a cgroup in {path}: {source}")]
    NotDelegated {
        /// The caller's cgroup.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A limit cannot be set: its controller is not handed down.
    #[error("cannot set {setting}: {source}")]
    Setting {
        /// The file.
        setting: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// A cgroup for one sandbox; removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Cgroup(PathBuf);

/// The caller's cgroup, if others can be made in it.
pub(crate) fn delegated() -> Result<PathBuf, CgroupError> {
    Cgroup::make().map(|made| made.0.parent().map(Path::to_owned).unwrap_or_default())
}

impl Cgroup {
    /// A cgroup with these limits; none when there are no limits.
    pub(crate) fn wanted(limits: &Limits) -> Result<Option<Self>, CgroupError> {
        if *limits == Limits::default() {
            Ok(None)
        } else {
            Self::with(limits).map(Some)
        }
    }

    fn with(limits: &Limits) -> Result<Self, CgroupError> {
        let made = Self::make()?;
        // Per 100 ms, the kernel's default period.
        let cpu = limits.cpu_millis.map(|millis| format!("{} 100000", millis * 100));
        let settings = [
            ("memory.max", limits.memory.map(|bytes| bytes.to_string())),
            ("cpu.max", cpu),
            ("pids.max", limits.processes.map(|count| count.to_string())),
        ];
        for (setting, value) in settings {
            let Some(value) = value else { continue };
            fs::write(made.0.join(setting), value)
                .map_err(|source| CgroupError::Setting { setting, source })?;
        }
        Ok(made)
    }

    /// Puts a process into it; what that starts is there too.
    pub(crate) fn add(&self, pid: u32) -> Result<(), CgroupError> {
        let setting = "cgroup.procs";
        fs::write(self.0.join(setting), pid.to_string())
            .map_err(|source| CgroupError::Setting { setting, source })
    }

    fn make() -> Result<Self, CgroupError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = own().ok_or(CgroupError::NoHierarchy)?;
        let name = format!(
            "wharf-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let folder = path.join(name);
        fs::create_dir(&folder).map_err(|source| CgroupError::NotDelegated { path, source })?;
        Ok(Self(folder))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Empty since the sandbox is gone; one that is not stays as an empty name.
        let _ = fs::remove_dir(&self.0);
    }
}

/// The caller's own cgroup in the unified hierarchy.
fn own() -> Option<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    root.join("cgroup.controllers").exists().then_some(())?;
    let table = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = table.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(root.join(path.trim_start_matches('/')))
}
