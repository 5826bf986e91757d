//! Whose keys vouch for an archive, and where they are found: in the entry, with the machine's apt, or carried by the program.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    host::HostApt,
    keyring::Keyring,
    origin::{Archive, OriginError},
    sources::SignedBy,
};

/// Whose keys vouch for an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    /// Those that the entry names.
    Entry,
    /// The distribution's own.
    Distribution(Distribution),
}

/// Distributions that settings can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Distribution {
    /// Debian.
    Debian,
    /// Ubuntu.
    Ubuntu,
}

/// Debian's archive keys as its keyring package has them; `data/README.md` says which.
const DEBIAN_KEYS: &[u8] = include_bytes!("../../data/debian-archive-keyring.gpg");

/// Ubuntu's archive keys, likewise.
const UBUNTU_KEYS: &[u8] = include_bytes!("../../data/ubuntu-archive-keyring.gpg");

impl Archive {
    /// The keys that may sign this archive, read from the machine.
    pub fn keyring(&self, host: &HostApt) -> Result<Keyring, OriginError> {
        match (self.keys, &self.entry.signed_by) {
            (Keys::Distribution(distribution), _) => distribution_keys(distribution, host),
            (Keys::Entry, SignedBy::Trusted) => read_all(&host.trusted_keys),
            (Keys::Entry, SignedBy::Embedded(armored)) => {
                parse(armored.as_bytes(), &self.entry.file.display())
            }
            (Keys::Entry, SignedBy::Keys { files, fingerprints }) => {
                let files: Vec<_> = files.iter().map(|file| host.path(file)).collect();
                let mut ring = read_all(if files.is_empty() {
                    &host.trusted_keys
                } else {
                    &files
                })?;
                if !fingerprints.is_empty() {
                    ring.restrict(fingerprints);
                }
                Ok(ring)
            }
        }
    }
}

/// A distribution's own keys: those that the program carries, and the machine's copy of its keyring package, which may be newer.
fn distribution_keys(distribution: Distribution, host: &HostApt) -> Result<Keyring, OriginError> {
    let mut ring = parse(distribution.carried(), &"the program")?;
    let path = host.path(Path::new(distribution.keyring_path()));
    if path.exists() {
        ring.extend(read_all(std::slice::from_ref(&path))?);
    }
    Ok(ring)
}

impl Distribution {
    /// `ID` of its os-release.
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Debian => "debian",
            Self::Ubuntu => "ubuntu",
        }
    }

    /// Where the distribution's keyring package puts its keys.
    const fn keyring_path(self) -> &'static str {
        match self {
            Self::Debian => "/usr/share/keyrings/debian-archive-keyring.gpg",
            Self::Ubuntu => "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
        }
    }

    const fn carried(self) -> &'static [u8] {
        match self {
            Self::Debian => DEBIAN_KEYS,
            Self::Ubuntu => UBUNTU_KEYS,
        }
    }
}

fn read_all(files: &[PathBuf]) -> Result<Keyring, OriginError> {
    let mut ring = Keyring::default();
    for path in files {
        let bytes = fs::read(path).map_err(|source| OriginError::KeyFile {
            path: path.clone(),
            source,
        })?;
        ring.extend(parse(&bytes, &path.display())?);
    }
    Ok(ring)
}

fn parse(bytes: &[u8], place: &dyn std::fmt::Display) -> Result<Keyring, OriginError> {
    Keyring::parse(bytes).map_err(|source| OriginError::Keyring {
        place: place.to_string(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_carried_keys_can_be_read() {
        assert!(!Keyring::parse(DEBIAN_KEYS).unwrap().is_empty());
        let mut ubuntu = Keyring::parse(UBUNTU_KEYS).unwrap().fingerprints().join(" ");
        ubuntu.make_ascii_uppercase();
        assert_eq!(
            ubuntu,
            "790BC7277767219C42C86F933B4FE6ACC0B21F32 F6ECB3762474EDA9D21B7022871920D1991BC93C"
        );
    }
}
