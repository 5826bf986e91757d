//! wharf, as root and as an ordinary user, each with a store of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use super::{
    built::{self, Built},
    case::{Case, LAYOUT},
    registry, scratch,
};
use crate::{setup, stage};

/// wharf as one user runs it.
pub(crate) struct Wharf {
    program: PathBuf,
    home: PathBuf,
    base: PathBuf,
    user: Option<(u32, u32)>,
}

impl Wharf {
    /// Builds the program and the base image that all cases share; everything it keeps is below `scratch`.
    pub(crate) fn of_root(scratch: &Path) -> Result<Self, String> {
        let wharf = Self {
            program: build_program()?,
            home: scratch.join("home"),
            base: scratch.join("base"),
            user: None,
        };
        wharf.give(&wharf.home)?;
        stage::run(&mut wharf.base_command()?)?;
        Ok(wharf)
    }

    /// The same program and base, copied below `scratch`, which is where the test user can read.
    pub(crate) fn of_test_user(&self, scratch: &Path) -> Result<Self, String> {
        let user = setup::rootless()?;
        let program = scratch.join("wharf");
        copy(&self.program, &program)?;
        let base = scratch.join("base");
        copy(&self.base, &base)?;
        let wharf = Self {
            program,
            home: scratch.join("home"),
            base,
            user: Some(user),
        };
        wharf.give(&wharf.home)?;
        Ok(wharf)
    }

    /// Where the base image is.
    pub(crate) fn base(&self) -> &Path {
        &self.base
    }

    /// Makes a folder that this user can write to.
    pub(crate) fn give(&self, folder: &Path) -> Result<(), String> {
        match self.user {
            Some(user) => scratch::give(folder, user),
            None => scratch::make(folder),
        }
    }

    /// Builds `case` into the OCI layout `layout`; `more` flags are those of this build and not of the case.
    pub(crate) fn build(&self, case: &Case, layout: &Path, more: &[&str]) -> Built {
        let mut output = format!("--output=type=oci,tar=false,dest={}", layout.display());
        for attribute in &case.output {
            output.push(',');
            output.push_str(attribute);
        }
        let mut command = self.build_command(case);
        match &case.call {
            Some(call) => command.arg(format!("--call={call}")),
            None => command.arg(output).args(more),
        };
        built::run(&mut command, layout)
    }

    /// Builds the Dockerfile in `folder`, which is its context as well, pushes the image as `tag`, and says its digest.
    pub(crate) fn push(&self, folder: &Path, flags: &[String], tag: &str) -> Result<String, String> {
        let metadata = self.home.join("metadata");
        let mut command = self.command();
        command
            .args(["build", "--quiet", "--push", "--ca=none", "--tag", tag])
            .arg(format!("--metadata-file={}", metadata.display()))
            .arg(self.base_context())
            .args(flags)
            .arg(folder)
            .stdout(Stdio::null());
        stage::run(&mut command)?;
        registry::digest_in(&metadata)
    }

    /// What the linter finds in `case`.
    pub(crate) fn check(&self, case: &Case) -> Result<Value, String> {
        let mut command = self.build_command(case);
        let output = command
            .arg("--call=check,format=json")
            .output()
            .map_err(|error| format!("wharf: {error}"))?;
        serde_json::from_slice(&output.stdout).map_err(|_| built::messages(&output))
    }

    fn build_command(&self, case: &Case) -> Command {
        let mut command = self.command();
        command
            .args(["build", "--progress=plain", "--ca=none"])
            .arg(self.base_context());
        let base = self.base.display().to_string();
        command.args(case.flags.iter().map(|flag| flag.replace(LAYOUT, &base)));
        match &case.remote {
            Some(url) => command.arg(url),
            None => command
                .arg("--file")
                .arg(case.folder.join("Dockerfile"))
                .arg(&case.context),
        };
        command
    }

    fn base_context(&self) -> String {
        format!("--build-context=busybox=oci-layout://{}", self.base.display())
    }

    fn command(&self) -> Command {
        let mut command = match self.user {
            None => Command::new(&self.program),
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command
                    .args([format!("--reuid={user}"), format!("--regid={group}")])
                    .args(["--clear-groups", "--"])
                    .arg(&self.program);
                command
            }
        };
        command
            .env("HOME", &self.home)
            .env("WHARF_STORE", self.home.join("store"))
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("SOURCE_DATE_EPOCH");
        command
    }

    fn base_command(&self) -> Result<Command, String> {
        let context = self.home.join("base");
        scratch::make(&context)?;
        fs::copy("/usr/bin/busybox", context.join("busybox")).map_err(|error| format!("busybox: {error}"))?;
        let mut command = self.command();
        command
            .args([
                "build",
                "--quiet",
                "--file=tests/conformance/base.Dockerfile",
                "--tag=busybox",
            ])
            .arg(format!(
                "--output=type=oci,tar=false,dest={}",
                self.base.display()
            ))
            .arg(context);
        Ok(command)
    }
}

/// Copies a file or a folder as it is.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), String> {
    stage::run(
        Command::new("cp")
            .args(["--recursive", "--preserve=mode,timestamps,links", "--"])
            .args([from, to]),
    )
}

/// Builds wharf as the tests do, and says where the program is.
fn build_program() -> Result<PathBuf, String> {
    let mut command = stage::cargo(&["build", "--quiet", "--package=wharf", "--message-format=json"]);
    let output = command.output().map_err(|error| format!("cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("wharf does not build:\n{}", built::messages(&output)));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .ok_or_else(|| "cargo names no program".to_owned())
}
