//! From a base's settings to archives: which addresses, which suites, whose keys.
//!
//! No address is compiled in. `apt = "host"` takes the machine's sources as they are; `debian` and `ubuntu` take the address
//! from the caller's settings or from the machine's own sources, when it runs the same distribution.

use std::{io, path::PathBuf};

use super::{
    archive_keys::{Distribution, Keys},
    host::{HostApt, HostError},
    keyring::KeyringError,
    sources::{SignedBy, SourceEntry},
};
use crate::settings::{BaseSettings, Origin};

/// Addresses that the machine's settings name, and where they would stand.
#[derive(Debug, Clone, Default)]
pub struct Mirrors {
    /// Root URL of a Debian archive.
    pub debian: Option<String>,
    /// Root URL of a Debian security archive.
    pub debian_security: Option<String>,
    /// Root URL of an Ubuntu archive.
    pub ubuntu: Option<String>,
    /// The settings file that a user would write them to, for hints.
    pub settings_file: PathBuf,
}

/// One archive of a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Address, suite and components; for one architecture already.
    pub entry: SourceEntry,
    /// Whether the variant's packages are chosen here: the suite itself, not its updates.
    pub primary: bool,
    /// Whose keys vouch for it.
    pub(super) keys: Keys,
}

/// Why a base has no archives to come from.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// The machine's apt configuration could not be read.
    #[error("cannot use this machine's apt configuration")]
    Host(#[from] HostError),
    /// The machine has no apt sources for this architecture.
    #[error("this machine's apt has no sources for {architecture}")]
    NoSources {
        /// The base's architecture.
        architecture: String,
    },
    /// Nobody names an address.
    #[error("no {archive} archive is known: neither the settings nor this machine's apt sources name one")]
    NoMirror {
        /// The archive, as people call it.
        archive: &'static str,
        /// The key under `[mirror]`.
        key: &'static str,
        /// The settings file that it belongs in.
        settings_file: PathBuf,
    },
    /// An entry waives signatures.
    #[error("{}: {uri} is marked trusted=yes, but every archive must be signed", file.display())]
    Unsigned {
        /// The sources file.
        file: PathBuf,
        /// The archive.
        uri: String,
    },
    /// An address that wharf cannot fetch from.
    #[error("{}: {uri} is neither http, https nor file", file.display())]
    Scheme {
        /// The sources file.
        file: PathBuf,
        /// The archive.
        uri: String,
    },
    /// A key file cannot be read.
    #[error("cannot read the archive keys in {}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key file holds no keys.
    #[error("{place} holds no archive keys")]
    Keyring {
        /// The file, or the entry.
        place: String,
        /// Why.
        source: KeyringError,
    },
}

impl OriginError {
    /// What the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoMirror {
                archive,
                key,
                settings_file,
            } => Some(format!(
                "add to {}:\n[mirror]\n{key} = \"<address of a mirror of the {archive} archive>\"",
                settings_file.display()
            )),
            Self::NoSources { architecture } => Some(format!(
                "add sources for {architecture} to /etc/apt, or name `debian` or `ubuntu` instead of `apt`"
            )),
            Self::Unsigned { file, .. } => Some(format!(
                "name the archive's key with Signed-By in {}",
                file.display()
            )),
            _ => None,
        }
    }
}

/// Debian suites without companions for updates and security.
const ROLLING: &[&str] = &["sid", "unstable", "experimental", "rc-buggy"];

/// The archives of a base for one architecture, the base's own suite first where the settings name it.
pub fn archives(
    settings: &BaseSettings,
    host: &HostApt,
    mirrors: &Mirrors,
    architecture: &str,
) -> Result<Vec<Archive>, OriginError> {
    let archives = match &settings.origin {
        Origin::Host => host_archives(settings, host, architecture)?,
        Origin::Debian(suite) => debian(settings, host, mirrors, suite)?,
        Origin::Ubuntu(suite) => ubuntu(settings, host, mirrors, suite)?,
    };
    archives.iter().try_for_each(|archive| check(&archive.entry))?;
    Ok(archives)
}

fn check(entry: &SourceEntry) -> Result<(), OriginError> {
    let (file, uri) = (entry.file.clone(), entry.public_uri());
    if entry.trusted {
        return Err(OriginError::Unsigned { file, uri });
    }
    let known = ["http://", "https://", "file:/", "copy:/"]
        .iter()
        .any(|scheme| entry.uri.starts_with(scheme));
    known.then_some(()).ok_or(OriginError::Scheme { file, uri })
}

