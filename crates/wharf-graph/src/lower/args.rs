//! ARGs outside of stages: the predefined ones and those before the first FROM.

use wharf_dockerfile::{Dockerfile, expand};
use wharf_oci::Platform;

use super::{
    environment::Variables,
    error::{LowerError, LowerFault},
    options::LowerOptions,
};

/// The variable that sets the times of an image.
pub(super) const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

/// What `$X` in FROM and `ARG X` in a stage stand for. Dockerfile reference, "Automatic platform ARGs in the global scope" and
/// "Understand how ARG and FROM interact".
pub(super) fn global_args(
    dockerfile: &Dockerfile,
    options: &LowerOptions,
    target: &Platform,
) -> Result<Variables, LowerError> {
    let mut variables = Variables::default();
    for (name, value) in predefined(dockerfile, options, target) {
        let value = options.build_args.get(name).cloned().unwrap_or(value);
        variables.set(name, value);
    }
    for arg in dockerfile.global_args() {
        let name = arg.name.as_str();
        let value = match (options.build_args.get(name), &arg.value) {
            (Some(given), _) => Some(given.clone()),
            (None, Some(default)) => {
                let get = |name: &str| variables.get(name).map(str::to_owned);
                let value = expand(default.as_str(), &get, dockerfile.escape());
                Some(value.map_err(|error| LowerError::new(default.span, LowerFault::Expand(error)))?)
            }
            (None, None) => None,
        };
        if let Some(value) = value {
            variables.set(name, value);
        }
    }
    Ok(variables)
}

fn predefined(
    dockerfile: &Dockerfile,
    options: &LowerOptions,
    target: &Platform,
) -> [(&'static str, String); 11] {
    let build = &options.build_platform;
    let last = dockerfile.stages.last().and_then(|stage| stage.name());
    let stage = options.target.as_deref().or(last).unwrap_or("default");
    [
        ("BUILDPLATFORM", build.to_string()),
        ("BUILDOS", build.os.clone()),
        ("BUILDOSVERSION", build.os_version.clone()),
        ("BUILDARCH", build.architecture.clone()),
        ("BUILDVARIANT", build.variant.clone()),
        ("TARGETPLATFORM", target.to_string()),
        ("TARGETOS", target.os.clone()),
        ("TARGETOSVERSION", target.os_version.clone()),
        ("TARGETARCH", target.architecture.clone()),
        ("TARGETVARIANT", target.variant.clone()),
        ("TARGETSTAGE", stage.to_owned()),
    ]
}

/// SOURCE_DATE_EPOCH, from the build arguments or a global ARG: seconds.
pub(super) fn epoch(options: &LowerOptions, globals: &Variables) -> Result<Option<i64>, LowerError> {
    let given = options.build_args.get(SOURCE_DATE_EPOCH).map(String::as_str);
    match given.or(globals.get(SOURCE_DATE_EPOCH)) {
        None | Some("") => Ok(None),
        Some(text) => match text.parse() {
            Ok(seconds) if jiff::Timestamp::from_second(seconds).is_ok() => Ok(Some(seconds)),
            _ => Err(LowerError::new(None, LowerFault::Epoch(text.to_owned()))),
        },
    }
}

/// Proxies among the build arguments, in both cases of letters, as every program finds its own. Dockerfile reference,
/// "Predefined ARGs".
pub(super) fn proxies(options: &LowerOptions) -> Vec<(String, String)> {
    let mut proxies = Vec::new();
    for name in ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"] {
        let is_it = |(given, _): &(&String, &String)| given.eq_ignore_ascii_case(name);
        let Some((_, value)) = options.build_args.iter().rfind(is_it) else {
            continue;
        };
        if !value.is_empty() {
            proxies.push((name.to_uppercase(), value.clone()));
            proxies.push((name.to_owned(), value.clone()));
        }
    }
    proxies
}
