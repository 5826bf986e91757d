//! The machine's own apt: its sources, keys and settings, read from below a root directory.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    conf::AptConf,
    sources::{SourceEntry, SourcesError, parse_deb822, parse_list},
};

/// What this machine's apt is set up with.
#[derive(Debug, Clone, Default)]
pub struct HostApt {
    /// The archives, in apt's order.
    pub sources: Vec<SourceEntry>,
    /// Files of the keys that sign archives without a `Signed-By`.
    pub trusted_keys: Vec<PathBuf>,
    /// apt's settings.
    pub conf: AptConf,
    /// `ID` of os-release: `debian`, `ubuntu`.
    pub distribution: Option<String>,
    /// `VERSION_CODENAME` of os-release.
    pub codename: Option<String>,
    root: PathBuf,
}

/// The machine's apt configuration could not be read.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file or directory that is there cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A sources file is wrong.
    #[error(transparent)]
    Sources(#[from] SourcesError),
}

impl HostApt {
    /// Reads `etc/apt` and `etc/os-release` below `root`, which is `/` but for tests. What is not there is empty.
    pub fn read(root: &Path) -> Result<Self, HostError> {
        let apt = root.join("etc/apt");
        let release = [root.join("etc/os-release"), root.join("usr/lib/os-release")];
        let release = release
            .iter()
            .find_map(|path| fs::read_to_string(path).ok())
            .unwrap_or_default();
        Ok(Self {
            sources: read_sources(&apt)?,
            trusted_keys: trusted_keys(&apt)?,
            conf: read_conf(&apt)?,
            distribution: release_field(&release, "ID"),
            codename: release_field(&release, "VERSION_CODENAME"),
            root: root.to_owned(),
        })
    }

    /// A path of the machine as it lies below the root that was read.
    pub fn path(&self, absolute: &Path) -> PathBuf {
        self.root.join(absolute.strip_prefix("/").unwrap_or(absolute))
    }

    /// The entries whose archive is the distribution's own: those of the machine's codename and its companions.
    pub fn own_sources(&self) -> impl Iterator<Item = &SourceEntry> {
        let codename = self.codename.as_deref().unwrap_or_default();
        self.sources.iter().filter(move |entry| {
            let rest = entry
                .suite
                .strip_prefix(codename)
                .filter(|_| !codename.is_empty());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '/']))
        })
    }
}

fn read_sources(apt: &Path) -> Result<Vec<SourceEntry>, HostError> {
    let mut entries = Vec::new();
    let main = apt.join("sources.list");
    let parts = files_in(&apt.join("sources.list.d"), &["list", "sources"])?;
    for path in main.exists().then_some(main).into_iter().chain(parts) {
        let text = read(&path)?;
        let deb822 = path.extension().is_some_and(|extension| extension == "sources");
        entries.extend(if deb822 {
            parse_deb822(&text, &path)?
        } else {
            parse_list(&text, &path)?
        });
    }
    entries
        .into_iter()
        .map(|entry| follow_mirror_list(entry, apt))
        .collect()
}

/// `mirror+file:` names a file whose first line is the address (apt-transport-mirror(1)).
fn follow_mirror_list(entry: SourceEntry, apt: &Path) -> Result<SourceEntry, HostError> {
    let Some(list) = entry.uri.strip_prefix("mirror+file:") else {
        return Ok(entry);
    };
    let root = apt.parent().and_then(Path::parent).unwrap_or(apt);
    let text = read(&root.join(list.trim_start_matches('/')))?;
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    let address = first
        .and_then(|line| line.split_whitespace().next())
        .unwrap_or_default()
        .to_owned();
    Ok(entry.at(&address))
}

fn trusted_keys(apt: &Path) -> Result<Vec<PathBuf>, HostError> {
    let main = apt.join("trusted.gpg");
    let parts = files_in(&apt.join("trusted.gpg.d"), &["gpg", "asc"])?;
    Ok(main.exists().then_some(main).into_iter().chain(parts).collect())
}

fn read_conf(apt: &Path) -> Result<AptConf, HostError> {
    let mut conf = AptConf::default();
    let main = apt.join("apt.conf");
    let parts = files_in(&apt.join("apt.conf.d"), &["", "conf"])?;
    for path in parts.into_iter().chain(main.exists().then_some(main)) {
        conf.read(&read(&path)?);
    }
    Ok(conf)
}

/// The files that apt would take, sorted: with one of these extensions ("" is none), of letters that it allows.
fn files_in(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>, HostError> {
    let failed = |source| HostError::Read {
        path: folder.to_owned(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        extensions.contains(&extension)
            && !name.starts_with('.')
            && name.bytes().all(allowed)
            && path.is_file()
    });
    paths.sort();
    Ok(paths)
}

/// Bytes that are not UTF-8 stand in comments, if anywhere.
fn read(path: &Path) -> Result<String, HostError> {
    let bytes = fs::read(path).map_err(|source| HostError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn release_field(text: &str, name: &str) -> Option<String> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim().trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn finds_what_apt_would_read() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(root, "etc/os-release", "ID=debian\nVERSION_CODENAME=\"trixie\"\n");
        write(
            root,
            "etc/apt/sources.list",
            "deb http://example.test/a trixie main\n",
        );
        write(
            root,
            "etc/apt/sources.list.d/b.list",
            "deb http://example.test/b other main\n",
        );
        write(
            root,
            "etc/apt/sources.list.d/b.list.save",
            "deb http://example.test/no trixie main\n",
        );
        let mirrored =
            "Types: deb\nURIs: mirror+file:///etc/apt/m\nSuites: trixie-updates\nComponents: main\n";
        write(root, "etc/apt/sources.list.d/a.sources", mirrored);
        write(root, "etc/apt/m", "# list\nhttp://example.test/m/\tpriority:1\n");
        write(root, "etc/apt/trusted.gpg.d/k.asc", "");
        write(
            root,
            "etc/apt/apt.conf.d/99x",
            "Acquire::Check-Valid-Until \"no\";",
        );
        let host = HostApt::read(root).unwrap();
        let uris: Vec<_> = host.sources.iter().map(|entry| entry.uri.as_str()).collect();
        assert_eq!(
            uris,
            [
                "http://example.test/a",
                "http://example.test/m",
                "http://example.test/b"
            ]
        );
        assert_eq!(host.own_sources().count(), 2);
        assert_eq!(host.trusted_keys.len(), 1);
        assert_eq!(host.conf.is_on("acquire::check-valid-until"), Some(false));
        assert_eq!(host.path(Path::new("/usr/k")), root.join("usr/k"));
    }

    #[test]
    fn a_machine_without_apt_has_nothing() {
        let root = tempfile::tempdir().unwrap();
        let host = HostApt::read(root.path()).unwrap();
        assert!(host.sources.is_empty() && host.own_sources().next().is_none());
    }
}
