//! What a case works with: a sandbox, a root with busybox in it, and ways to run something there.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicU32, Ordering},
};

use wharf_sandbox::{Entry, Exit, Identity, Io, Options, Root, Sandbox, SandboxError, Spec};
use wharf_testkit::Scratch;

const BUSYBOX: &str = "/bin/busybox";

/// As whom a case runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Root, without a user namespace.
    Root,
    /// A user with subordinate ids.
    User,
    /// A user with its own id only.
    Alone,
}

impl Who {
    pub(crate) const ALL: &[Who] = &[Who::Root, Who::User, Who::Alone];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Who::Root => "root",
            Who::User => "user",
            Who::Alone => "alone",
        }
    }
}

pub(crate) struct Rig {
    pub(crate) who: Who,
    pub(crate) sandbox: Sandbox,
    pub(crate) scratch: Scratch,
    uppers: AtomicU32,
}

/// What came of a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) exit: Exit,
    pub(crate) output: String,
}

impl Rig {
    /// A fresh one; or why this machine has none.
    pub(crate) fn new(who: Who) -> Result<Self, String> {
        let sandbox = Sandbox::new(Options {
            subordinate_ids: who != Who::Alone,
            ..Options::default()
        });
        if who == Who::User && !matches!(sandbox.identity(), Identity::Subordinate(_)) {
            return Err("this user has no subordinate ids".into());
        }
        let rig = Self {
            who,
            sandbox,
            scratch: Scratch::new(),
            uppers: AtomicU32::new(0),
        };
        make_root(&rig.root())
            .map_err(|error| format!("cannot make a root with {BUSYBOX} (busybox-static): {error}"))?;
        Ok(rig)
    }

    /// A root with busybox; to be read only.
    pub(crate) fn root(&self) -> PathBuf {
        self.scratch.join("root")
    }

    /// An overlay over the root, fresh.
    pub(crate) fn overlay(&self) -> Root {
        let (upper, work) = self.fresh_upper();
        Root::Overlay {
            lower: self.root(),
            upper,
            work,
        }
    }

    /// Empty directories for an overlay's upper and work.
    pub(crate) fn fresh_upper(&self) -> (PathBuf, PathBuf) {
        let folder = self
            .scratch
            .join(format!("over-{}", self.uppers.fetch_add(1, Ordering::Relaxed)));
        let (upper, work) = (folder.join("upper"), folder.join("work"));
        fs::create_dir_all(&upper)
            .and_then(|()| fs::create_dir(&work))
            .expect("the scratch directory is writable");
        fs::set_permissions(&upper, fs::Permissions::from_mode(0o755)).expect("the directory is ours");
        (upper, work)
    }

    /// A specification for a program and its arguments.
    pub(crate) fn spec(&self, argv: &[&str]) -> Spec {
        let mut spec = Spec::new(self.overlay(), argv.iter().map(Into::into).collect());
        spec.env = vec!["PATH=/usr/bin:/bin".into()];
        spec
    }

    /// A specification for a shell script.
    pub(crate) fn script(&self, script: &str) -> Spec {
        self.spec(&["sh", "-c", script])
    }

    /// Runs to the end; both outputs together.
    pub(crate) fn run(&self, spec: &Spec) -> Outcome {
        self.try_run(spec).expect("the sandbox starts")
    }

    pub(crate) fn try_run(&self, spec: &Spec) -> Result<Outcome, SandboxError> {
        let (mut reader, writer) = io::pipe().expect("a pipe can be had");
        let running = self.sandbox.start(
            spec,
            Io::output_to(writer.into()).expect("/dev/null can be opened"),
        )?;
        let mut output = Vec::new();
        reader.read_to_end(&mut output).expect("a pipe can be read");
        let exit = running.wait()?;
        let output = String::from_utf8_lossy(&output).into_owned();
        Ok(Outcome { exit, output })
    }

    /// Runs a script that must succeed; its output.
    pub(crate) fn sh(&self, script: &str) -> String {
        let outcome = self.run(&self.script(script));
        assert_eq!(outcome.exit, Exit::Code(0), "{script}: {}", outcome.output);
        outcome.output
    }
}

/// Directories that overlays left can be removed by root of the user namespace only.
impl Drop for Rig {
    fn drop(&mut self) {
        if self.who != Who::Root {
            let path = self.scratch.path().to_string_lossy().into_owned();
            // What stays is in the temporary directory.
            let _ = self.sandbox.inside(REMOVE.name, path.as_bytes());
        }
    }
}

/// Empties a directory, as root of the user namespace.
pub(crate) const REMOVE: Entry = Entry {
    name: "remove",
    run: remove,
};

fn remove(input: &mut dyn Read, _: &mut dyn Write) -> ExitCode {
    let mut path = String::new();
    let entries = input.read_to_string(&mut path).and_then(|_| fs::read_dir(&path));
    let removed =
        entries.and_then(|mut entries| entries.try_for_each(|entry| fs::remove_dir_all(entry?.path())));
    if removed.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Directories, mount points and busybox under its names.
fn make_root(root: &Path) -> io::Result<()> {
    for folder in [
        "bin",
        "dev",
        "proc",
        "sys",
        "etc",
        "tmp",
        "run/wharf/ca",
        "mnt/dir",
        "root",
    ] {
        fs::create_dir_all(root.join(folder))?;
    }
    for file in ["etc/resolv.conf", "etc/hosts", "mnt/file", "mnt/socket"] {
        fs::write(root.join(file), "")?;
    }
    symlink("/etc/hosts", root.join("mnt/link"))?;
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    fs::set_permissions(root, fs::Permissions::from_mode(0o755))?;
    fs::copy(BUSYBOX, root.join("bin/busybox"))?;
    let list = std::process::Command::new(BUSYBOX).arg("--list").output()?;
    for name in String::from_utf8_lossy(&list.stdout)
        .lines()
        .filter(|name| *name != "busybox")
    {
        symlink("busybox", root.join("bin").join(name))?;
    }
    Ok(())
}
