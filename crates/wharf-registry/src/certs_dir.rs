//! `certs.d`: CAs and client certificates by registry.
//!
//! containers-certs.d(5), which is Docker's layout too: in `certs.d/<host[:port]>/`, every `*.crt` is a CA, and
//! `*.cert` with the `*.key` of the same name is the client's certificate.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use wharf_http::Identity;

/// Why a registry's certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertsError {
    /// A file or folder cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A client certificate without its key.
    #[error("{} has no {} beside it", certificate.display(), key.display())]
    NoKey {
        /// The certificate.
        certificate: PathBuf,
        /// The name of the file that is missing.
        key: PathBuf,
    },
}

/// What is known of one registry.
#[derive(Debug, Default)]
pub(crate) struct Certs {
    /// CAs, PEM texts.
    pub(crate) authorities: Vec<Vec<u8>>,
    /// The client's certificate.
    pub(crate) identity: Option<Identity>,
}

impl Certs {
    /// What `dirs`, the `certs.d` folders, have about `registry`. CAs add up; the first client certificate counts.
    pub(crate) fn read(dirs: &[PathBuf], registry: &str) -> Result<Self, CertsError> {
        let mut certs = Self::default();
        // Not a path of its own making: a registry's name has no slash.
        for dir in dirs.iter().map(|dir| dir.join(registry)) {
            for path in files(&dir)? {
                certs.add(&path)?;
            }
        }
        Ok(certs)
    }

    fn add(&mut self, path: &Path) -> Result<(), CertsError> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("crt") => self.authorities.push(read(path)?),
            Some("cert") if self.identity.is_none() => {
                let key = path.with_extension("key");
                if !key.exists() {
                    let certificate = path.to_owned();
                    let key = key.file_name().map(PathBuf::from).unwrap_or_default();
                    return Err(CertsError::NoKey { certificate, key });
                }
                self.identity = Some(Identity {
                    certificate: read(path)?,
                    key: read(&key)?,
                });
            }
            _ => {}
        }
        Ok(())
    }
}

/// The files of a folder by name; none if there is no such folder.
fn files(dir: &Path) -> Result<Vec<PathBuf>, CertsError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(source) => {
            return Err(CertsError::Read {
                path: dir.to_owned(),
                source,
            });
        }
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<Vec<u8>, CertsError> {
    fs::read(path).map_err(|source| CertsError::Read {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use wharf_testkit::Scratch;

    use super::*;

    #[test]
    fn by_extension_from_all_folders() {
        let scratch = Scratch::new();
        for name in [
            "a/r:5000/one.crt",
            "a/r:5000/client.cert",
            "a/r:5000/client.key",
            "b/r:5000/two.crt",
            "b/r:5000/x.txt",
        ] {
            scratch.write(name, name);
        }
        let dirs = ["a", "b", "missing"].map(|dir| scratch.join(dir));
        let certs = Certs::read(&dirs, "r:5000").unwrap();
        assert_eq!(certs.authorities, [b"a/r:5000/one.crt", b"b/r:5000/two.crt"]);
        assert_eq!(certs.identity.unwrap().key, b"a/r:5000/client.key");
        assert!(Certs::read(&dirs, "other").unwrap().authorities.is_empty());
    }

    #[test]
    fn a_certificate_needs_its_key() {
        let scratch = Scratch::new();
        scratch.write("r/client.cert", "");
        let error = Certs::read(&[scratch.path().to_owned()], "r").unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("client.cert has no client.key beside it"),
            "{error}"
        );
    }
}