fn host_archives(
    settings: &BaseSettings,
    host: &HostApt,
    architecture: &str,
) -> Result<Vec<Archive>, OriginError> {
    let mut entries: Vec<_> = host
        .sources
        .iter()
        .filter_map(|entry| entry.for_architecture(architecture))
        .collect();
    let first = entries.first().ok_or_else(|| OriginError::NoSources {
        architecture: architecture.to_owned(),
    })?;
    let codename = host
        .codename
        .as_deref()
        .filter(|name| entries.iter().any(|entry| entry.suite == *name));
    let suite = codename.unwrap_or(&first.suite).to_owned();
    if !settings.components.is_empty() {
        let own: Vec<_> = host.own_sources().map(|entry| entry.suite.clone()).collect();
        for entry in entries.iter_mut().filter(|entry| own.contains(&entry.suite)) {
            entry.components.clone_from(&settings.components);
        }
    }
    let archive = |entry: SourceEntry| Archive {
        primary: entry.suite == suite,
        entry,
        keys: Keys::Entry,
    };
    Ok(entries.into_iter().map(archive).collect())
}

fn debian(
    settings: &BaseSettings,
    host: &HostApt,
    mirrors: &Mirrors,
    suite: &str,
) -> Result<Vec<Archive>, OriginError> {
    let known = Known {
        host,
        mirrors,
        distribution: Distribution::Debian,
    };
    let main = known.address(mirrors.debian.as_ref(), &[""], "Debian", "debian")?;
    let mut sites = vec![(main.clone(), suite.to_owned())];
    if !ROLLING.contains(&suite) {
        let suffixes = ["-security", "/updates"];
        let security = known.address(
            mirrors.debian_security.as_ref(),
            &suffixes,
            "Debian security",
            "debian_security",
        )?;
        sites.push((main, format!("{suite}-updates")));
        sites.push((security, format!("{suite}-security")));
    }
    Ok(known.archives(sites, settings))
}

fn ubuntu(
    settings: &BaseSettings,
    host: &HostApt,
    mirrors: &Mirrors,
    suite: &str,
) -> Result<Vec<Archive>, OriginError> {
    let known = Known {
        host,
        mirrors,
        distribution: Distribution::Ubuntu,
    };
    let main = known.address(mirrors.ubuntu.as_ref(), &[""], "Ubuntu", "ubuntu")?;
    let suites = ["", "-updates", "-security"].map(|suffix| (main.clone(), format!("{suite}{suffix}")));
    Ok(known.archives(suites.to_vec(), settings))
}

struct Known<'a> {
    host: &'a HostApt,
    mirrors: &'a Mirrors,
    distribution: Distribution,
}

impl Known<'_> {
    /// The settings' address, else that of the machine's own suite with one of these suffixes.
    fn address(
        &self,
        set: Option<&String>,
        suffixes: &[&str],
        archive: &'static str,
        key: &'static str,
    ) -> Result<String, OriginError> {
        let codename = self.host.codename.as_deref().unwrap_or_default();
        let same = self.host.distribution.as_deref() == Some(self.distribution.id());
        let meant = |entry: &&SourceEntry| {
            let suffix = entry.suite.strip_prefix(codename);
            same && suffix.is_some_and(|suffix| suffixes.contains(&suffix))
        };
        let found = set
            .cloned()
            .or_else(|| self.host.own_sources().find(meant).map(|entry| entry.uri.clone()));
        let settings_file = self.mirrors.settings_file.clone();
        found.ok_or(OriginError::NoMirror {
            archive,
            key,
            settings_file,
        })
    }

    fn archives(&self, sites: Vec<(String, String)>, settings: &BaseSettings) -> Vec<Archive> {
        let main = vec!["main".to_owned()];
        let components = if settings.components.is_empty() {
            main
        } else {
            settings.components.clone()
        };
        let entry = |(uri, suite): (String, String)| SourceEntry {
            uri: uri.trim_end_matches('/').to_owned(),
            suite,
            components: components.clone(),
            architectures: Vec::new(),
            signed_by: SignedBy::Trusted,
            trusted: false,
            check_valid_until: None,
            file: self.mirrors.settings_file.clone(),
        };
        let keys = Keys::Distribution(self.distribution);
        let entries = sites.into_iter().map(entry).enumerate();
        entries
            .map(|(position, entry)| Archive {
                primary: position == 0,
                entry,
                keys,
            })
            .collect()
    }
}

