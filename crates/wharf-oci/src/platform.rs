//! Platforms: operating system, CPU and its variant, in Go's words.
//!
//! OCI image specification, "Image Index", property `platform`; names and normal forms as containerd's `platforms` package has
//! them, since every builder and registry client follows it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::config::ImageConfig;

/// What an image is for. Always in normal form: `x86_64` is `amd64`, `arm64/v8` is `arm64`, `arm` is `arm/v7`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`.
    pub architecture: String,
    /// `v7`; empty is the architecture's usual one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Of Windows images; empty otherwise.
    #[serde(rename = "os.version", skip_serializing_if = "String::is_empty")]
    pub os_version: String,
}

/// A platform as documents have it, in whatever form.
#[derive(Deserialize)]
struct Written {
    os: String,
    architecture: String,
    #[serde(default)]
    variant: String,
    #[serde(default, rename = "os.version")]
    os_version: String,
}

impl From<Written> for Platform {
    fn from(written: Written) -> Self {
        let mut platform = Self::new(&written.os, &written.architecture, &written.variant);
        platform.os_version = written.os_version;
        platform
    }
}

impl Platform {
    /// The platform in normal form.
    pub fn new(os: &str, architecture: &str, variant: &str) -> Self {
        let (architecture, variant) = normalize(&architecture.to_lowercase(), &variant.to_lowercase());
        Self {
            os: normalize_os(os),
            architecture,
            variant,
            os_version: String::new(),
        }
    }

    /// The platform that this program was compiled for.
    pub fn host() -> Self {
        Self::new("linux", std::env::consts::ARCH, "")
    }

    /// What `config` says its image is for.
    pub fn of(config: &ImageConfig) -> Self {
        let mut platform = Self::new(
            &config.os,
            &config.architecture,
            config.variant.as_deref().unwrap_or_default(),
        );
        platform.os_version = config.os_version.clone().unwrap_or_default();
        platform
    }

    /// Whether programs of `other` run on this: the same CPU, or an older variant of it.
    pub fn runs(&self, other: &Self) -> bool {
        let same = self.os == other.os && self.architecture == other.architecture;
        // v5 < v6 < v7 as text; the usual variant, which is empty in normal form, is the lowest.
        same && self.variant >= other.variant
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.os)?;
        if !self.os_version.is_empty() {
            write!(f, "({})", self.os_version)?;
        }
        write!(f, "/{}", self.architecture)?;
        if self.variant.is_empty() {
            return Ok(());
        }
        write!(f, "/{}", self.variant)
    }
}

/// Text that names no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a platform (like linux/amd64 or linux/arm/v7)")]
pub struct ParsePlatformError(String);

impl FromStr for Platform {
    type Err = ParsePlatformError;

    /// `os`, `architecture`, `os/architecture` or `os/architecture/variant`; `os(version)` for `os`. What is left out is
    /// the host's.
    fn from_str(text: &str) -> Result<Self, ParsePlatformError> {
        let error = || ParsePlatformError(text.to_owned());
        let parts: Vec<&str> = text.split('/').collect();
        let (os, version) = split_version(parts[0]).ok_or_else(error)?;
        if parts.len() > 3 || parts[1..].iter().chain([&os]).any(|part| !is_word(part)) {
            return Err(error());
        }
        let host = Self::host();
        let mut platform = match parts[1..] {
            [] if KNOWN_OS.contains(&normalize_os(os).as_str()) => {
                Self::new(os, &host.architecture, &host.variant)
            }
            [] if KNOWN_ARCHITECTURES.contains(&normalize(os, "").0.as_str()) => Self::new(&host.os, os, ""),
            [architecture] => Self::new(os, architecture, ""),
            [architecture, variant] => Self::new(os, architecture, variant),
            _ => return Err(error()),
        };
        version.clone_into(&mut platform.os_version);
        Ok(platform)
    }
}

/// Go's operating systems and architectures (`go tool dist list`): what a single word may name.
const KNOWN_OS: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "illumos",
    "ios",
    "js",
    "linux",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
];
const KNOWN_ARCHITECTURES: &[&str] = &[
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le",
    "riscv64", "s390x", "wasm",
];

fn split_version(os: &str) -> Option<(&str, &str)> {
    match os.split_once('(') {
        Some((os, version)) => Some((os, version.strip_suffix(')')?)),
        None => Some((os, "")),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

fn normalize_os(os: &str) -> String {
    match os.to_lowercase().as_str() {
        "macos" => "darwin".to_owned(),
        os => os.to_owned(),
    }
}

fn normalize(architecture: &str, variant: &str) -> (String, String) {
    let (architecture, variant) = match (architecture, variant) {
        ("i386", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
        ("x86_64" | "x86-64" | "amd64", variant) => ("amd64", variant),
        ("aarch64" | "arm64", "8" | "v8") => ("arm64", ""),
        ("aarch64" | "arm64", variant) => ("arm64", variant),
        ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
        ("armel", _) | ("arm", "6") => ("arm", "v6"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "8") => ("arm", "v8"),
        other => other,
    };
    (architecture.to_owned(), variant.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_one_normal_form() {
        for (text, normal) in [
            ("linux/amd64", "linux/amd64"),
            ("LINUX/x86_64", "linux/amd64"),
            ("linux/aarch64", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/armel", "linux/arm/v6"),
            ("arm64", "linux/arm64"),
            ("macos/arm64", "darwin/arm64"),
            ("windows(10.0.17763)/amd64", "windows(10.0.17763)/amd64"),
        ] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), normal, "{text}");
        }
    }

    #[test]
    fn documents_are_read_into_normal_form() {
        let platform: Platform =
            serde_json::from_str(r#"{"os":"linux","architecture":"arm64","variant":"v8"}"#).unwrap();
        assert_eq!(
            serde_json::to_string(&platform).unwrap(),
            r#"{"os":"linux","architecture":"arm64"}"#
        );
    }

    #[test]
    fn refuses_what_names_none() {
        for text in [
            "",
            "linux/",
            "/amd64",
            "a/b/c/d",
            "linux amd64",
            "linux/$ARCH",
            "toaster",
            "windows(10/amd64",
        ] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }

    #[test]
    fn newer_cpus_run_older_programs() {
        let parse = |text: &str| text.parse::<Platform>().unwrap();
        assert!(parse("linux/arm/v7").runs(&parse("linux/arm/v6")));
        assert!(!parse("linux/arm/v6").runs(&parse("linux/arm")));
        assert!(parse("linux/amd64/v3").runs(&parse("linux/amd64")));
        assert!(!parse("linux/amd64").runs(&parse("linux/arm64")));
    }
}
