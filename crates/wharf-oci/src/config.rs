//! The image configuration document: what an image runs as, what it was made of, and how.
//!
//! OCI image specification, "Image Configuration", with Docker's additions (`Healthcheck`, `OnBuild`, `Shell`,
//! `ArgsEscaped`: Docker image specification v1.3). Members that neither names are dropped on reading, as BuildKit drops
//! them; `null` stands for "absent" everywhere, as Go writes it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Digest;

/// A whole image configuration: the document that an image's ID is the digest of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageConfig {
    /// When the image was made: RFC 3339, kept as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub author: String,
    /// The CPU, in Go's words: `amd64`, `arm64`.
    #[serde(deserialize_with = "null_is_default")]
    pub architecture: String,
    /// The operating system, in Go's words.
    #[serde(deserialize_with = "null_is_default")]
    pub os: String,
    /// Only Windows images have one.
    #[serde(rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Only Windows images have some.
    #[serde(
        rename = "os.features",
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub os_features: Vec<String>,
    /// The CPU's variant: `v7`, `v8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// What a container of this image starts as.
    #[serde(deserialize_with = "null_is_default")]
    pub config: Execution,
    /// The layers.
    #[serde(deserialize_with = "null_is_default")]
    pub rootfs: RootFs,
    /// One entry an instruction, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub history: Vec<History>,
}

/// How a container starts: the specification's `config` member.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Execution {
    /// `user[:group]`, names or numbers; empty is root.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub user: String,
    /// `port/protocol`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", with = "set_as_object")]
    pub exposed_ports: BTreeSet<String>,
    /// `NAME=value`, in the order in which the names were first set.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub env: Vec<String>,
    /// What is always run; empty is none.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub entrypoint: Vec<String>,
    /// Its default arguments, or the command when there is no entry point.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub cmd: Vec<String>,
    /// How to see whether the container is well. Docker's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// Whether `cmd` is one escaped string already: only Windows cares, Docker's builders always say so. Docker's.
    #[serde(skip_serializing_if = "is_false", deserialize_with = "null_is_default")]
    pub args_escaped: bool,
    /// Paths that hold data of the container's own.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", with = "set_as_object")]
    pub volumes: BTreeSet<String>,
    /// Where the process starts; empty is `/`.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub working_dir: String,
    /// Instructions for builds on top of this image. Docker's.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub on_build: Vec<String>,
    /// Free-form facts.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub labels: BTreeMap<String, String>,
    /// The signal that ends the container: a name or a number; empty is SIGTERM.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub stop_signal: String,
    /// What shell forms are given to; empty is `/bin/sh -c`. Docker's.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub shell: Vec<String>,
}

/// A health check. Zero means "inherit", as in Docker's specification.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", arg…]` or `["CMD-SHELL", command]`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub test: Vec<String>,
    /// Between two checks, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub interval: i64,
    /// Until a check counts as hung, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub timeout: i64,
    /// In which failures do not count, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_period: i64,
    /// Between two checks during the start period, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// How many failures in a row make a container unhealthy.
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: i64,
}

/// The layers of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The diff IDs, base layer first.
    #[serde(deserialize_with = "null_is_default")]
    pub diff_ids: Vec<Digest>,
}

impl Default for RootFs {
    fn default() -> Self {
        Self {
            kind: "layers".to_owned(),
            diff_ids: Vec::new(),
        }
    }
}

/// What one instruction did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// When: RFC 3339, kept as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The instruction.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub created_by: String,
    /// Who wrote it.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub author: String,
    /// Which tool wrote the entry.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub comment: String,
    /// Whether the instruction made no layer.
    #[serde(skip_serializing_if = "is_false", deserialize_with = "null_is_default")]
    pub empty_layer: bool,
}

impl ImageConfig {
    /// Reads a document. `bytes` are what a registry, a layout or an archive holds.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ConfigError> {
        serde_json::from_slice(bytes).map_err(ConfigError)
    }

    /// The document's bytes: compact, members in the order of the specification. Equal values give equal bytes.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings, numbers and maps with string keys are JSON")
    }
}

impl Execution {
    /// The value of the variable `name`.
    pub fn env_value(&self, name: &str) -> Option<&str> {
        self.env
            .iter()
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// Sets a variable: in its old place if it is there, else at the end (as Docker and BuildKit order them).
    pub fn set_env(&mut self, name: &str, value: &str) {
        let pair = [name, "=", value].concat();
        let is_it = |old: &&mut String| old.split('=').next() == Some(name);
        match self.env.iter_mut().find(is_it) {
            Some(old) => *old = pair,
            None => self.env.push(pair),
        }
    }
}

/// Bytes that are no image configuration.
#[derive(Debug, thiserror::Error)]
#[error("not an image configuration")]
pub struct ConfigError(#[source] serde_json::Error);

fn null_is_default<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

// serde hands references to predicates.
#[expect(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref)]
fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// Go's `map[string]struct{}`: an object whose values are all `{}`.
mod set_as_object {
    use std::collections::{BTreeMap, BTreeSet};

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::IgnoredAny};

    #[derive(Serialize)]
    struct Empty {}

    pub(super) fn serialize<S: Serializer>(set: &BTreeSet<String>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(set.iter().map(|key| (key, Empty {})))
    }

    // That is what the document is; a set would have to be an array.
    #[expect(clippy::zero_sized_map_values)]
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeSet<String>, D::Error> {
        let map = Option::<BTreeMap<String, IgnoredAny>>::deserialize(deserializer)?;
        Ok(map.unwrap_or_default().into_keys().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_docker_writes() {
        let document = br#"{"architecture":"amd64","config":{"Hostname":"","Env":["PATH=/bin"],"Cmd":["sh"],
            "ExposedPorts":{"80/tcp":{}},"Volumes":null,"Entrypoint":null,"OnBuild":null,"Labels":null,
            "Healthcheck":{"Test":["CMD","true"],"Interval":5000000000}},"container":"x","os":"linux",
            "rootfs":{"type":"layers","diff_ids":null},"history":[{"created_by":"RUN x","empty_layer":true}]}"#;
        let config = ImageConfig::from_json(document).unwrap();
        assert_eq!(config.config.cmd, ["sh"]);
        assert_eq!(
            config.config.healthcheck.as_ref().unwrap().interval,
            5_000_000_000
        );
        assert_eq!(
            String::from_utf8(config.to_json()).unwrap(),
            r#"{"architecture":"amd64","os":"linux","config":{"ExposedPorts":{"80/tcp":{}},"Env":["PATH=/bin"],"Cmd":["sh"],"Healthcheck":{"Test":["CMD","true"],"Interval":5000000000}},"rootfs":{"type":"layers","diff_ids":[]},"history":[{"created_by":"RUN x","empty_layer":true}]}"#
        );
    }

    #[test]
    fn a_variable_keeps_its_place() {
        let mut config = Execution::default();
        for (name, value) in [("A", "1"), ("B", "2"), ("A", "3")] {
            config.set_env(name, value);
        }
        assert_eq!(config.env, ["A=3", "B=2"]);
        assert_eq!(config.env_value("A"), Some("3"));
        assert_eq!(config.env_value("C"), None);
    }

    #[test]
    fn refuses_other_documents() {
        for bytes in [&b"7"[..], b"", br#"{"config":{"Env":"x"}}"#] {
            assert!(ImageConfig::from_json(bytes).is_err());
        }
    }
}
