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

impl Archive {
    /// The keys that may sign this archive, read from the machine.
    pub fn keyring(&self, host: &HostApt) -> Result<Keyring, OriginError> {
        match (self.keys, &self.entry.signed_by) {
            (Keys::Distribution(distribution), _) => self.distribution_keys(distribution, host),
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

    fn distribution_keys(&self, distribution: Distribution, host: &HostApt) -> Result<Keyring, OriginError> {
        let path = host.path(Path::new(distribution.keyring_path()));
        let mut ring = Keyring::default();
        if let Some(bytes) = distribution.carried() {
            ring.extend(parse(bytes, &"the program")?);
        }
        if path.exists() {
            ring.extend(read_all(std::slice::from_ref(&path))?);
        }
        let uri = self.entry.public_uri();
        (!ring.is_empty()).then_some(ring).ok_or(OriginError::NoKeys {
            uri,
            place: distribution.keyring_path().into(),
        })
    }
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

    const fn carried(self) -> Option<&'static [u8]> {
        match self {
            Self::Debian => Some(DEBIAN_KEYS),
            Self::Ubuntu => None,
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
        assert!(Keyring::parse(b"").map_or(true, |ring| ring.is_empty()));
    }
}
