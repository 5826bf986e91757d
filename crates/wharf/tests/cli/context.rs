//! One test's world: a project, a store and a home of its own, and the binary in an environment that holds nothing else.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use wharf_testkit::Scratch;

use crate::{busybox, outcome::Outcome, user::User};

/// A project directory, a store and a home, all removed at the end.
pub(crate) struct TestContext {
    scratch: Scratch,
    user: Option<User>,
}

impl TestContext {
    /// For the user who runs the tests.
    pub(crate) fn new() -> Self {
        Self::of(None)
    }

    /// For another user, who owns everything in it.
    pub(crate) fn of(user: Option<User>) -> Self {
        let scratch = Scratch::new();
        // The directory is for its owner only, and another user must get through.
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let context = Self { scratch, user };
        for name in ["home", "project", "out"] {
            fs::create_dir(context.scratch.join(name)).expect("the scratch directory is empty");
        }
        if let Some(user) = &context.user {
            user.own(context.scratch.path());
        }
        context
    }

    /// A path in the project.
    pub(crate) fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.scratch.join("project").join(below)
    }

    /// A path outside of the project, for outputs.
    pub(crate) fn out(&self, below: impl AsRef<Path>) -> PathBuf {
        self.scratch.join("out").join(below)
    }

    /// Where the store is.
    pub(crate) fn store(&self) -> PathBuf {
        self.scratch.join("store")
    }

    /// Writes a file of the project. A text that begins with an empty line is moved to the left margin first.
    pub(crate) fn write(&self, below: impl AsRef<Path>, text: &str) -> PathBuf {
        self.scratch.write(Path::new("project").join(below), dedent(text))
    }

    /// The binary, at home in the project, with nothing of the caller's environment but `PATH`.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = match &self.user {
            None => Command::new(env!("CARGO_BIN_EXE_wharf")),
            Some(user) => user.command(),
        };
        let home = self.scratch.join("home");
        command
            .args(args)
            .current_dir(self.path(""))
            .stdin(Stdio::null())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_DATA_HOME", home.join("data"))
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("WHARF_STORE", self.store());
        command
    }

    /// Gives the project to the test's user, who is not the one that wrote it.
    pub(crate) fn own_project(&self) {
        if let Some(user) = &self.user {
            user.own(&self.path(""));
            user.own(&self.scratch.join("out"));
        }
    }

    /// Runs the binary to its end.
    pub(crate) fn wharf<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Outcome {
        Outcome::of(&mut self.command(args))
    }

    /// The arguments of a build of the project on which `FROM busybox` works.
    pub(crate) fn build_args(&self, args: &[&str]) -> Option<Vec<String>> {
        let base = format!("busybox=oci-layout://{}", busybox::layout()?.display());
        let fixed = ["build", "--progress=plain", "--build-context", &base];
        Some(
            fixed
                .iter()
                .chain(args)
                .chain(&["."])
                .map(|arg| (*arg).to_owned())
                .collect(),
        )
    }

    /// Writes the Dockerfile and builds it, on a machine where steps can run; `None` says that the test was skipped.
    pub(crate) fn build(&self, dockerfile: &str, args: &[&str]) -> Option<Outcome> {
        self.write("Dockerfile", dockerfile);
        Some(self.wharf(self.build_args(args)?))
    }

    /// A text file of an image of the store.
    pub(crate) fn file(&self, image: &str, path: &str) -> String {
        self.wharf(["run", image, "cat", &format!("/{path}")])
            .success()
            .stdout
    }

    /// The configuration of an image of the store.
    pub(crate) fn inspect(&self, name: &str, pointer: &str) -> String {
        let shown = self.wharf(["inspect", name]).success().json();
        let value = shown.pointer(pointer).cloned().unwrap_or_default();
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    }
}

/// Moves a text that begins with an empty line to the left by the indentation of its first line.
fn dedent(text: &str) -> String {
    let Some(body) = text.strip_prefix('\n') else {
        return text.to_owned();
    };
    let body = body.trim_end_matches(' ');
    let depth = body.len() - body.trim_start_matches(' ').len();
    let lines = body.split_inclusive('\n').map(|line| {
        let spaces = line.len() - line.trim_start_matches(' ').len();
        &line[spaces.min(depth)..]
    });
    lines.collect()
}

/// Every file below a directory, which may not be there, in order.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
        .into_iter()
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

/// The names in a directory, sorted.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| {
            entry
                .expect("a directory entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

/// The command, started by another program: arguments before it are that program's.
pub(crate) fn started_by(outer: &[&str], command: &Command) -> Command {
    let mut wrapped = Command::new(outer[0]);
    wrapped
        .args(&outer[1..])
        .arg(command.get_program())
        .args(command.get_args());
    wrapped.env_clear();
    wrapped.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    if let Some(directory) = command.get_current_dir() {
        wrapped.current_dir(directory);
    }
    wrapped.stdin(Stdio::null());
    wrapped
}
