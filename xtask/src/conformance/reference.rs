//! The reference builder, and how a case's flags are said to it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    built::{self, Built},
    case::{Case, LAYOUT},
    image,
};
use crate::buildkit::Daemon;

/// BuildKit at work, with the base image that all cases share.
pub(crate) struct Reference {
    base: PathBuf,
    base_digest: String,
    daemon: Daemon,
}

impl Reference {
    /// Starts it with its state below `scratch`.
    pub(crate) fn start(scratch: &Path, base: &Path) -> Result<Self, String> {
        let state = scratch.join("buildkit");
        fs::create_dir_all(&state).map_err(|error| error.to_string())?;
        let reference = Self {
            base_digest: image::manifest_digest(base)?,
            base: base.to_owned(),
            daemon: Daemon::start(&state)?,
        };
        reference.load_base(scratch)?;
        Ok(reference)
    }

    /// Lets the daemon fetch the base once. It fetches it for several builds at once through the client of the first, and fails
    /// them all when that one is done before.
    fn load_base(&self, scratch: &Path) -> Result<(), String> {
        let folder = scratch.join("first");
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        fs::write(folder.join("Dockerfile"), "FROM busybox\nRUN true\n")
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        let built = self.build(&Case::of_folder(&folder), &folder.join("layout"));
        match built.layout {
            Some(_) => Ok(()),
            None => Err(format!(
                "the reference builder does not build at all:\n{}",
                built.messages
            )),
        }
    }

    /// Builds `case` into the OCI layout `layout`.
    pub(crate) fn build(&self, case: &Case, layout: &Path) -> Built {
        let mut command = self.daemon.build();
        command.args(self.inputs(case));
        if let Some(call) = &case.call {
            command.args(["--opt", &format!("requestid=frontend.{call}")]);
            return built::run(&mut command, layout);
        }
        let mut output = format!("type=oci,tar=false,dest={}", layout.display());
        for attribute in &case.output {
            output.push(',');
            output.push_str(attribute);
        }
        command.args(["--output", &output]);
        built::run(&mut command, layout)
    }

    /// What its linter finds in `case`: the JSON of `--call=check,format=json`.
    pub(crate) fn check(&self, case: &Case) -> Result<Value, String> {
        let mut command = self.daemon.lint();
        let known = |pair: &&[String]| matches!(&pair[0][..], "--opt" | "--local" | "--oci-layout");
        let args = self.inputs(case);
        command.args(args.chunks_exact(2).filter(known).flatten());
        let output = command.output().map_err(|error| format!("lint: {error}"))?;
        serde_json::from_slice(&output.stdout).map_err(|_| built::messages(&output))
    }

    /// The flags that say what to build.
    fn inputs(&self, case: &Case) -> Vec<String> {
        let pair = |flag: &str, value: String| [flag.to_owned(), value];
        let layout = format!("base@{}", self.base_digest);
        let mut fixed = vec![
            pair("--oci-layout", format!("base={}", self.base.display())),
            pair("--opt", format!("context:busybox=oci-layout://{layout}")),
        ];
        match &case.remote {
            Some(url) => fixed.push(pair("--opt", format!("context={url}"))),
            None => fixed.extend([
                pair("--local", format!("context={}", case.context.display())),
                pair("--local", format!("dockerfile={}", case.folder.display())),
            ]),
        }
        let flags = case
            .flags
            .iter()
            .flat_map(|flag| translate(&flag.replace(LAYOUT, &layout)));
        fixed.into_iter().flatten().chain(flags).collect()
    }
}

/// A flag of `wharf build`, as the reference's client takes it.
fn translate(flag: &str) -> Vec<String> {
    let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
    let option = |text: String| vec!["--opt".to_owned(), text];
    match name {
        "--build-arg" | "--label" => option(format!("{}:{value}", &name[2..])),
        "--target" | "--platform" | "--shm-size" | "--ulimit" => option(format!("{}={value}", &name[2..])),
        "--file" => option(format!("filename={value}")),
        "--network" => option(format!("force-network-mode={value}")),
        "--add-host" => option(format!("add-hosts={}", value.replacen(':', "=", 1))),
        "--build-context" => named_context(value),
        _ => vec![name.to_owned(), value.to_owned()],
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
