//! What a target was made from: images, packages, repositories and files, each by a digest; and what cannot be named by one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use wharf_graph::{
    ContextName, GitSource, HttpSource, ImageSource, LayoutSource, Mount, NetworkMode, Op, Source, Step,
    StepId, Target,
};
use wharf_oci::{Digest, Platform, Reference};
use wharf_sbom::Purl;

use super::{AttestError, Attester, inventory::StoreContents, redact::redacted};
use crate::{
    context_source::{Pin, only_file},
    exec::StepOutput,
    image_source::ImageSourceError,
    request::{ContextSource, NamedContext},
    root::Root,
};

/// What a target was made from, and what its steps were given.
#[derive(Debug, Default)]
pub(super) struct Materials {
    /// URI → algorithm and hash, sorted.
    pub(super) named: BTreeMap<String, (&'static str, String)>,
    /// Directories and archives that the user sent.
    pub(super) locals: BTreeSet<String>,
    /// Ids of secrets, and whether steps can do without.
    pub(super) secrets: BTreeMap<String, bool>,
    /// The same of agents.
    pub(super) ssh: BTreeMap<String, bool>,
    /// Whether a step could reach a network.
    pub(super) network: bool,
}

impl Attester<'_> {
    pub(super) fn root(&self, step: StepId) -> Root {
        self.output(step)
            .map_or_else(Root::empty, |output| output.root.clone())
    }

    fn output(&self, step: StepId) -> Option<&StepOutput> {
        self.solution.output(step)
    }

    /// The steps that a target needs, inputs before their users.
    pub(super) fn steps_of(&self, target: &Target) -> Vec<&Step> {
        let mut needed = BTreeSet::new();
        let mut waiting = vec![target.root];
        while let Some(step) = waiting.pop() {
            if needed.insert(step) {
                waiting.extend(&self.graph.step(step).inputs);
            }
        }
        // A graph has its steps in such an order.
        needed.into_iter().map(|step| self.graph.step(step)).collect()
    }

    pub(super) fn materials(&self, target: &Target) -> Result<Materials, AttestError> {
        let mut materials = Materials::default();
        for step in self.steps_of(target) {
            match &step.op {
                Op::Source(source) => self.source(source, step, &mut materials)?,
                Op::Run(run) => {
                    materials.network |= run.network != NetworkMode::None;
                    run.mounts.iter().for_each(|mount| materials.mount(mount));
                }
                Op::Copy(_) | Op::Mkdir(_) | Op::Merge => {}
            }
        }
        self.dockerfile(&mut materials);
        Ok(materials)
    }

    fn source(&self, source: &Source, step: &Step, materials: &mut Materials) -> Result<(), AttestError> {
        match source {
            Source::Scratch => {}
            Source::Image(image) => self.image(image, &step.platform, materials)?,
            Source::OciLayout(layout) => self.layout(layout, step, materials)?,
            Source::Base(name) => self.base(name, &step.platform, materials)?,
            Source::Http(http) => self.download(http, step.id, materials)?,
            Source::Git(git) => self.repository(git, step.id, materials),
            Source::Context(context) => self.context(&context.name, materials),
        }
        Ok(())
    }

    fn image(
        &self,
        image: &ImageSource,
        platform: &Platform,
        materials: &mut Materials,
    ) -> Result<(), AttestError> {
        let Ok(reference) = image.reference.parse::<Reference>() else {
            return Ok(());
        };
        let purl = image_purl("docker", &reference, Some(platform));
        if let Some(digest) = self.machine.images.named_digest(image, platform)? {
            materials.add(purl, digest);
        }
        Ok(())
    }

