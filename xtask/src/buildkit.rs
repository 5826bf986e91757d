//! The reference builder: BuildKit's daemon and clients, built from the module in `bench/buildkit`, and one daemon at work.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{go, stage};

/// Names the version, with the digests of everything it is made of beside it.
const MODULE: &str = "bench/buildkit";

/// Kept between runs: the build takes minutes.
const PROGRAMS: &str = "target/buildkit";

const PROGRAMS_IN_IT: [&str; 3] = ["buildkitd", "buildctl", "lint"];

/// How long a daemon may take to answer; a busy machine needs some seconds.
const START: Duration = Duration::from_mins(1);

/// A daemon with a state and a socket of its own, ended when dropped.
pub(crate) struct Daemon {
    process: Child,
    programs: PathBuf,
    address: String,
}

impl Daemon {
    /// Starts one that keeps its state in `folder`; its programs are built first if need be.
    pub(crate) fn start(folder: &Path) -> Result<Self, String> {
        let programs = programs()?;
        let socket = folder.join("socket");
        let address = format!("unix://{}", socket.display());
        let log = fs::File::create(folder.join("log")).map_err(|error| error.to_string())?;
        let process = daemon(&programs, folder, &address)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("buildkitd: {error}"))?;
        let mut daemon = Self {
            process,
            programs,
            address,
        };
        daemon.wait_for(&socket)?;
        Ok(daemon)
    }

    /// A build by its built-in Dockerfile frontend; what to build is for the caller to add.
    pub(crate) fn build(&self) -> Command {
        let mut command = Command::new(self.programs.join("buildctl"));
        command.args(["--addr", &self.address, "build", "--progress=plain"]);
        command.args(["--frontend", "dockerfile.v0"]);
        command
    }

    /// What its linter finds, as JSON; what to check is for the caller to add.
    pub(crate) fn lint(&self) -> Command {
        let mut command = Command::new(self.programs.join("lint"));
        command.args(["--addr", &self.address]);
        command
    }

    fn wait_for(&mut self, socket: &Path) -> Result<(), String> {
        let start = Instant::now();
        while UnixStream::connect(socket).is_err() {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(format!("buildkitd ended with {status}, see {}", beside(socket)));
            }
            if start.elapsed() > START {
                return Err(format!("buildkitd does not answer, see {}", beside(socket)));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // SIGTERM lets it unmount what it has mounted.
        let ended = Command::new("kill").arg(self.process.id().to_string()).status();
        if !ended.is_ok_and(|status| status.success()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

fn daemon(programs: &Path, folder: &Path, address: &str) -> Command {
    let mut command = Command::new(programs.join("buildkitd"));
    command
        .args(["--addr", address, "--root"])
        .arg(folder.join("root"))
        .args(["--containerd-worker=false", "--oci-worker-binary=runc"])
        .args(["--allow-insecure-entitlement", "network.host"])
        .args(["--allow-insecure-entitlement", "security.insecure"])
        .stdout(Stdio::null());
    command
}

fn beside(socket: &Path) -> String {
    socket.with_file_name("log").display().to_string()
}

/// Builds the programs when the module is younger than they are, and says where they are.
pub(crate) fn programs() -> Result<PathBuf, String> {
    let programs = std::path::absolute(PROGRAMS).map_err(|error| error.to_string())?;
    if PROGRAMS_IN_IT.iter().all(|name| is_current(&programs.join(name))) {
        return Ok(programs);
    }
    println!("building BuildKit: minutes, once");
    fs::create_dir_all(&programs).map_err(|error| error.to_string())?;
    stage::run(
        Command::new(go::program()?)
            .args(["build", "-trimpath", "-o"])
            .arg(&programs)
            .args([
                "github.com/moby/buildkit/cmd/buildkitd",
                "github.com/moby/buildkit/cmd/buildctl",
                "./lint",
            ])
            .current_dir(MODULE)
            .env("CGO_ENABLED", "0")
            .env("GOTOOLCHAIN", "local")
            .env_remove("GOROOT"),
    )?;
    Ok(programs)
}

fn is_current(program: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|info| info.modified());
    match (modified(program), modified(&Path::new(MODULE).join("go.mod"))) {
        (Ok(program), Ok(module)) => program > module,
        _ => false,
    }
}
