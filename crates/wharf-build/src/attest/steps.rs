//! The steps of a target as provenance lists them: in the form of BuildKit's operations, so that whoever reads those reads these.
//!
//! BuildKit's `solver/pb/ops.proto` in its JSON form.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use wharf_graph::{
    ContextName, CopyOp, CopySource, Mount, NetworkMode, Op, RunOp, SecurityMode, Sharing, Source, Step,
    StepId, Target,
};
use wharf_oci::{Digest, Platform};

use super::{Attester, redact::redacted};
use crate::image::{BuiltImage, LayerBlob};

/// Steps in their order, inputs first.
pub(super) struct BuildSteps<'a> {
    steps: Vec<&'a Step>,
    /// Where each is.
    numbers: BTreeMap<StepId, usize>,
    root: StepId,
}

impl Attester<'_> {
    pub(super) fn build_steps(&self, target: &Target) -> BuildSteps<'_> {
        let steps = self.steps_of(target);
        let numbers = steps.iter().enumerate().map(|(number, step)| (step.id, number));
        BuildSteps {
            numbers: numbers.collect(),
            steps,
            root: target.root,
        }
    }

    /// The Dockerfile, and where in it each step is.
    pub(super) fn sources(&self, steps: &BuildSteps<'_>) -> Value {
        let mut locations = Map::new();
        for (number, step) in steps.steps.iter().enumerate() {
            let span = step.origin.as_ref().map(|origin| origin.span);
            let location = span.map_or_else(
                || json!({}),
                |span| {
                    let range = json!({"start": {"line": span.start_line}, "end": {"line": span.end_line}});
                    json!({"locations": [{"ranges": [range]}]})
                },
            );
            locations.insert(format!("step{number}"), location);
        }
        json!({
            "locations": locations,
            "infos": [{
                "filename": self.facts.dockerfile.name,
                "language": "Dockerfile",
                "data": STANDARD.encode(&self.facts.dockerfile.bytes),
            }],
        })
    }

    /// The layers of the image that each step on its way has.
    pub(super) fn layers_of_steps(&self, steps: &BuildSteps<'_>, image: &BuiltImage) -> Option<Value> {
        let mut all = Map::new();
        for (number, step) in steps.steps.iter().enumerate() {
            let root = self.root(step.id);
            let layers = root.stored();
            if !layers.is_empty() && image.root.stored().starts_with(layers) {
                let descriptors: Vec<_> = image.layers[..layers.len()].iter().map(descriptor).collect();
                all.insert(format!("step{number}:0"), json!([descriptors]));
            }
        }
        (!all.is_empty()).then(|| all.into())
    }
}

