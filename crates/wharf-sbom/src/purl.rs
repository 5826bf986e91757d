//! Package URLs: `pkg:deb/debian/curl@8.5.0-2?arch=amd64`.
//!
//! The package-url specification, "Rules for each purl component"; its type definitions for what each type folds.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A package URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Purl(String);

impl Purl {
    /// A package URL. `namespace` may be empty or have several parts; qualifiers without a value are left out.
    pub fn new(kind: &str, namespace: &str, name: &str, version: &str, qualifiers: &[(&str, &str)]) -> Self {
        let mut text = format!("pkg:{kind}");
        let parts = namespace.split('/').filter(|part| !part.is_empty());
        for part in parts.chain([name]) {
            text.push('/');
            // As BuildKit writes a registry's port.
            let mut encoded = String::new();
            encode(part, &mut encoded);
            text.push_str(&encoded.replace(':', "%3A"));
        }
        if !version.is_empty() {
            text.push('@');
            encode(version, &mut text);
        }
        let mut qualifiers: Vec<_> = qualifiers.iter().filter(|(_, value)| !value.is_empty()).collect();
        qualifiers.sort();
        for (index, (key, value)) in qualifiers.into_iter().enumerate() {
            text.push(if index == 0 { '?' } else { '&' });
            text.push_str(key);
            text.push('=');
            encode(value, &mut text);
        }
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Percent-encodes all but unreserved characters and the colon.
fn encode(text: &str, out: &mut String) {
    use fmt::Write as _;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~' | b':') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_encoded() {
        let check = |purl: Purl, expected: &str| assert_eq!(purl.as_str(), expected);
        check(
            Purl::new(
                "deb",
                "debian",
                "libstdc++6",
                "14.2.0-19",
                &[("distro", "debian-13"), ("arch", "amd64")],
            ),
            "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=amd64&distro=debian-13",
        );
        check(
            Purl::new("npm", "@types", "node", "20.1.0", &[]),
            "pkg:npm/%40types/node@20.1.0",
        );
        check(
            Purl::new("golang", "golang.org/x", "sys", "v0.1.0", &[("type", "")]),
            "pkg:golang/golang.org/x/sys@v0.1.0",
        );
        check(
            Purl::new("deb", "", "a", "1:2~rc1+b2", &[]),
            "pkg:deb/a@1:2~rc1%2Bb2",
        );
        check(
            Purl::new("docker", "", "alpine", "3", &[("platform", "linux/amd64")]),
            "pkg:docker/alpine@3?platform=linux%2Famd64",
        );
    }
}
