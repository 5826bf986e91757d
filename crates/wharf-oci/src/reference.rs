//! Image references: registry, repository, tag, digest.
//!
//! The grammar and the normal form of the `distribution/reference` package, which is what Docker, containerd and BuildKit
//! take: `alpine` is `docker.io/library/alpine`. Digests other than SHA-256 are refused.

use std::{fmt, str::FromStr};

use crate::digest::Digest;

/// The registry of references that name none. Part of the reference syntax.
const DEFAULT_REGISTRY: &str = "docker.io";
/// Its other name, in old references.
const DEFAULT_REGISTRY_ALIAS: &str = "index.docker.io";
/// The host that serves its API.
const DEFAULT_REGISTRY_API: &str = "registry-1.docker.io";
/// What its accounts are filed under in Docker's `config.json`.
const DEFAULT_REGISTRY_ACCOUNT: &str = "https://index.docker.io/v1/";
/// Where repositories of the default registry are that have no owner.
const OFFICIAL: &str = "library/";
/// The longest `registry/repository`, by the grammar.
const MAX_NAME: usize = 255;
/// The longest tag, by the grammar.
const MAX_TAG: usize = 128;

/// A normalised image reference. Written in full; [`Reference::familiar`] is the short form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Host and port of the registry.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository in the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, if one was given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if one was given.
    pub const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// `registry/repository`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// This, and the tag `latest` if there is neither tag nor digest.
    #[must_use]
    pub fn or_latest(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some("latest".to_owned());
        }
        self
    }

    /// This with another tag and without digest. `tag` must be one.
    pub fn with_tag(&self, tag: &str) -> Result<Self, ParseReferenceError> {
        if !is_tag(tag) {
            return Err(ParseReferenceError::Invalid(tag.to_owned()));
        }
        Ok(Self {
            tag: Some(tag.to_owned()),
            digest: None,
            ..self.clone()
        })
    }

    /// This with a digest.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self {
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// As people write it: without the default registry and `library/`.
    pub fn familiar(&self) -> String {
        let name = match self.registry.as_str() {
            DEFAULT_REGISTRY => self
                .repository
                .strip_prefix(OFFICIAL)
                .unwrap_or(&self.repository)
                .to_owned(),
            _ => self.name(),
        };
        self.after_name(name)
    }

    fn after_name(&self, mut name: String) -> String {
        if let Some(tag) = &self.tag {
            name.push(':');
            name.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            name.push('@');
            name.push_str(&digest.to_string());
        }
        name
    }
}

/// The host that serves the API of `registry`: itself, save for the registry of references that name none.
pub fn api_host(registry: &str) -> &str {
    if registry == DEFAULT_REGISTRY {
        DEFAULT_REGISTRY_API
    } else {
        registry
    }
}

/// The names under which accounts of `registry` are filed, the one that Docker uses first.
pub fn account_names(registry: &str) -> Vec<&str> {
    match registry {
        DEFAULT_REGISTRY | DEFAULT_REGISTRY_API => vec![
            DEFAULT_REGISTRY_ACCOUNT,
            DEFAULT_REGISTRY,
            DEFAULT_REGISTRY_ALIAS,
            DEFAULT_REGISTRY_API,
        ],
        registry => vec![registry],
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.after_name(self.name()))
    }
}

/// Text that is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseReferenceError {
    /// It does not follow the grammar.
    #[error("`{0}` is not an image reference (like alpine:3.20 or example.com/team/app@sha256:…)")]
    Invalid(String),
    /// Repositories are in lower case.
    #[error("`{0}` is not an image reference: a repository's name is in lower case")]
    UpperCase(String),
    /// Longer than registries take.
    #[error("`{0}` is not an image reference: a name has at most {MAX_NAME} characters")]
    TooLong(String),
    /// 64 hex digits could be an image's ID.
    #[error("`{0}` is not an image reference: 64 hex digits alone name an image, not a repository")]
    Identifier(String),
}

impl FromStr for Reference {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, ParseReferenceError> {
        if Digest::from_hex(text).is_ok() {
            return Err(ParseReferenceError::Identifier(text.to_owned()));
        }
        let invalid = || ParseReferenceError::Invalid(text.to_owned());
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| invalid())?)),
            None => (text, None),
        };
        let (registry, rest) = split_registry(rest);
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) if is_tag(tag) => (repository, Some(tag.to_owned())),
            Some(_) => return Err(invalid()),
            None => (rest, None),
        };
        if repository.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(ParseReferenceError::UpperCase(text.to_owned()));
        }
        if !is_registry(registry) || !repository.split('/').all(is_component) {
            return Err(invalid());
        }
        let official = registry == DEFAULT_REGISTRY && !repository.contains('/');
        let reference = Self {
            registry: registry.to_owned(),
            repository: format!("{}{repository}", if official { OFFICIAL } else { "" }),
            tag,
            digest,
        };
        if reference.name().len() > MAX_NAME {
            return Err(ParseReferenceError::TooLong(text.to_owned()));
        }
        Ok(reference)
    }
}

