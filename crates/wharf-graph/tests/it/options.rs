//! The options of a case, one a line.

use std::collections::{BTreeMap, BTreeSet};

use wharf_graph::{
    HostAlias, LayoutSource, LowerOptions, NamedContext, NetworkMode, NoCache, PullPolicy, Ulimit,
};
use wharf_oci::{Digest, Platform, config::ImageConfig};

/// Configurations by the full name of the base.
pub(crate) type KnownBases = BTreeMap<String, ImageConfig>;

pub(crate) fn plain() -> LowerOptions {
    LowerOptions::new("linux/amd64".parse().unwrap())
}

pub(crate) fn parse(header: &str) -> (LowerOptions, KnownBases) {
    let mut options = plain();
    let mut known = KnownBases::new();
    for line in header.lines().filter(|line| !line.starts_with('#')) {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        if key == "config" {
            let (name, json) = value.split_once(' ').expect("config NAME JSON");
            known.insert(name.to_owned(), config(json));
        } else {
            set(&mut options, key, value);
        }
    }
    (options, known)
}

fn config(json: &str) -> ImageConfig {
    let mut config = ImageConfig::from_json(json.as_bytes()).expect("a configuration");
    if config.author != "no layers" {
        config.rootfs.diff_ids.push(Digest::of(b"layer"));
    }
    config
}

fn set(options: &mut LowerOptions, key: &str, value: &str) {
    let pair = || {
        let (name, value) = value.split_once('=').expect("NAME=VALUE");
        (name.to_owned(), value.to_owned())
    };
    match key {
        "target" => options.target = Some(value.to_owned()),
        "build-arg" => options.build_args.extend([pair()]),
        "label" => options.labels.extend([pair()]),
        "build-platform" => options.build_platform = value.parse().unwrap(),
        "platform" => {
            options.platforms = value
                .split(',')
                .map(|text| text.parse::<Platform>().unwrap())
                .collect();
        }
        "no-cache" => options.no_cache = NoCache::Everything,
        "no-cache-filter" => options.no_cache = NoCache::Stages(BTreeSet::from([value.to_owned()])),
        "add-host" => {
            let (host, address) = pair();
            let address = address.parse().unwrap();
            options.extra_hosts.push(HostAlias { host, address });
        }
        "network" => options.network = NetworkMode::None,
        "shm-size" => options.shm_size = value.parse().ok(),
        "ulimit" => options.ulimits.push(Ulimit {
            name: value.to_owned(),
            soft: 10,
            hard: -1,
        }),
        "hostname" => options.hostname = Some(value.to_owned()),
        "reproducible-steps" => options.reproducible_steps = true,
        "scan" => options.scan = true,
        "pull" => options.pull = PullPolicy::Always,
        "base" => drop(options.bases.insert(value.to_owned())),
        "context" => {
            let (name, value) = pair();
            options.contexts.insert(NamedContext::key(&name), context(&value));
        }
        _ => panic!("unknown option {key}"),
    }
}

fn context(value: &str) -> NamedContext {
    match value.split_once("://") {
        Some(("docker-image", reference)) => NamedContext::Image(reference.parse().unwrap()),
        Some(("oci-layout", path)) => NamedContext::OciLayout(LayoutSource {
            path: path.to_owned(),
            tag: None,
            digest: None,
        }),
        Some(("base", name)) => NamedContext::Base(name.to_owned()),
        _ => NamedContext::Files,
    }
}