impl Archive {
    /// The directory of its Release file, below its address.
    pub fn directory(&self) -> String {
        match self.entry.suite.strip_suffix('/') {
            Some(flat) => flat.trim_start_matches("./").to_owned(),
            None => format!("dists/{}", self.entry.suite),
        }
    }

    /// Whether it is flat: one index beside the Release file.
    pub fn is_flat(&self) -> bool {
        self.entry.suite.ends_with('/')
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn settings(text: &str) -> BaseSettings {
        BaseSettings::try_from(text.parse::<toml::Table>().unwrap()).unwrap()
    }

    fn host(list: &str) -> HostApt {
        let root = tempfile::tempdir().unwrap();
        let apt = root.path().join("etc/apt");
        fs::create_dir_all(&apt).unwrap();
        fs::write(apt.join("sources.list"), list).unwrap();
        fs::write(
            root.path().join("etc/os-release"),
            "ID=debian\nVERSION_CODENAME=bookworm\n",
        )
        .unwrap();
        HostApt::read(root.path()).unwrap()
    }

    const LIST: &str = "deb http://example.test/debian bookworm main\n\
        deb http://example.test/security bookworm-security main\ndeb http://other.test/x stable extra\n";

    fn sites(archives: &[Archive]) -> Vec<(String, String, bool)> {
        let site = |one: &Archive| (one.entry.uri.clone(), one.entry.suite.clone(), one.primary);
        archives.iter().map(site).collect()
    }

    #[test]
    fn the_hosts_sources_are_taken_as_they_are() {
        let host = host(LIST);
        let archives = archives(&settings("apt = 'host'"), &host, &Mirrors::default(), "amd64").unwrap();
        assert_eq!(archives.len(), 3);
        assert_eq!(
            archives.iter().map(|one| one.primary).collect::<Vec<_>>(),
            [true, false, false]
        );
        let more = settings("apt = 'host'\ncomponents = ['main', 'contrib']");
        let archives = super::archives(&more, &host, &Mirrors::default(), "amd64").unwrap();
        assert_eq!(archives[1].entry.components, ["main", "contrib"]);
        assert_eq!(archives[2].entry.components, ["extra"]);
    }

    #[test]
    fn a_distribution_comes_from_the_settings_or_from_a_host_of_its_kind() {
        let trixie = settings("debian = 'trixie'");
        let found = archives(&trixie, &host(LIST), &Mirrors::default(), "amd64").unwrap();
        let site = |uri: &str, suite: &str, primary| (uri.to_owned(), suite.to_owned(), primary);
        assert_eq!(
            sites(&found),
            [
                site("http://example.test/debian", "trixie", true),
                site("http://example.test/debian", "trixie-updates", false),
                site("http://example.test/security", "trixie-security", false),
            ]
        );
        let mirrors = Mirrors {
            debian: Some("https://mirror.test/d/".into()),
            ..Mirrors::default()
        };
        let found = archives(&settings("debian = 'sid'"), &host(""), &mirrors, "amd64").unwrap();
        assert_eq!(sites(&found), [site("https://mirror.test/d", "sid", true)]);
    }

    #[test]
    fn without_an_address_the_error_says_what_to_write() {
        let mirrors = Mirrors {
            settings_file: "/home/me/config.toml".into(),
            ..Mirrors::default()
        };
        let error = archives(&settings("ubuntu = 'noble'"), &host(LIST), &mirrors, "amd64").unwrap_err();
        let hint = error.hint().unwrap();
        assert!(
            hint.starts_with("add to /home/me/config.toml:\n[mirror]\nubuntu = \""),
            "{hint}"
        );
        let error = archives(&settings("debian = 'trixie'"), &host(""), &mirrors, "amd64").unwrap_err();
        assert!(
            error.to_string().starts_with("no Debian archive is known"),
            "{error}"
        );
    }

    #[test]
    fn refuses_what_is_not_signed_or_not_fetchable() {
        for (line, message) in [
            (
                "deb [trusted=yes] http://example.test/x s main",
                "marked trusted=yes",
            ),
            ("deb cdrom:[x]/ s main", "neither http, https nor file"),
        ] {
            let error = archives(
                &settings("apt = 'host'"),
                &host(line),
                &Mirrors::default(),
                "amd64",
            )
            .unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
    }
}