/// The first component is a registry if it looks like a host: it has a dot, a port or capitals, or is `localhost`.
fn split_registry(text: &str) -> (&str, &str) {
    let (registry, rest) = match text.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
        Some((first, rest)) if first.bytes().any(|byte| byte.is_ascii_uppercase()) => (first, rest),
        _ => (DEFAULT_REGISTRY, text),
    };
    match registry {
        DEFAULT_REGISTRY_ALIAS => (DEFAULT_REGISTRY, rest),
        registry => (registry, rest),
    }
}

/// A host name, an IPv4 address or an IPv6 address in brackets; then perhaps a port.
fn is_registry(text: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(rest) = text.strip_prefix('[') {
        let Some((address, rest)) = rest.split_once(']') else {
            return false;
        };
        let is_address = address.parse::<std::net::Ipv6Addr>().is_ok();
        return is_address && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port));
    }
    let (host, port) = text
        .split_once(':')
        .map_or((text, None), |(host, port)| (host, Some(port)));
    host.split('.').all(is_host_label) && port.is_none_or(is_port)
}

fn is_host_label(label: &str) -> bool {
    let ends = !label.starts_with('-') && !label.ends_with('-');
    !label.is_empty()
        && ends
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Lower-case letters and digits; between them a `.`, a `_`, two `_`, or any number of `-`.
fn is_component(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut rest = text.as_bytes();
    loop {
        let word = rest.iter().take_while(|byte| is_word(**byte)).count();
        rest = &rest[word..];
        if word == 0 || rest.is_empty() {
            return word != 0;
        }
        let separator = rest.iter().take_while(|byte| !is_word(**byte)).count();
        let (between, after) = rest.split_at(separator);
        if !matches!(between, b"." | b"_" | b"__") && between.iter().any(|byte| *byte != b'-') {
            return false;
        }
        rest = after;
    }
}

fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= MAX_TAG
        && text.bytes().next().is_some_and(is_word)
        && text
            .bytes()
            .all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises() {
        let digest = Digest::of(b"");
        for (text, full, familiar) in [
            ("alpine", "docker.io/library/alpine", "alpine"),
            ("alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"),
            ("team/app", "docker.io/team/app", "team/app"),
            ("index.docker.io/alpine", "docker.io/library/alpine", "alpine"),
            ("docker.io/a/b", "docker.io/a/b", "a/b"),
            ("localhost/app", "localhost/app", "localhost/app"),
            ("localhost:5000/a__b/c-.d", "", ""),
            (
                "localhost:5000/a__b/c--d",
                "localhost:5000/a__b/c--d",
                "localhost:5000/a__b/c--d",
            ),
            (
                "Example.com/app:V_1.0-x",
                "Example.com/app:V_1.0-x",
                "Example.com/app:V_1.0-x",
            ),
            ("[::1]:5000/app", "[::1]:5000/app", "[::1]:5000/app"),
        ] {
            let parsed = text.parse::<Reference>();
            let forms = parsed.map_or_else(
                |_| Default::default(),
                |parsed| (parsed.to_string(), parsed.familiar()),
            );
            assert_eq!(forms, (full.to_owned(), familiar.to_owned()), "{text}");
        }
        let text = format!("alpine:3@{digest}");
        let reference: Reference = text.parse().unwrap();
        assert_eq!(reference.familiar(), text);
        assert_eq!((reference.tag(), reference.digest()), (Some("3"), Some(&digest)));
    }

    #[test]
    fn latest_only_where_nothing_else_is_said() {
        let latest = |text: &str| text.parse::<Reference>().unwrap().or_latest().familiar();
        assert_eq!(latest("alpine"), "alpine:latest");
        assert_eq!(latest("alpine:3"), "alpine:3");
        let digest = format!("alpine@{}", Digest::of(b""));
        assert_eq!(latest(&digest), digest);
    }

    #[test]
    fn refuses_what_registries_refuse() {
        let hex = "a".repeat(64);
        let long = "a".repeat(256);
        for text in [
            "",
            ":tag",
            "a:",
            "a/",
            "/a",
            "a//b",
            "a b",
            "A",
            "a/B",
            "a:b:c",
            "-a",
            "a-",
            "a._b",
            "a___b",
            "a@sha256:12",
            "$x",
            "a.b:x/c",
            "a/b:-x",
            "[::1/a",
            &hex,
            &long,
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
