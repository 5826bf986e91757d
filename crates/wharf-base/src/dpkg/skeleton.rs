//! What a base with a package manager has beside its packages: mmdebstrap's directories, and apt's sources.
//!
//! mmdebstrap's `run_setup`, but for `/etc/hostname` and `/etc/resolv.conf` (the host's, no image's) and `/dev` (every
//! runtime makes its own).

use std::io;

use wharf_tree::Attrs;

use super::database::Writer;

/// Directories that are made, of root's and mode 0755.
const DIRECTORIES: &[&str] = &[
    "etc/apt/apt.conf.d",
    "etc/apt/sources.list.d",
    "etc/apt/preferences.d",
    "var/cache/apt/archives",
    "var/lib/apt/lists",
    "var/log/apt",
];

/// apt downloads into these as its own user.
const PARTIAL: &[&str] = &["var/cache/apt/archives/partial", "var/lib/apt/lists/partial"];

/// The user `_apt`: a constant of Debian's base-passwd since 2022 (Debian 12, Ubuntu 23.04).
const APT_USER: u32 = 42;

/// Files that apt locks, empty, mode 0640.
const LOCKS: &[&str] = &["var/cache/apt/archives/lock", "var/lib/apt/lists/lock"];

/// Writes the skeleton. `sources` is the text of `/etc/apt/sources.list`.
pub fn write(writer: &mut Writer<'_>, sources: &str) -> io::Result<()> {
    for path in DIRECTORIES {
        writer.directory(path, Attrs::root(0o755));
    }
    for path in PARTIAL {
        writer.directory(
            path,
            Attrs {
                uid: APT_USER,
                ..Attrs::root(0o700)
            },
        );
    }
    for path in LOCKS {
        writer.file(path, 0o640, "")?;
    }
    writer.directory("tmp", Attrs::root(0o1777));
    writer.file("etc/fstab", 0o644, "# UNCONFIGURED FSTAB FOR BASE SYSTEM\n")?;
    writer.file("etc/apt/sources.list", 0o644, sources)
}