    /// An image in a layout on disk is no registry's: its type is `oci`, and its name that of the context.
    fn layout(
        &self,
        layout: &LayoutSource,
        step: &Step,
        materials: &mut Materials,
    ) -> Result<(), AttestError> {
        let is_it = |(_, context): &(&String, &NamedContext)| match context {
            NamedContext::OciLayout { path, tag, .. } => {
                path.to_string_lossy() == layout.path[..] && *tag == layout.tag
            }
            _ => false,
        };
        let found = self.request.named_contexts.iter().find(is_it);
        let name = found.map_or("layout", |(name, _)| name.as_str());
        let digest = self.machine.images.layout_digest(layout, &step.platform)?;
        let version = layout.tag.as_deref().unwrap_or_default();
        let qualifiers = [
            ("digest", digest.to_string()),
            ("platform", step.platform.to_string()),
        ];
        let qualifiers = qualifiers.each_ref().map(|(key, value)| (*key, value.as_str()));
        let purl = Purl::new("oci", "", name, version, &qualifiers);
        materials.add(purl.to_string(), digest);
        Ok(())
    }

    /// A base of packages is made from their files.
    fn base(&self, name: &str, platform: &Platform, materials: &mut Materials) -> Result<(), AttestError> {
        let base = self.machine.images.make_base(name, platform);
        let base = base.map_err(ImageSourceError::from)?;
        let tree = self
            .machine
            .roots
            .tree(&self.machine.images.base(name, platform)?)?;
        let distro = wharf_sbom::distro(&tree, &StoreContents(self.machine.store.clone()))?;
        let namespace = distro.map_or_else(|| "debian".to_owned(), |distro| distro.id);
        for package in &base.packages {
            let arch = [("arch", package.architecture.as_str())];
            let purl = Purl::new("deb", &namespace, &package.name, &package.version, &arch);
            materials.add(purl.to_string(), package.sha256);
        }
        Ok(())
    }

    fn download(
        &self,
        http: &HttpSource,
        step: StepId,
        materials: &mut Materials,
    ) -> Result<(), AttestError> {
        let tree = self.machine.roots.tree(&self.root(step))?;
        if let Some(digest) = only_file(&tree) {
            materials.add(redacted(&http.url), digest);
        }
        Ok(())
    }

    fn repository(&self, git: &GitSource, step: StepId, materials: &mut Materials) {
        let commit = self.output(step).and_then(|output| output.commit.as_deref());
        if let Some(commit) = commit {
            materials.commit(repository_uri(&git.remote, &git.reference), commit);
        }
    }

    fn context(&self, name: &ContextName, materials: &mut Materials) {
        let pin = self.facts.pins.get(name);
        match (name, pin) {
            (ContextName::Main, Some(pin)) => materials.pinned(self.main_uri(), pin),
            (ContextName::Main, None) => drop(materials.locals.insert("context".to_owned())),
            (ContextName::Named(name), pin) => {
                let mut named = self.request.named_contexts.iter();
                let found = named.find(|(other, _)| wharf_graph::NamedContext::key(other) == *name);
                let uri = found.and_then(|(_, context)| remote_uri(context));
                match (uri, pin) {
                    (Some(uri), Some(pin)) => materials.pinned(Some(uri), pin),
                    _ => drop(materials.locals.insert(name.clone())),
                }
            }
        }
    }

    /// The Dockerfile came with a context from elsewhere, or from the user.
    fn dockerfile(&self, materials: &mut Materials) {
        match self.facts.pins.get(&ContextName::Main) {
            Some(pin) => materials.pinned(self.main_uri(), pin),
            None => drop(materials.locals.insert("dockerfile".to_owned())),
        }
    }

    /// Where the main context came from, as materials name it.
    pub(super) fn main_uri(&self) -> Option<String> {
        match &self.request.context {
            ContextSource::Git(git) => Some(repository_uri(&git.remote, &git.reference)),
            ContextSource::Url(url) => Some(redacted(url)),
            ContextSource::Directory(_) | ContextSource::Empty | ContextSource::Archive(_) => None,
        }
    }
}

fn remote_uri(context: &NamedContext) -> Option<String> {
    match context {
        NamedContext::Git(git) => Some(repository_uri(&git.remote, &git.reference)),
        NamedContext::Url(url) => Some(redacted(url)),
        _ => None,
    }
}

