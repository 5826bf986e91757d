//! The root filesystem itself as an output: a tar or a directory.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use wharf_oci::{Digest, Platform};
use wharf_store::{BlobError, Store};
use wharf_tree::{
    BlobRead as _, Dir, Entry, Mtime, Node, Tree,
    tar::{self, ExportOptions},
};

use super::content;

/// Files could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The tar cannot be written.
    #[error(transparent)]
    Tar(#[from] tar::ExportError),
    /// A file's content cannot be had.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A file beside the others has an impossible name.
    #[error(transparent)]
    Name(#[from] wharf_tree::PathError),
    /// A file beside the others finds no place.
    #[error(transparent)]
    Build(#[from] wharf_tree::BuildError),
    /// The files of a platform do not go into its folder.
    #[error(transparent)]
    Graft(#[from] wharf_tree::GraftError),
    /// Two platforms have the same file, and no folder keeps them apart.
    #[error("cannot overwrite {path} from {} with {} when the platforms are not split", .platforms[0], .platforms[1])]
    Twice {
        /// The file.
        path: wharf_tree::TreePath,
        /// The platform that has it already, and the other.
        platforms: Box<[Platform; 2]>,
    },
    /// A file of the directory cannot be written.
    #[error("cannot write {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// `type=tar`: all files with their owners.
pub fn write_tar(
    tree: &Tree,
    store: &Store,
    clamp_mtimes: Option<i64>,
    out: &mut dyn Write,
) -> Result<(), FilesError> {
    tar::export_tree(tree, store, &ExportOptions { clamp_mtimes }, out)?;
    Ok(())
}

/// `type=local`: all files, owned by the caller, as BuildKit writes them. Files that were there stay unless they are
/// replaced; devices are left out when the caller may not make them.
pub fn write_directory(tree: &Tree, store: &Store, root: &Path) -> Result<(), FilesError> {
    fs::create_dir_all(root).map_err(|source| FilesError::File {
        path: root.to_owned(),
        source,
    })?;
    let mut writer = DirectoryWriter {
        store,
        links: LinkTargets::of(tree),
        root,
    };
    writer.children(tree.dir(), root)
}

struct DirectoryWriter<'a> {
    store: &'a Store,
    links: LinkTargets,
    root: &'a Path,
}

/// For every later name of a hard-link group, the first one.
struct LinkTargets(std::collections::HashMap<PathBuf, PathBuf>);

impl LinkTargets {
    fn of(tree: &Tree) -> Self {
        let path = |bytes: &[u8]| {
            PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(
                bytes,
            ))
        };
        let groups = tree.links.0.iter();
        let pairs = groups.flat_map(|group| {
            let first = path(group[0].as_bytes());
            group[1..]
                .iter()
                .map(move |later| (path(later.as_bytes()), first.clone()))
        });
        Self(pairs.collect())
    }
}

impl DirectoryWriter<'_> {
    fn children(&mut self, dir: &Dir, at: &Path) -> Result<(), FilesError> {
        for (name, entry) in dir.entries() {
            let path = at.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(
                name.as_bytes(),
            ));
            self.entry(entry, &path)?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry, path: &Path) -> Result<(), FilesError> {
        let failed = |source| FilesError::File {
            path: path.to_owned(),
            source,
        };
        if let Node::Dir(dir, _) = &entry.node {
            make_directory(path).map_err(failed)?;
            self.children(dir, path)?;
            fs::set_permissions(path, Permissions::from_mode(u32::from(entry.attrs.mode))).map_err(failed)?;
            return set_time(path, entry.mtime).map_err(failed);
        }
        remove(path).map_err(failed)?;
        let relative = path
            .strip_prefix(self.root)
            .expect("everything is written below the root");
        if let Some(first) = self.links.0.get(relative) {
            return fs::hard_link(self.root.join(first), path).map_err(failed);
        }
        match &entry.node {
            Node::File { digest, .. } => self.file(entry, digest, path),
            Node::Symlink(target) => symlink(
                <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(target),
                path,
            )
            .and_then(|()| set_time(path, entry.mtime))
            .map_err(failed),
            node => special(node, entry, path).map_err(failed),
        }
    }

    fn file(&self, entry: &Entry, digest: &Digest, path: &Path) -> Result<(), FilesError> {
        let failed = |source| FilesError::File {
            path: path.to_owned(),
            source,
        };
        let mut blob = self
            .store
            .open(digest)
            .map_err(|error| content::told(error, failed))?;
        let mut file = File::create(path).map_err(failed)?;
        content::copy(&mut blob, &mut file, failed)?;
        file.set_permissions(Permissions::from_mode(u32::from(entry.attrs.mode)))
            .map_err(failed)?;
        drop(file);
        set_time(path, entry.mtime).map_err(failed)
    }
}

fn make_directory(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(info) if info.is_dir() => fs::set_permissions(path, Permissions::from_mode(0o700)),
        Ok(_) => fs::remove_file(path).and_then(|()| fs::create_dir(path)),
        Err(_) => fs::create_dir(path),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(info) if info.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn special(node: &Node, entry: &Entry, path: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
    let (kind, device) = match node {
        Node::CharDevice(device) => (FileType::CharacterDevice, makedev(device.major, device.minor)),
        Node::BlockDevice(device) => (FileType::BlockDevice, makedev(device.major, device.minor)),
        Node::Socket => (FileType::Socket, 0),
        _ => (FileType::Fifo, 0),
    };
    match mknodat(CWD, path, kind, Mode::from_raw_mode(0o600), device) {
        Err(rustix::io::Errno::PERM) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => {
            // What mknod(2) is given, the umask takes from.
            fs::set_permissions(path, Permissions::from_mode(u32::from(entry.attrs.mode)))?;
            set_time(path, entry.mtime)
        }
    }
}

/// Sets the modification time of `path`, of a link itself.
fn set_time(path: &Path, mtime: Mtime) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
    let time = Timespec {
        tv_sec: mtime.secs,
        tv_nsec: mtime.nanos.into(),
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}
