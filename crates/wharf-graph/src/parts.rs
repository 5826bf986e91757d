//! What of a step counts in its key, part by part and without values: so that two builds can be told apart by people.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};
use wharf_oci::Digest;

use crate::{Mount, Op, RunOp, Source, Step};

/// One part of what a step is. Equal digests mean equal parts; the digest is too short to tell the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What people call it: `the command`, `the variable VERSION`.
    pub name: String,
    /// Eight hexadecimal digits.
    pub digest: String,
}

impl Part {
    fn new(name: impl Into<String>, value: &impl Debug) -> Self {
        let mut digest = Digest::of(format!("{value:?}").as_bytes()).hex();
        digest.truncate(8);
        Self {
            name: name.into(),
            digest,
        }
    }
}

impl Step {
    /// What counts of this step, but for the files that it works on.
    pub fn parts(&self) -> Vec<Part> {
        let mut parts = vec![Part::new("the platform", &self.platform.to_string())];
        match &self.op {
            Op::Run(run) => run_parts(run, &mut parts),
            Op::Source(Source::Image(image)) => parts.push(Part::new("the image", image)),
            Op::Source(source) => parts.push(Part::new("the source", source)),
            Op::Copy(copy) => parts.push(Part::new("the instruction", copy)),
            Op::Mkdir(mkdir) => parts.push(Part::new("the directory", mkdir)),
            Op::Merge => {}
        }
        parts
    }
}

fn run_parts(run: &RunOp, parts: &mut Vec<Part>) {
    parts.push(Part::new("the command", &run.args));
    for (name, value) in run.env.iter() {
        parts.push(Part::new(format!("the variable {name}"), value));
    }
    for mount in &run.mounts {
        parts.push(Part::new(format!("the mount at {}", target(mount)), mount));
    }
    parts.push(Part::new("the working directory", &run.cwd));
    parts.push(Part::new("the user", &run.user));
    parts.push(Part::new("the network mode", &run.network));
    parts.push(Part::new("the security mode", &run.security));
    parts.push(Part::new("the host names", &(&run.hostname, &run.extra_hosts)));
    parts.push(Part::new("the limits", &(run.shm_size, &run.ulimits)));
}

fn target(mount: &Mount) -> &str {
    match mount {
        Mount::Bind(bind) => &bind.target,
        Mount::Cache(cache) => &cache.target,
        Mount::Tmpfs(tmpfs) => &tmpfs.target,
        Mount::Secret(secret) => &secret.id,
        Mount::Ssh(ssh) => &ssh.id,
        Mount::Script(script) => &script.target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_parts_and_no_others_have_equal_digests() {
        let part = |value: &str| Part::new("the variable A", &value);
        assert_eq!(part("1"), part("1"));
        assert_ne!(part("1"), part("2"));
        assert_eq!(part("secret").digest.len(), 8);
    }
}