fn repository_uri(remote: &str, reference: &str) -> String {
    let remote = redacted(remote);
    if reference.is_empty() {
        return remote;
    }
    format!("{remote}#{reference}")
}

impl Materials {
    fn add(&mut self, uri: String, digest: Digest) {
        self.named.insert(uri, ("sha256", digest.hex()));
    }

    fn commit(&mut self, uri: String, commit: &str) {
        let algorithm = if commit.len() == 64 { "sha256" } else { "sha1" };
        self.named.insert(uri, (algorithm, commit.to_owned()));
    }

    fn pinned(&mut self, uri: Option<String>, pin: &Pin) {
        match (uri, pin) {
            (Some(uri), Pin::Commit(commit)) => self.commit(uri, commit),
            (Some(uri), Pin::File(digest)) => self.add(uri, *digest),
            (None, _) => {}
        }
    }

    fn mount(&mut self, mount: &Mount) {
        let (known, id, required) = match mount {
            Mount::Secret(secret) => (&mut self.secrets, &secret.id, secret.required),
            Mount::Ssh(ssh) => (&mut self.ssh, &ssh.id, ssh.required),
            _ => return,
        };
        *known.entry(id.clone()).or_insert(true) &= !required;
    }

    /// Materials as both versions of the predicate have them: images, repositories, files, as BuildKit orders them.
    pub(super) fn to_json(&self) -> Vec<Value> {
        let material = |(uri, (algorithm, hash)): (&String, &(&str, String))| json!({"uri": uri, "digest": {*algorithm: hash}});
        let mut named: Vec<_> = self.named.iter().collect();
        named.sort_by_key(|(uri, (algorithm, _))| (!uri.starts_with("pkg:"), *algorithm != "sha1"));
        named.into_iter().map(material).collect()
    }

    /// The digest of a material.
    pub(super) fn digest_of(&self, uri: &str) -> Option<Value> {
        let (algorithm, hash) = self.named.get(uri)?;
        Some(json!({*algorithm: hash}))
    }
}

/// An image's package URL, as BuildKit writes it: the familiar name, the tag as version.
pub(super) fn image_purl(kind: &str, reference: &Reference, platform: Option<&Platform>) -> String {
    let name = reference.name();
    let name = name.strip_prefix("docker.io/").unwrap_or(&name);
    let name = name.strip_prefix("library/").unwrap_or(name);
    let (namespace, own) = name.rsplit_once('/').unwrap_or(("", name));
    let digest = reference.digest().map(ToString::to_string).unwrap_or_default();
    let platform = platform.map(ToString::to_string).unwrap_or_default();
    let tag = reference.tag();
    let version = tag.unwrap_or(if digest.is_empty() { "latest" } else { "" });
    let qualifiers = [("digest", &digest[..]), ("platform", &platform)];
    Purl::new(kind, namespace, own, version, &qualifiers).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls_of_images() {
        let platform: Platform = "linux/arm/v7".parse().unwrap();
        for (reference, expected) in [
            ("alpine", "pkg:docker/alpine@latest?platform=linux%2Farm%2Fv7"),
            ("docker.io/a/b:1", "pkg:docker/a/b@1?platform=linux%2Farm%2Fv7"),
            (
                "localhost:5000/a:1",
                "pkg:docker/localhost%3A5000/a@1?platform=linux%2Farm%2Fv7",
            ),
        ] {
            let reference = reference.parse().unwrap();
            assert_eq!(image_purl("docker", &reference, Some(&platform)), expected);
        }
        let pinned = format!("ghcr.io/a/b@{}", Digest::of(b"x"));
        let hash = Digest::of(b"x").hex();
        assert_eq!(
            image_purl("docker", &pinned.parse().unwrap(), None),
            format!("pkg:docker/ghcr.io/a/b?digest=sha256:{hash}")
        );
    }
}
