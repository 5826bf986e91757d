//! What the user's files say about registries, read once.
//!
//! Which files there are is for the caller to say; those that are missing say nothing.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    Credential, HelperError,
    auth_file::AuthFile,
    helper,
    registries_conf::{RegistriesConf, RegistriesConfError},
};

/// Where the user's settings are.
#[derive(Debug, Clone, Default)]
pub struct SettingsFiles {
    /// `registries.conf`: the first that exists counts (the user's, then the system's).
    pub registries_conf: Vec<PathBuf>,
    /// `registries.conf.d`: all count, later ones more (the system's, then the user's).
    pub registries_conf_dirs: Vec<PathBuf>,
    /// `certs.d`: all count.
    pub certs_dirs: Vec<PathBuf>,
    /// `auth.json` and `config.json`: the first that has an account counts.
    pub auth_files: Vec<PathBuf>,
    /// Where credential helpers are looked for, as in `PATH`.
    pub helper_dirs: Vec<PathBuf>,
}

/// The user's settings.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub(crate) conf: RegistriesConf,
    pub(crate) certs_dirs: Vec<PathBuf>,
    auth_files: Vec<AuthFile>,
    helper_dirs: Vec<PathBuf>,
}

/// Why the user's settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A file or folder is there and cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A `registries.conf` or a drop-in of it.
    #[error("{} is not valid", path.display())]
    RegistriesConf {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Box<RegistriesConfError>,
    },
    /// An `auth.json` or `config.json`.
    #[error("{} is not valid, at line {line}", path.display())]
    AuthFile {
        /// Which.
        path: PathBuf,
        /// Where. The parser's message is left out: it could quote a password.
        line: usize,
    },
}

/// An account, or why perhaps none was found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    pub(crate) credential: Option<Credential>,
    /// What a helper that failed said. Access without an account is tried all the same.
    pub(crate) problem: Option<HelperError>,
}

impl Settings {
    /// Reads `files`.
    pub fn read(files: &SettingsFiles) -> Result<Self, SettingsError> {
        let mut settings = Self {
            certs_dirs: files.certs_dirs.clone(),
            helper_dirs: files.helper_dirs.clone(),
            ..Self::default()
        };
        for path in &files.registries_conf {
            if let Some(conf) = read_conf(path)? {
                settings.conf = conf;
                break;
            }
        }
        for path in dropins(&files.registries_conf_dirs)? {
            settings.conf.add(read_conf(&path)?.unwrap_or_default());
        }
        for path in &files.auth_files {
            settings.auth_files.extend(read_auth_file(path)?);
        }
        Ok(settings)
    }

    /// The account for `repository` of `registry`: from each file its helper, then what it has itself; then the
    /// helpers of `registries.conf`.
    pub(crate) async fn account(&self, registry: &str, repository: &str) -> Account {
        let mut account = Account::default();
        for file in &self.auth_files {
            if let Some(helper) = file.helper(registry) {
                self.ask(helper, registry, &mut account).await;
            }
            account.credential = account
                .credential
                .or_else(|| file.credential(registry, repository));
            if account.credential.is_some() {
                return account;
            }
        }
        for helper in self.conf.helpers() {
            self.ask(helper, registry, &mut account).await;
            if account.credential.is_some() {
                return account;
            }
        }
        account
    }

    async fn ask(&self, helper: &str, registry: &str, account: &mut Account) {
        let filed_under = wharf_oci::account_names(registry)[0];
        match helper::get(helper, filed_under, &self.helper_dirs).await {
            Ok(credential) => account.credential = credential,
            Err(problem) => account.problem = Some(problem),
        }
    }
}

/// The content of a file, or `None` if it is not there.
fn read_file(path: &Path) -> Result<Option<Vec<u8>>, SettingsError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(source) => Err(SettingsError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

fn read_conf(path: &Path) -> Result<Option<RegistriesConf>, SettingsError> {
    let Some(text) = read_file(path)? else {
        return Ok(None);
    };
    RegistriesConf::parse(&String::from_utf8_lossy(&text))
        .map(Some)
        .map_err(|source| SettingsError::RegistriesConf {
            path: path.to_owned(),
            source: Box::new(source),
        })
}

fn read_auth_file(path: &Path) -> Result<Option<AuthFile>, SettingsError> {
    match read_file(path)? {
        // Docker's own tools take an empty file for one without accounts.
        Some(text) if !text.trim_ascii().is_empty() => {
            AuthFile::parse(&text)
                .map(Some)
                .map_err(|error| SettingsError::AuthFile {
                    path: path.to_owned(),
                    line: error.line(),
                })
        }
        _ => Ok(None),
    }
}

/// The `*.conf` of all folders, by folder, then by name.
fn dropins(dirs: &[PathBuf]) -> Result<Vec<PathBuf>, SettingsError> {
    let mut all = Vec::new();
    for dir in dirs {
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                continue;
            }
            Err(source) => {
                return Err(SettingsError::Read {
                    path: dir.clone(),
                    source,
                });
            }
        };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut paths: Vec<PathBuf> = paths
            .filter(|path| path.extension().is_some_and(|extension| extension == "conf"))
            .collect();
        paths.sort();
        all.extend(paths);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use wharf_testkit::Scratch;

    use super::*;
    use crate::registries_conf::Use;

    #[test]
    fn the_first_file_and_all_drop_ins() {
        let scratch = Scratch::new();
        let rule = |location: &str| format!("[[registry]]\nprefix = \"r.test\"\nlocation = \"{location}\"\n");
        let files = SettingsFiles {
            registries_conf: vec![
                scratch.join("missing"),
                scratch.write(
                    "first.conf",
                    "[[registry]]\nlocation = \"blocked.test\"\nblocked = true",
                ),
                scratch.write("second.conf", "not even toml"),
            ],
            registries_conf_dirs: vec![scratch.join("sys"), scratch.join("none"), scratch.join("user")],
            ..SettingsFiles::default()
        };
        scratch.write("sys/9.conf", rule("sys.test"));
        scratch.write("user/1.conf", rule("user.test"));
        scratch.write("user/2.txt", "ignored [");
        let settings = Settings::read(&files).unwrap();
        assert_eq!(
            settings.conf.places("r.test/a", Use::PullTag).unwrap()[0].registry,
            "user.test"
        );
        assert!(settings.conf.places("blocked.test/a", Use::PullTag).is_err());
    }

    #[test]
    fn errors_name_the_file_and_keep_its_secrets() {
        let scratch = Scratch::new();
        let auth = scratch.write("auth.json", "{\n\"auths\": {\"r\": {\"auth\": [\"secret\"]}}}");
        let files = SettingsFiles {
            auth_files: vec![auth.clone()],
            ..SettingsFiles::default()
        };
        let error = Settings::read(&files).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{} is not valid, at line 2", auth.display())
        );
        assert!(!format!("{error:?}").contains("secret"));
    }

    #[tokio::test]
    async fn a_failing_helper_leaves_the_file_itself() {
        let scratch = Scratch::new();
        let auth = scratch.write(
            "config.json",
            r#"{"credsStore": "gone", "auths": {"r": {"auth": "dTpw"}}}"#,
        );
        let files = SettingsFiles {
            auth_files: vec![auth],
            ..SettingsFiles::default()
        };
        let account = Settings::read(&files).unwrap().account("r", "a").await;
        assert!(account.credential.is_some());
        assert!(matches!(account.problem, Some(HelperError::Missing(_))));
    }
}
