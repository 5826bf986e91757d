//! Running a case as somebody else.

use std::{fs, path::PathBuf, process::Command, sync::OnceLock};

use libtest_mimic::Failed;

use crate::{process, rig::Who};

/// The ordinary user of the tests.
const NAME: &str = "wharf-test";

/// Whether this process can play that part itself.
pub(crate) fn is_here(who: Who) -> bool {
    is_root() == (who == Who::Root)
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Starts this program as the ordinary user, for one case.
pub(crate) fn run_as_other(who: Who, case: &str) -> Result<(), Failed> {
    if who == Who::Root {
        wharf_testkit::skip("needs root");
        return Ok(());
    }
    let program = match prepared() {
        Ok(program) => program,
        Err(reason) => {
            wharf_testkit::skip(reason);
            return Ok(());
        }
    };
    let mut command = Command::new("setpriv");
    if case.ends_with(process::MASKED) {
        command = Command::new("unshare");
        command.args([
            "--mount",
            "sh",
            "-c",
            "mount -t tmpfs none /proc/acpi && exec setpriv \"$@\"",
            "sh",
        ]);
    }
    let output = command
        .args(["--reuid", NAME, "--regid", NAME, "--init-groups", "--"])
        .arg(program)
        .args(["--exact", case, "--nocapture"])
        .current_dir("/")
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if let Some(skipped) = said.lines().find(|line| line.starts_with("SKIPPED")) {
        eprintln!("{skipped}");
    }
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}{said}", String::from_utf8_lossy(&output.stdout)).into())
}

/// Makes the user and what it needs, once; gives the program where it can be read by it.
fn prepared() -> Result<&'static PathBuf, &'static str> {
    static PREPARED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PREPARED.get_or_init(prepare).as_ref().map_err(String::as_str)
}

/// Where the program lies for the other user.
fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("wharf-sandbox-{}", std::process::id()))
}

/// Removes that copy.
pub(crate) fn clean_up() {
    // There is none when no case needed it.
    let _ = fs::remove_dir_all(folder());
}

fn prepare() -> Result<PathBuf, String> {
    let known = fs::read_to_string("/etc/passwd")
        .unwrap_or_default()
        .contains(&format!("{NAME}:"));
    if !known {
        run("useradd", &["--no-create-home", "--shell", "/bin/sh", NAME])?;
    }
    let ranges = fs::read_to_string("/etc/subuid")
        .unwrap_or_default()
        .contains(&format!("{NAME}:"));
    if !ranges {
        run(
            "usermod",
            &[
                "--add-subuids",
                "300000-365535",
                "--add-subgids",
                "300000-365535",
                NAME,
            ],
        )?;
    }
    run("chmod", &["0666", "/dev/fuse"])?;
    let folder = folder();
    let program = folder.join("tests");
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let copied = fs::create_dir_all(&folder).and_then(|()| fs::copy(own, &program));
    copied.map_err(|error| error.to_string())?;
    run("chmod", &["-R", "0755", &folder.to_string_lossy()])?;
    Ok(program)
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let status = Command::new(program).args(arguments).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("{program} {arguments:?}: {other:?}")),
    }
}