fn descriptor(layer: &LayerBlob) -> Value {
    json!({"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size})
}

impl BuildSteps<'_> {
    /// The definition; the last step is BuildKit's mark of what the result is.
    pub(super) fn to_json(&self) -> Value {
        let mut digests: Vec<Digest> = Vec::new();
        let mut definition = Vec::new();
        let mut mapping = Map::new();
        let mut add = |op: Value, inputs: &[usize], digests: &mut Vec<Digest>| {
            let below: Vec<_> = inputs.iter().map(|input| digests[*input]).collect();
            let digest = Digest::of(json!([op, below]).to_string().as_bytes());
            let id = format!("step{}", digests.len());
            mapping.insert(digest.to_string(), id.clone().into());
            let mut step = json!({"id": id, "op": op});
            if !inputs.is_empty() {
                let inputs = inputs.iter().map(|input| format!("step{input}:0").into());
                step["inputs"] = Value::Array(inputs.collect());
            }
            definition.push(step);
            digests.push(digest);
        };
        for step in &self.steps {
            let inputs: Vec<_> = step.inputs.iter().map(|input| self.numbers[input]).collect();
            add(op(step), &inputs, &mut digests);
        }
        add(json!({"Op": {}}), &[self.numbers[&self.root]], &mut digests);
        json!({"llbDefinition": definition, "digestMapping": mapping})
    }
}

fn op(step: &Step) -> Value {
    let op = match &step.op {
        Op::Source(source) => json!({"source": source_op(source)}),
        Op::Run(run) => json!({"exec": exec(run)}),
        Op::Copy(copy) => json!({"file": {"actions": copies(copy, step.inputs.len())}}),
        Op::Mkdir(mkdir) => {
            let mut made = json!({"path": mkdir.path, "mode": 0o755, "makeParents": true, "timestamp": -1});
            if !mkdir.owner.is_empty() {
                made["owner"] = owner(&mkdir.owner);
            }
            let action = json!({"Action": {"mkdir": made}, "input": 0, "secondaryInput": -1, "output": 0});
            json!({"file": {"actions": [action]}})
        }
        Op::Merge => {
            let inputs = (0..step.inputs.len()).map(|input| json!({"input": input}));
            json!({"merge": {"inputs": inputs.collect::<Vec<_>>()}})
        }
    };
    let mut whole = json!({"Op": op, "constraints": {}});
    let is_for_one = matches!(
        step.op,
        Op::Run(_) | Op::Source(Source::Image(_) | Source::OciLayout(_) | Source::Base(_))
    );
    if is_for_one {
        whole["platform"] = platform(&step.platform);
    }
    whole
}

fn platform(platform: &Platform) -> Value {
    let mut value = json!({"Architecture": platform.architecture, "OS": platform.os});
    if !platform.variant.is_empty() {
        value["Variant"] = platform.variant.clone().into();
    }
    value
}

fn source_op(source: &Source) -> Value {
    match source {
        Source::Scratch => json!({"identifier": "scratch://"}),
        Source::Image(image) => {
            let digest = image
                .digest
                .map(|digest| format!("@{digest}"))
                .unwrap_or_default();
            let name = image.reference.split('@').next().unwrap_or_default();
            json!({"identifier": format!("docker-image://{name}{digest}")})
        }
        Source::OciLayout(layout) => {
            let tag = layout.tag.as_deref().unwrap_or("latest");
            json!({"identifier": format!("oci-layout://{tag}")})
        }
        Source::Base(name) => json!({"identifier": format!("base://{name}")}),
        Source::Context(context) => {
            let name = match &context.name {
                ContextName::Main => "context",
                ContextName::Named(name) => name,
            };
            let mut op = json!({"identifier": format!("local://{name}")});
            if !context.paths.is_empty() {
                op["attrs"] = json!({"local.followpaths": json!(context.paths).to_string()});
            }
            op
        }
        Source::Http(http) => {
            let mut op = json!({"identifier": redacted(&http.url)});
            if let Some(checksum) = http.checksum {
                op["attrs"] = json!({"http.checksum": checksum.to_string()});
            }
            op
        }
        Source::Git(git) => git_op(git),
    }
}

fn git_op(git: &wharf_graph::GitSource) -> Value {
    let remote = redacted(&git.remote);
    let place = remote.split_once("://").map_or(&remote[..], |(_, place)| place);
    let mut identifier = format!("git://{place}");
    if !git.reference.is_empty() || !git.subdir.is_empty() {
        identifier.push_str(&format!("#{}", git.reference));
    }
    if !git.subdir.is_empty() {
        identifier.push_str(&format!(":{}", git.subdir));
    }
    let mut attrs = json!({"git.fullurl": remote});
    if git.keep_git_dir {
        attrs["git.keepgitdir"] = "true".into();
    }
    if let Some(checksum) = &git.checksum {
        attrs["git.checksum"] = checksum.clone().into();
    }
    json!({"identifier": identifier, "attrs": attrs})
}

/// Proxies are left out: they are the machine's, and may hold credentials.
fn exec(run: &RunOp) -> Value {
    let env: Vec<_> = run
        .env
        .iter()
        .map(|(name, value)| format!("{name}={}", redacted(value)))
        .collect();
    let mut meta = json!({"args": run.args, "env": env, "cwd": run.cwd});
    if !run.user.is_empty() {
        meta["user"] = run.user.clone().into();
    }
    if let Some(hostname) = &run.hostname {
        meta["hostname"] = hostname.clone().into();
    }
    if !run.extra_hosts.is_empty() {
        let hosts = run.extra_hosts.iter();
        meta["extraHosts"] = hosts
            .map(|host| json!({"Host": host.host, "IP": host.address}))
            .collect();
    }
    if !run.ulimits.is_empty() {
        let limits = run.ulimits.iter();
        let limit =
            |limit: &wharf_graph::Ulimit| json!({"Name": limit.name, "Soft": limit.soft, "Hard": limit.hard});
        meta["ulimit"] = limits.map(limit).collect();
    }
    let mounts = [json!({"dest": "/"})]
        .into_iter()
        .chain(run.mounts.iter().filter_map(mount));
    let mut exec = json!({"meta": meta, "mounts": mounts.collect::<Vec<_>>()});
    let variables: Vec<_> = run.mounts.iter().filter_map(variable).collect();
    if !variables.is_empty() {
        exec["secretenv"] = variables.into();
    }
    match run.network {
        NetworkMode::Default => {}
        NetworkMode::Host => exec["network"] = 1.into(),
        NetworkMode::None => exec["network"] = 2.into(),
    }
    if run.security == SecurityMode::Insecure {
        exec["security"] = 1.into();
    }
    exec
}

/// A secret as a variable: its name, never its value.
fn variable(mount: &Mount) -> Option<Value> {
    let Mount::Secret(secret) = mount else {
        return None;
    };
    let mut variable = json!({"ID": secret.id, "name": secret.env.as_ref()?});
    if !secret.required {
        variable["optional"] = true.into();
    }
    Some(variable)
}

/// Types of mounts by their numbers.
const SECRET: u8 = 1;
const SSH: u8 = 2;
const CACHE: u8 = 3;
const TMPFS: u8 = 4;

fn mount(mount: &Mount) -> Option<Value> {
    let mut value = match mount {
        Mount::Bind(bind) => json!({
            "input": bind.input.0, "selector": bind.source, "output": -1, "readonly": bind.read_only,
        }),
        Mount::Cache(cache) => {
            let sharing = match cache.sharing {
                Sharing::Shared => 0,
                Sharing::Private => 1,
                Sharing::Locked => 2,
            };
            let (input, selector) = match &cache.seed {
                Some((input, path)) => (json!(input.0), path.as_str()),
                None => (json!(-1), ""),
            };
            json!({
                "input": input, "selector": selector, "output": -1, "readonly": cache.read_only, "mountType": CACHE,
                "cacheOpt": {"ID": cache.id, "sharing": sharing},
            })
        }
        Mount::Tmpfs(tmpfs) => json!({
            "input": -1, "output": -1, "readonly": tmpfs.read_only, "mountType": TMPFS,
            "TmpfsOpt": {"size": tmpfs.size.unwrap_or_default()},
        }),
        Mount::Secret(secret) => {
            secret.target.as_ref()?;
            json!({
                "input": -1, "output": -1, "mountType": SECRET, "secretOpt": {
                    "ID": secret.id, "uid": secret.owner.uid, "gid": secret.owner.gid, "mode": secret.owner.mode,
                    "optional": !secret.required,
                },
            })
        }
        Mount::Ssh(ssh) => json!({
            "input": -1, "output": -1, "mountType": SSH, "SSHOpt": {
                "ID": ssh.id, "uid": ssh.owner.uid, "gid": ssh.owner.gid, "mode": ssh.owner.mode, "optional": !ssh.required,
            },
        }),
        Mount::Script(script) => json!({
            "input": -1, "output": -1, "readonly": true,
            "script": {"name": script.name, "data": STANDARD.encode(&script.content)},
        }),
    };
    if let Some(target) = mount.target() {
        value["dest"] = target.into();
    }
    let members = value.as_object_mut().expect("it was made as an object");
    members.retain(|_, member| *member != false && *member != "");
    Some(value)
}

/// One action a source, each on what the one before made.
fn copies(copy: &CopyOp, inputs: usize) -> Vec<Value> {
    let count = copy.sources.len();
    let mut actions = Vec::new();
    for (index, source) in copy.sources.iter().enumerate() {
        // The results of earlier actions are counted after the inputs.
        let input = match (index, copy.link) {
            (0, true) => json!(-1),
            (0, false) => json!(0),
            _ => json!(inputs + index - 1),
        };
        let (kind, secondary, mut action) = action(source, copy);
        if let Some(chown) = &copy.chown {
            action["owner"] = owner(chown);
        }
        if let Some(chmod) = &copy.chmod {
            match u32::from_str_radix(chmod, 8) {
                Ok(mode) => action["mode"] = mode.into(),
                Err(_) => action["modeStr"] = chmod.clone().into(),
            }
        }
        let mut whole = json!({"Action": {kind: action}, "input": input, "secondaryInput": secondary});
        whole["output"] = if index + 1 == count { 0.into() } else { json!(-1) };
        actions.push(whole);
    }
    actions
}

fn action(source: &CopySource, copy: &CopyOp) -> (&'static str, i64, Value) {
    let copied = |src: &str, unpack: bool| {
        let mut value = json!({
            "src": src, "dest": copy.dest, "mode": -1, "timestamp": -1,
            "followSymlink": true, "dirCopyContents": true, "createDestPath": true,
            "allowWildcard": true, "allowEmptyWildcard": true,
        });
        if unpack {
            value["attemptUnpackDockerCompatibility"] = true.into();
        }
        if !copy.excludes.is_empty() {
            value["exclude_patterns"] = json!(copy.excludes);
        }
        value
    };
    match source {
        CopySource::Path(path) => {
            let mut value = copied(&path.path, path.unpack);
            if let Some(parents) = &path.parents {
                value["include_patterns"] = json!([parents.pattern]);
            }
            ("copy", i64::from(path.input.0), value)
        }
        CopySource::Download(file) => {
            let value = copied(&format!("/{}", file.file_name), file.unpack);
            ("copy", i64::from(file.input.0), value)
        }
        CopySource::Checkout(input) => ("copy", i64::from(input.0), copied("/", false)),
        CopySource::File(file) => {
            let is_folder = copy.dest.ends_with('/') || copy.sources.len() > 1;
            let path = if is_folder {
                format!("{}/{}", copy.dest.trim_end_matches('/'), file.name)
            } else {
                copy.dest.clone()
            };
            let data = STANDARD.encode(&file.content);
            let value = json!({"path": path, "mode": 0o644, "timestamp": -1, "data": data});
            ("mkfile", -1, value)
        }
    }
}

/// `user[:group]`: numbers and names are told apart.
fn owner(text: &str) -> Value {
    let one = |text: &str| match text.parse::<u32>() {
        Ok(id) => json!({"User": {"byID": id}}),
        Err(_) => json!({"User": {"byName": {"name": text}}}),
    };
    match text.split_once(':') {
        Some((user, group)) => json!({"user": one(user), "group": one(group)}),
        None => json!({"user": one(text)}),
    }
}
