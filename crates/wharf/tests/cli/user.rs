//! Tests as an ordinary user: one with subordinate ids, and one with nothing but a number.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{busybox, outcome::Outcome};

/// The ordinary user with subordinate ids; made when it is missing.
const NAME: &str = "wharf-test";

/// A user id that no account and no range of subordinate ids belongs to.
const STRANGER: u32 = 54_321;

/// Somebody else than root.
#[derive(Debug, Clone)]
pub(crate) struct User {
    uid: u32,
    gid: u32,
    program: PathBuf,
}

impl User {
    /// The user with subordinate ids, or that the test is skipped.
    pub(crate) fn with_subordinate_ids() -> Option<Self> {
        static PREPARED: OnceLock<Result<(u32, u32), String>> = OnceLock::new();
        let ids = prepared(&PREPARED, || {
            make_account()?;
            account().ok_or_else(|| format!("{NAME} is not in /etc/passwd"))
        })?;
        Self::new(ids)
    }

    /// The user with one id only, or that the test is skipped.
    pub(crate) fn with_one_id() -> Option<Self> {
        static PREPARED: OnceLock<Result<(u32, u32), String>> = OnceLock::new();
        Self::new(prepared(&PREPARED, || Ok((STRANGER, STRANGER)))?)
    }

    /// A user of one test alone, by whose number its FUSE connections are told from those of all others; or that the test is skipped.
    pub(crate) fn of_one_test() -> Option<Self> {
        static PREPARED: OnceLock<Result<(u32, u32), String>> = OnceLock::new();
        Self::new(prepared(&PREPARED, || Ok((STRANGER + 1, STRANGER + 1)))?)
    }

    /// The user's number.
    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    fn new((uid, gid): (u32, u32)) -> Option<Self> {
        static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let program = prepared(&PROGRAM, copy_program)?;
        Some(Self { uid, gid, program })
    }

    /// The binary as this user runs it.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", &self.uid.to_string(), "--regid", &self.gid.to_string()])
            .args(["--clear-groups", "--"])
            .arg(&self.program);
        command
    }

    /// Gives `path` and what is below to this user.
    pub(crate) fn own(&self, path: &Path) {
        chown(path, Some(self.uid), Some(self.gid)).expect("root gives files away");
        if path.is_dir() {
            for entry in fs::read_dir(path).expect("the directory is readable").flatten() {
                self.own(&entry.path());
            }
        }
    }
}

fn prepared<T: Clone>(cell: &OnceLock<Result<T, String>>, make: impl Fn() -> Result<T, String>) -> Option<T> {
    let made = cell.get_or_init(|| {
        if !Path::new("/usr/bin/setpriv").exists() || !is_root() {
            return Err("only root, with setpriv, can play an ordinary user".to_owned());
        }
        make()
    });
    match made {
        Ok(made) => Some(made.clone()),
        Err(reason) => {
            wharf_testkit::skip(reason);
            None
        }
    }
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn make_account() -> Result<(), String> {
    if account().is_none() {
        run("useradd", &["--no-create-home", "--shell", "/bin/sh", NAME])?;
    }
    let ranges = fs::read_to_string("/etc/subuid").unwrap_or_default();
    if !ranges.contains(&format!("{NAME}:")) {
        let range = "300000-365535";
        run("usermod", &["--add-subuids", range, "--add-subgids", range, NAME])?;
    }
    run("chmod", &["0666", "/dev/fuse"])
}

/// User and group id of the account, if there is one.
fn account() -> Option<(u32, u32)> {
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    let line = accounts
        .lines()
        .find(|line| line.starts_with(&format!("{NAME}:")))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// The target directory may be closed to others, so the binary is copied to where it is not.
fn copy_program() -> Result<PathBuf, String> {
    let program = busybox::shared().join("wharf");
    fs::copy(env!("CARGO_BIN_EXE_wharf"), &program)
        .and_then(|_| fs::set_permissions(&program, fs::Permissions::from_mode(0o755)))
        .map_err(|error| error.to_string())?;
    Ok(program)
}

fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let outcome = Outcome::of(Command::new(program).args(args));
    if outcome.code == 0 {
        return Ok(());
    }
    Err(format!("{program} {args:?}: {}", outcome.stderr))
}
