//! Where things lie on this machine: the only place that asks the environment for directories.

use std::{
    env,
    path::{Path, PathBuf},
};

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The store: `--store` and `WHARF_STORE` come before this.
pub(crate) fn default_store() -> PathBuf {
    if is_root() {
        return "/var/lib/wharf".into();
    }
    xdg("XDG_DATA_HOME", ".local/share").join("wharf")
}

/// Settings files of the machine: the user's first.
pub(crate) fn settings_files() -> Vec<PathBuf> {
    vec![
        config_home().join("wharf/config.toml"),
        "/etc/wharf/config.toml".into(),
    ]
}

/// `$XDG_CONFIG_HOME`.
pub(crate) fn config_home() -> PathBuf {
    xdg("XDG_CONFIG_HOME", ".config")
}

/// `$HOME`; `/` when it is not set.
pub(crate) fn home() -> PathBuf {
    env::var_os("HOME")
        .filter(|home| !home.is_empty())
        .map_or_else(|| "/".into(), PathBuf::from)
}

/// Docker's configuration directory.
pub(crate) fn docker_config() -> PathBuf {
    env::var_os("DOCKER_CONFIG").map_or_else(|| home().join(".docker"), PathBuf::from)
}

/// Where programs are searched.
pub(crate) fn programs() -> Vec<PathBuf> {
    env::var_os("PATH").map_or_else(
        || vec!["/usr/local/bin".into(), "/usr/bin".into(), "/bin".into()],
        |path| env::split_paths(&path).collect(),
    )
}

/// Sockets at which a Docker or Podman may listen, in the order in which they are tried. An engine that the environment names
/// is the only one: an image must not end up in another.
pub(crate) fn engine_sockets() -> Vec<PathBuf> {
    let named = ["DOCKER_HOST", "CONTAINER_HOST"]
        .into_iter()
        .find_map(|name| env::var(name).ok().filter(|host| !host.is_empty()));
    if let Some(host) = named {
        return vec![host.strip_prefix("unix://").unwrap_or(&host).into()];
    }
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let of_user = |name: &str| runtime.as_ref().map(|runtime| runtime.join(name));
    [
        of_user("docker.sock"),
        Some("/var/run/docker.sock".into()),
        of_user("podman/podman.sock"),
        Some("/run/podman/podman.sock".into()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn xdg(variable: &str, below_home: &str) -> PathBuf {
    match env::var_os(variable).map(PathBuf::from) {
        Some(path) if path.is_absolute() => path,
        _ => home().join(Path::new(below_home)),
    }
}
