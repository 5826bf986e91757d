//! The two builders side by side, on one base image, and how a case's flags are said to each.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::{case::Case, image};
use crate::{buildkit::Daemon, stage};

/// What one builder made of a case: its messages, and where the image is when it made one.
pub(crate) struct Built {
    /// Everything it said on standard error.
    pub(crate) messages: String,
    /// The OCI layout.
    pub(crate) layout: Option<PathBuf>,
}

/// wharf and the reference.
pub(crate) struct Peers {
    wharf: PathBuf,
    home: PathBuf,
    base: PathBuf,
    base_digest: String,
    daemon: Daemon,
}

impl Peers {
    /// Builds wharf and the base, and starts the reference; everything they keep is below `scratch`.
    pub(crate) fn start(scratch: &Path) -> Result<Self, String> {
        let wharf = build_wharf()?;
        let home = scratch.join("home");
        let state = scratch.join("buildkit");
        for folder in [&home, &state] {
            fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        }
        let base = scratch.join("base");
        stage::run(&mut base_command(&wharf, &home, &base)?)?;
        Ok(Self {
            base_digest: image::manifest_digest(&base)?,
            daemon: Daemon::start(&state)?,
            wharf,
            home,
            base,
        })
    }

    /// Builds `case` with wharf into `layout`.
    pub(crate) fn wharf(&self, case: &Case, layout: &Path) -> Built {
        let mut command = command(&self.wharf, &self.home);
        command
            .args(["build", "--progress=plain", "--ca=none", "--file"])
            .arg(case.folder.join("Dockerfile"))
            .arg(format!(
                "--build-context=busybox=oci-layout://{}",
                self.base.display()
            ))
            .arg(format!("--output=type=oci,tar=false,dest={}", layout.display()))
            .args(&case.flags)
            .arg(&case.context);
        built(&mut command, layout)
    }

    /// Builds `case` with the reference into `layout`.
    pub(crate) fn reference(&self, case: &Case, layout: &Path) -> Built {
        let mut command = self.daemon.build();
        command
            .args(["--local", &format!("context={}", case.context.display())])
            .args(["--local", &format!("dockerfile={}", case.folder.display())])
            .args(["--oci-layout", &format!("base={}", self.base.display())])
            .args([
                "--opt",
                &format!("context:busybox=oci-layout://base@{}", self.base_digest),
            ])
            .args([
                "--output",
                &format!("type=oci,tar=false,dest={}", layout.display()),
            ])
            .args(case.flags.iter().flat_map(|flag| translate(flag)));
        built(&mut command, layout)
    }
}

/// A flag of `wharf build`, as the reference's client takes it.
fn translate(flag: &str) -> Vec<String> {
    let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
    let option = |text: String| vec!["--opt".to_owned(), text];
    match name {
        "--build-arg" | "--label" => option(format!("{}:{value}", &name[2..])),
        "--target" | "--platform" | "--shm-size" | "--ulimit" => option(format!("{}={value}", &name[2..])),
        "--network" => option(format!("force-network-mode={value}")),
        "--add-host" => option(format!("add-hosts={}", value.replacen(':', "=", 1))),
        "--build-context" => named_context(value),
        _ => vec![flag.to_owned()],
    }
}

fn named_context(value: &str) -> Vec<String> {
    let (name, place) = value.split_once('=').unwrap_or((value, ""));
    let option = |place: &str| vec!["--opt".to_owned(), format!("context:{name}={place}")];
    if place.contains("://") {
        return option(place);
    }
    let mut args = option(&format!("local:{name}"));
    args.extend(["--local".to_owned(), value.to_owned()]);
    args
}

fn built(command: &mut Command, layout: &Path) -> Built {
    let output = command.output();
    let done = output.as_ref().is_ok_and(|output| output.status.success());
    Built {
        messages: output.map_or_else(|error| error.to_string(), |output| messages(&output)),
        layout: done.then(|| layout.to_owned()),
    }
}

fn messages(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn command(wharf: &Path, home: &Path) -> Command {
    let mut command = Command::new(wharf);
    command
        .env("HOME", home)
        .env("WHARF_STORE", home.join("store"))
        .env_remove("XDG_CONFIG_HOME");
    command
}

fn base_command(wharf: &Path, home: &Path, base: &Path) -> Result<Command, String> {
    let context = home.join("base");
    fs::create_dir_all(&context).map_err(|error| error.to_string())?;
    fs::copy("/usr/bin/busybox", context.join("busybox")).map_err(|error| format!("busybox: {error}"))?;
    let mut command = command(wharf, home);
    command
        .args([
            "build",
            "--quiet",
            "--file=tests/conformance/base.Dockerfile",
            "--tag=busybox",
        ])
        .arg(format!("--output=type=oci,tar=false,dest={}", base.display()))
        .arg(context);
    Ok(command)
}

/// Builds wharf as the tests do, and says where the program is.
fn build_wharf() -> Result<PathBuf, String> {
    let mut command = stage::cargo(&["build", "--quiet", "--package=wharf", "--message-format=json"]);
    let output = command.output().map_err(|error| format!("cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("wharf does not build:\n{}", messages(&output)));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .ok_or_else(|| "cargo names no program".to_owned())
}
