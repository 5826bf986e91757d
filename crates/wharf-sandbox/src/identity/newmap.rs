//! Writing the maps of a user namespace: through `newuidmap` and `newgidmap`, which may map subordinate ids, or by hand.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use super::{IdMap, IdRange};
use crate::IdentityError;

/// Who writes the maps of a user namespace.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mapper<'a> {
    /// Root, who may map what it has itself.
    Root,
    /// Programs that may map subordinate ids.
    Tools(&'a MapTools),
    /// The caller, who may map itself.
    Alone,
}

impl Mapper<'_> {
    /// Maps the user namespace of the process `pid`.
    pub(crate) fn write(self, pid: u32, map: &IdMap) -> Result<(), IdentityError> {
        match self {
            Mapper::Tools(tools) if map.span() > 1 => tools.write(pid, map),
            Mapper::Root => write_maps(pid, map),
            Mapper::Tools(_) | Mapper::Alone => write_single(pid, map),
        }
    }
}

/// The two programs of the package `uidmap`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MapTools {
    uids: PathBuf,
    gids: PathBuf,
}

impl MapTools {
    /// The first of each in these directories; none unless both are there.
    pub(crate) fn find(folders: &[PathBuf]) -> Option<Self> {
        Some(Self {
            uids: find(folders, "newuidmap")?,
            gids: find(folders, "newgidmap")?,
        })
    }

    /// Maps the user namespace of the process `pid`, both maps at the same time.
    pub(crate) fn write(&self, pid: u32, map: &IdMap) -> Result<(), IdentityError> {
        let start = |tool: &Path, ranges| {
            let started = command(tool, pid, ranges).spawn();
            started.map_err(|source| IdentityError::Run {
                tool: tool.to_owned(),
                source,
            })
        };
        let running = [start(&self.uids, &map.uids)?, start(&self.gids, &map.gids)?];
        let ended = running.map(std::process::Child::wait_with_output);
        for (output, tool) in ended.into_iter().zip([&self.uids, &self.gids]) {
            check(output, tool)?;
        }
        Ok(())
    }
}

/// The program of that name in the first directory that has it.
pub(crate) fn find(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    folders
        .iter()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

fn command(tool: &Path, pid: u32, ranges: &[IdRange]) -> Command {
    let mut command = Command::new(tool);
    command.arg(pid.to_string());
    for range in ranges {
        command.args([range.inside, range.outside, range.count].map(|number| number.to_string()));
    }
    command
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn check(output: io::Result<Output>, tool: &Path) -> Result<(), IdentityError> {
    let output = output.map_err(|source| IdentityError::Run {
        tool: tool.to_owned(),
        source,
    })?;
    if output.status.success() {
        return Ok(());
    }
    Err(IdentityError::Refused {
        tool: tool.to_owned(),
        message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// Maps the user namespace of the process `pid` to the caller alone, which needs no program.
fn write_single(pid: u32, map: &IdMap) -> Result<(), IdentityError> {
    // Without CAP_SETGID outside, groups may be mapped only by who gives up setgroups(2) (user_namespaces(7)).
    write_file(pid, "setgroups", "deny")?;
    write_maps(pid, map)
}

fn write_maps(pid: u32, map: &IdMap) -> Result<(), IdentityError> {
    let line = |range: &IdRange| format!("{} {} {}", range.inside, range.outside, range.count);
    let lines = |ranges: &[IdRange]| ranges.iter().map(line).collect::<Vec<_>>().join("\n");
    write_file(pid, "uid_map", &lines(&map.uids))?;
    write_file(pid, "gid_map", &lines(&map.gids))
}

fn write_file(pid: u32, name: &str, text: &str) -> Result<(), IdentityError> {
    let tool = PathBuf::from(format!("/proc/{pid}/{name}"));
    fs::write(&tool, text).map_err(|source| IdentityError::Run { tool, source })
}
