//! What lowering is told of a request.

use std::collections::{BTreeMap, BTreeSet};

use wharf_graph::{
    HostAlias, LowerOptions, NamedContext as LowerContext, NetworkMode, NoCache, PullPolicy, Ulimit,
};
use wharf_oci::Platform;

use crate::request::{BuildRequest, NamedContext};

/// The options that a request stands for.
pub(crate) fn lower_options(request: &BuildRequest) -> LowerOptions {
    let mut build_args: BTreeMap<_, _> = request
        .build_args
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
        .collect();
    if let Some(epoch) = request.source_date_epoch {
        build_args
            .entry("SOURCE_DATE_EPOCH".to_owned())
            .or_insert_with(|| epoch.to_string());
    }
    let stages: BTreeSet<_> = request.no_cache_filter.iter().cloned().collect();
    let no_cache = match (request.no_cache, stages.is_empty()) {
        (true, _) => NoCache::Everything,
        (false, true) => NoCache::Nothing,
        (false, false) => NoCache::Stages(stages),
    };
    LowerOptions {
        target: request.target.clone(),
        build_args,
        labels: request.labels.clone(),
        platforms: request.platforms.clone(),
        no_cache,
        extra_hosts: request
            .hosts
            .iter()
            .map(|(host, address)| HostAlias {
                host: host.clone(),
                address: *address,
            })
            .collect(),
        network: match request.network.as_str() {
            "none" => NetworkMode::None,
            "host" => NetworkMode::Host,
            _ => NetworkMode::Default,
        },
        shm_size: request.shm_size,
        ulimits: request
            .ulimits
            .iter()
            .map(|(name, limits)| ulimit(name, *limits))
            .collect(),
        contexts: request
            .named_contexts
            .iter()
            .map(|(name, context)| (LowerContext::key(name), named(context)))
            .collect(),
        bases: request.bases.tables.keys().cloned().collect(),
        pull: if request.pull {
            PullPolicy::Always
        } else {
            PullPolicy::Default
        },
        reproducible_steps: request.reproducible_steps,
        scan: request.attestations.sbom,
        ..LowerOptions::new(Platform::host())
    }
}

fn ulimit(name: &str, (soft, hard): (u64, u64)) -> Ulimit {
    let limit = |value: u64| i64::try_from(value).unwrap_or(-1);
    Ulimit {
        name: name.to_owned(),
        soft: limit(soft),
        hard: limit(hard),
    }
}

fn named(context: &NamedContext) -> LowerContext {
    match context {
        NamedContext::Directory(_) | NamedContext::Git(_) | NamedContext::Url(_) => LowerContext::Files,
        NamedContext::Image(reference) => LowerContext::Image(reference.clone()),
        NamedContext::Base(name) => LowerContext::Base(name.clone()),
        NamedContext::OciLayout { path, tag, digest } => LowerContext::OciLayout(wharf_graph::LayoutSource {
            path: path.to_string_lossy().into_owned(),
            tag: tag.clone(),
            digest: *digest,
        }),
    }
}
