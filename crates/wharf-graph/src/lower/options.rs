//! What of a build is not in the Dockerfile.

use std::collections::{BTreeMap, BTreeSet};

use wharf_oci::{Platform, Reference};

use super::args::SOURCE_DATE_EPOCH;
use crate::{
    run::{HostAlias, NetworkMode, Ulimit},
    source::{LayoutSource, PullPolicy},
};

/// Everything that decides what a Dockerfile means, besides its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LowerOptions {
    /// `--target`: the wanted stage; else the last one.
    pub target: Option<String>,
    /// Lower all stages, whether or not the wanted one needs them: a check looks at all.
    pub every_stage: bool,
    /// `--build-arg`. `SOURCE_DATE_EPOCH` among them sets the times of the image; proxies are given to every RUN.
    pub build_args: BTreeMap<String, String>,
    /// `--label`: added to the image.
    pub labels: BTreeMap<String, String>,
    /// The platform that builds: `BUILDPLATFORM`.
    pub build_platform: Platform,
    /// `--platform`: a target for each. Empty is the build platform, and the image then says what its base says.
    pub platforms: Vec<Platform>,
    /// Which earlier results may not be taken.
    pub no_cache: NoCache,
    /// `--add-host`.
    pub extra_hosts: Vec<HostAlias>,
    /// `--network`: of RUNs that say nothing themselves.
    pub network: NetworkMode,
    /// `--shm-size`, in bytes.
    pub shm_size: Option<u64>,
    /// `--ulimit`.
    pub ulimits: Vec<Ulimit>,
    /// The host name that RUNs see.
    pub hostname: Option<String>,
    /// `--build-context`, by [`NamedContext::key`].
    pub contexts: BTreeMap<String, NamedContext>,
    /// The names of bases made of packages: in FROM, stages and named contexts come before them, registries after.
    pub bases: BTreeSet<String>,
    /// `--pull`.
    pub pull: PullPolicy,
    /// `--reproducible-steps`: RUN is given the variables that make common tools give the same files twice.
    pub reproducible_steps: bool,
    /// Whether the contents of stages and of the context are wanted too, where the Dockerfile says so.
    pub scan: bool,
}

/// Which earlier results may not be taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum NoCache {
    /// All may.
    #[default]
    Nothing,
    /// `--no-cache`: none may.
    Everything,
    /// `--no-cache-filter`: none of these stages may, in any case of letters.
    Stages(BTreeSet<String>),
}

/// What a name of `--build-context` stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedContext {
    /// Files: a directory, an archive, a checkout. As a stage's base they are a root without a configuration.
    Files,
    /// `docker-image://`.
    Image(Reference),
    /// `oci-layout://`.
    OciLayout(LayoutSource),
    /// A base made of packages.
    Base(String),
}

impl LowerOptions {
    /// Nothing special, building on and for `platform`.
    pub fn new(platform: Platform) -> Self {
        Self {
            target: None,
            every_stage: false,
            build_args: BTreeMap::new(),
            labels: BTreeMap::new(),
            build_platform: platform,
            platforms: Vec::new(),
            no_cache: NoCache::default(),
            extra_hosts: Vec::new(),
            network: NetworkMode::default(),
            shm_size: None,
            ulimits: Vec::new(),
            hostname: None,
            contexts: BTreeMap::new(),
            bases: BTreeSet::new(),
            pull: PullPolicy::default(),
            reproducible_steps: false,
            scan: false,
        }
    }

    /// The platforms that images are wanted for.
    pub fn target_platforms(&self) -> Vec<Platform> {
        match &self.platforms[..] {
            [] => vec![self.build_platform.clone()],
            platforms => platforms.to_vec(),
        }
    }

    /// A build argument, as ARG in a stage sees it: SOURCE_DATE_EPOCH without a value is none.
    pub(super) fn build_arg(&self, name: &str) -> Option<&str> {
        let value = self.build_args.get(name)?;
        (name != SOURCE_DATE_EPOCH || !value.is_empty()).then_some(value)
    }

    /// The context that overrides the image or stage `name` on `platform`: one for this platform only (`name::os/arch`) first.
    pub(super) fn context(&self, name: &str, platform: &Platform) -> Option<(String, &NamedContext)> {
        if self.contexts.is_empty()
            || ["scratch", "context"]
                .iter()
                .any(|own| name.eq_ignore_ascii_case(own))
        {
            return None;
        }
        let key = NamedContext::key(name);
        [format!("{key}::{platform}"), key]
            .into_iter()
            .find_map(|key| self.contexts.get(&key).map(|context| (key, context)))
    }
}

impl LowerOptions {
    /// Whether `--build-context` says what the image or stage `name` is on `platform`.
    pub fn is_overridden(&self, name: &str, platform: &Platform) -> bool {
        self.context(name, platform).is_some()
    }
}

impl NamedContext {
    /// The form of a name under which contexts are kept, that `alpine`, `alpine:latest` and `docker.io/library/alpine` share.
    pub fn key(name: &str) -> String {
        let (name, platform) = name
            .split_once("::")
            .map_or((name, None), |(name, platform)| (name, Some(platform)));
        let mut key = match name.parse::<Reference>() {
            Ok(reference) => reference.familiar(),
            Err(_) => name.to_owned(),
        };
        if let Some(untagged) = key.strip_suffix(":latest") {
            key.truncate(untagged.len());
        }
        match platform {
            Some(platform) => format!("{key}::{platform}"),
            None => key,
        }
    }
}

impl NoCache {
    /// Whether results of the stage may be taken.
    pub(super) fn allows(&self, stage: Option<&str>) -> bool {
        match self {
            Self::Nothing => true,
            Self::Everything => false,
            Self::Stages(stages) => {
                let is_stage = |name: &String| stage.is_some_and(|stage| name.eq_ignore_ascii_case(stage));
                !stages.iter().any(is_stage)
            }
        }
    }
}
