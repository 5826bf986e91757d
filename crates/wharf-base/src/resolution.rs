//! Which exact packages a base is made of.

use serde::{Deserialize, Serialize};
use wharf_oci::{Digest, Hasher};

use crate::plan::{BaseKey, Package, Reason};

/// The packages of a base, chosen from verified archives or taken from a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// The base's architecture in the distribution's words, then foreign ones.
    pub architectures: Vec<String>,
    /// The archives; packages name theirs by position.
    pub archives: Vec<ArchiveState>,
    /// The packages, sorted by name.
    pub packages: Vec<Package>,
    /// For a base that may lack what configures it: the packages of its helper, sorted by name.
    pub helper: Option<Vec<Package>>,
    /// What the base's own package manager shall know as its sources.
    pub sources: String,
    /// Whether packages that were not asked for are marked as such.
    pub marks_dependencies: bool,
}

/// An archive and the state in which it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveState {
    /// The suite.
    pub suite: String,
    /// The components.
    pub components: Vec<String>,
    /// The digest of the Release file that vouches for it.
    pub state: Digest,
    /// Where it is now. Not kept: an address may hold a password, and a lock is used with other mirrors.
    #[serde(skip)]
    pub uri: String,
}

impl ArchiveState {
    /// What a lock keeps of it.
    pub(crate) fn without_address(&self) -> Self {
        Self {
            uri: String::new(),
            ..self.clone()
        }
    }
}

/// Raised whenever the same packages are made into a base in another way.
const VERSION: &str = "wharf-base 1";

impl Resolution {
    /// Names the base that these packages make.
    pub fn key(&self) -> BaseKey {
        let mut hasher = Hasher::new();
        let mut add = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        add(VERSION);
        add(&self.architectures.join(" "));
        add(&self.sources);
        add(if self.marks_dependencies { "marks" } else { "" });
        for (list, packages) in [
            ("packages", Some(&self.packages)),
            ("helper", self.helper.as_ref()),
        ] {
            add(list);
            for package in packages.into_iter().flatten() {
                add(&format!(
                    "{} {} {:?}",
                    package.name, package.sha256, package.reason
                ));
            }
        }
        BaseKey(hasher.finish())
    }

    /// The helper as a base of its own: without sources, since nobody will use it as an image.
    pub fn of_helper(&self) -> Option<Self> {
        let packages = self.helper.clone()?;
        Some(Self {
            packages,
            helper: None,
            sources: String::new(),
            marks_dependencies: false,
            ..self.clone()
        })
    }

    /// Length of all package files together, in bytes.
    pub fn download_size(&self) -> u64 {
        self.packages.iter().map(|package| package.size).sum()
    }

    /// Where a package's file is.
    pub fn url(&self, package: &Package) -> String {
        let uri = self
            .archives
            .get(package.archive)
            .map_or("", |archive| &archive.uri);
        format!("{uri}/{}", escape(&package.path))
    }

    /// Packages that nobody asked for.
    pub fn dependencies(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| package.reason == Reason::Dependency)
    }
}

/// File names hold `%3a` where versions have a colon: that `%` is meant.
fn escape(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"%#?\"<>\\^`{|}".contains(&byte);
    let byte = |byte: u8| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    path.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolution() -> Resolution {
        let package = Package {
            name: "a".into(),
            version: "1:2".into(),
            architecture: "amd64".into(),
            sha256: Digest::of(b"a"),
            size: 3,
            path: "pool/a_1%3a2+x~y.deb".into(),
            archive: 0,
            reason: Reason::Asked,
        };
        let archive = ArchiveState {
            suite: "s".into(),
            components: vec!["main".into()],
            state: Digest::of(b"s"),
            uri: "http://example.test/debian".into(),
        };
        Resolution {
            architectures: vec!["amd64".into()],
            archives: vec![archive],
            packages: vec![package],
            helper: None,
            sources: String::new(),
            marks_dependencies: false,
        }
    }

    #[test]
    fn file_names_are_escaped() {
        let resolution = resolution();
        let url = resolution.url(&resolution.packages[0]);
        assert_eq!(url, "http://example.test/debian/pool/a_1%253a2+x~y.deb");
    }

    #[test]
    fn the_key_is_of_the_content_not_of_the_place() {
        let one = resolution();
        let mut moved = one.clone();
        moved.archives[0].uri = "https://mirror.test".into();
        moved.archives[0].state = Digest::of(b"later");
        assert_eq!(one.key(), moved.key());
        let mut other = one.clone();
        other.packages[0].sha256 = Digest::of(b"b");
        assert_ne!(one.key(), other.key());
        let helped = Resolution {
            helper: Some(one.packages.clone()),
            packages: vec![],
            ..one.clone()
        };
        assert_ne!(one.key(), helped.key());
    }
}
