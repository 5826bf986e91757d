//! The peer: the current BuildKit, built from the module beside the results, its daemon on a socket of the benchmark's own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use super::measure::{run, ticks};

/// A running daemon. It ends when this is dropped.
pub(crate) struct BuildKit {
    daemon: Child,
    programs: PathBuf,
    socket: String,
}

impl BuildKit {
    /// Builds both programs, if that was not done yet, and starts the daemon with its root in `scratch`.
    pub(crate) fn start(scratch: &Path) -> Result<Self, String> {
        let programs = crate::buildkit::programs()?;
        let socket = format!("unix://{}", scratch.join("buildkit.sock").display());
        let root = scratch.join("buildkit");
        let daemon = Command::new(programs.join("buildkitd"))
            .arg("--root")
            .arg(&root)
            .args([
                "--addr",
                &socket,
                "--oci-worker=true",
                "--containerd-worker=false",
            ])
            .args([
                "--oci-worker-net=host",
                "--allow-insecure-entitlement=network.host",
            ])
            .stdout(Stdio::null())
            .stderr(fs::File::create(scratch.join("buildkitd.log")).map_err(|error| error.to_string())?)
            .spawn()
            .map_err(|error| format!("buildkitd: {error}"))?;
        let buildkit = Self {
            daemon,
            programs,
            socket,
        };
        buildkit.wait()?;
        Ok(buildkit)
    }

    fn wait(&self) -> Result<(), String> {
        for _ in 0..100 {
            if run(self.buildctl().args(["debug", "workers"])).is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
        Err("buildkitd does not answer".to_owned())
    }

    fn buildctl(&self) -> Command {
        let mut command = Command::new(self.programs.join("buildctl"));
        command.args(["--addr", &self.socket]);
        command
    }

    /// A build of the directory's Dockerfile, each base being the image of an OCI layout. As wharf does, it makes the image, layers
    /// compressed, and keeps it.
    pub(crate) fn build_image(&self, directory: &Path, bases: &[(&str, &Layout)]) -> Command {
        let mut command = self.build(directory, bases);
        command.args(["--output", "type=image"]);
        command
    }

    /// The same without an image: the result stays in the daemon's cache.
    pub(crate) fn build(&self, directory: &Path, bases: &[(&str, &Layout)]) -> Command {
        let mut command = self.buildctl();
        let directory = directory.display();
        command.args(["build", "--progress=plain", "--frontend=dockerfile.v0"]);
        command.arg(format!("--local=context={directory}"));
        command.arg(format!("--local=dockerfile={directory}"));
        for (name, layout) in bases {
            command.arg(format!("--oci-layout={name}={}", layout.path.display()));
            command.arg(format!(
                "--opt=context:{name}=oci-layout://{name}@{}",
                layout.digest
            ));
        }
        command
    }

    /// User and system time of the daemon and of the children that it waited for, so far.
    pub(crate) fn cpu(&self) -> Result<Duration, String> {
        // proc(5): utime, stime, cutime and cstime are fields 14 to 17.
        ticks(&self.daemon.id().to_string(), 11..15)
    }
}

impl Drop for BuildKit {
    fn drop(&mut self) {
        let _ = run(Command::new("kill").arg(self.daemon.id().to_string()));
        let _ = self.daemon.wait();
    }
}

/// An image as an OCI layout.
pub(crate) struct Layout {
    pub(crate) path: PathBuf,
    pub(crate) digest: String,
}

impl Layout {
    /// wharf's flag for it, as the base `name`.
    pub(crate) fn flag(&self, name: &str) -> String {
        format!("--build-context={name}=oci-layout://{}", self.path.display())
    }

    /// Reads the one manifest's digest.
    pub(crate) fn open(path: PathBuf) -> Result<Self, String> {
        let index = fs::read_to_string(path.join("index.json")).map_err(|error| error.to_string())?;
        let start = index.find("sha256:").ok_or("the layout's index names nothing")?;
        let digest = index[start..start + 71].to_owned();
        Ok(Self { path, digest })
    }
}
