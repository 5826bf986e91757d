//! What was asked for, in the words of the Dockerfile frontend's options.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use wharf_graph::{ContextName, GitSource};

use super::{Attester, materials::Materials, redact::redacted};
use crate::request::{BuildRequest, ContextSource, DockerfileSource, NamedContext, ProvenanceMode};

/// The name under which the frontend is known to those who read provenance.
pub(super) const FRONTEND: &str = "dockerfile.v0";

/// Options that `mode=min` keeps to itself.
const HIDDEN: [&str; 2] = ["build-arg:", "label:"];

/// The request, and whether it is complete.
pub(super) struct Asked {
    pub(super) request: Value,
    pub(super) is_complete: bool,
}

impl Attester<'_> {
    pub(super) fn asked(&self, materials: &Materials, mode: ProvenanceMode) -> Asked {
        let mut args = arguments(self.request);
        let all = args.len();
        let is_min = mode == ProvenanceMode::Min;
        if is_min {
            args.retain(|key, _| !HIDDEN.iter().any(|prefix| key.starts_with(prefix)));
        }
        let mut request = Map::new();
        request.insert("frontend".into(), FRONTEND.into());
        let mut set = |key: &str, value: Value| {
            let is_empty =
                value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
            if !is_empty {
                request.insert(key.into(), value);
            }
        };
        set("args", json!(args));
        if !is_min {
            set("secrets", given(&materials.secrets));
            set("ssh", given(&materials.ssh));
        }
        set(
            "locals",
            materials
                .locals
                .iter()
                .map(|name| json!({"name": name}))
                .collect(),
        );
        Asked {
            request: request.into(),
            is_complete: args.len() == all,
        }
    }

    /// Where the Dockerfile came from.
    pub(super) fn config_source(&self, materials: &Materials) -> Value {
        let mut source = Map::new();
        let uri = match &self.request.context {
            ContextSource::Git(git) => Some(git_text(git)),
            _ => self.main_uri(),
        };
        if let Some(uri) = uri {
            source.insert("uri".into(), uri.into());
        }
        let digest = self.facts.pins.get(&ContextName::Main).and(self.main_uri());
        if let Some(digest) = digest.and_then(|uri| materials.digest_of(&uri)) {
            source.insert("digest".into(), digest);
        }
        if !matches!(self.request.dockerfile, DockerfileSource::Text { .. }) {
            source.insert("path".into(), self.facts.dockerfile.name.clone().into());
        }
        source.into()
    }
}

fn given(ids: &BTreeMap<String, bool>) -> Value {
    let one = |(id, optional): (&String, &bool)| {
        if *optional {
            json!({"id": id, "optional": true})
        } else {
            json!({"id": id})
        }
    };
    ids.iter().map(one).collect()
}

/// The options that differ from what nobody said. Values of secrets are in none; users and passwords of URLs are masked.
fn arguments(request: &BuildRequest) -> BTreeMap<String, String> {
    let mut args = BTreeMap::new();
    let mut set = |key: String, value: String| drop(args.insert(key, value));
    for (name, value) in &request.build_args {
        if let Some(value) = value {
            set(format!("build-arg:{name}"), redacted(value));
        }
    }
    for (name, value) in &request.labels {
        set(format!("label:{name}"), value.clone());
    }
    for (name, context) in &request.named_contexts {
        set(format!("context:{name}"), context_text(name, context));
    }
    if let Some(target) = &request.target {
        set("target".into(), target.clone());
    }
    if request.no_cache || !request.no_cache_filter.is_empty() {
        let filter = if request.no_cache {
            String::new()
        } else {
            request.no_cache_filter.join(",")
        };
        set("no-cache".into(), filter);
    }
    if !request.hosts.is_empty() {
        let hosts = request
            .hosts
            .iter()
            .map(|(host, address)| format!("{host}={address}"));
        set("add-hosts".into(), hosts.collect::<Vec<_>>().join(","));
    }
    if request.network != "default" {
        set("force-network-mode".into(), request.network.clone());
    }
    if let Some(size) = request.shm_size {
        set("shm-size".into(), size.to_string());
    }
    if !request.ulimits.is_empty() {
        let limits = request
            .ulimits
            .iter()
            .map(|(name, (soft, hard))| format!("{name}={soft}:{hard}"));
        set("ulimit".into(), limits.collect::<Vec<_>>().join(","));
    }
    if request.reproducible_steps {
        set("reproducible-steps".into(), "true".into());
    }
    args
}

/// A repository in the short form: `URL#reference:directory`.
fn git_text(git: &GitSource) -> String {
    let remote = redacted(&git.remote);
    match (&git.reference[..], &git.subdir[..]) {
        ("", "") => remote,
        (reference, "") => format!("{remote}#{reference}"),
        (reference, subdir) => format!("{remote}#{reference}:{subdir}"),
    }
}

/// Paths of this machine are nobody's affair.
fn context_text(name: &str, context: &NamedContext) -> String {
    match context {
        NamedContext::Directory(_) => format!("local:{name}"),
        NamedContext::Image(reference) => format!("docker-image://{reference}"),
        NamedContext::OciLayout { tag, digest, .. } => {
            let tag = tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
            let digest = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
            format!("oci-layout://{name}{tag}{digest}")
        }
        NamedContext::Base(base) => format!("base:{base}"),
        NamedContext::Git(git) => git_text(git),
        NamedContext::Url(url) => redacted(url),
    }
}
