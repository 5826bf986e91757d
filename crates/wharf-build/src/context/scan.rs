//! A directory of the user's as a tree: walked, its files hashed unless the stat cache knows them.
//!
//! As BuildKit's client sends a context: owners become 0:0, sockets are left out, and so is the mode of the context itself, which
//! is how some checkout happened to be made; everything else is kept as it is. Files
//! stay where they are; [`ContextFiles`](super::ContextFiles) brings their bytes when a step wants them.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{AtFlags, Dir as DirStream, FileType, Mode, OFlags, Stat};
use wharf_dockerfile::patterns::{DirectoryMatch, PatternMatcher};
use wharf_oci::{Digest, Hasher};
use wharf_store::{FileStat, StatCache};
use wharf_tree::{Attrs, Device, Dir, DirRole, Entry, HardLinks, Mtime, Name, Node, Tree, TreePath, Xattrs};

use super::wanted::Wanted;

/// What a scan found.
#[derive(Debug)]
pub struct Scan {
    /// The files.
    pub tree: Tree,
    /// Where each content can be read: a path relative to the scanned directory.
    pub contents: HashMap<Digest, PathBuf>,
    /// How many bytes had to be read because the stat cache did not know them.
    pub hashed: u64,
}

/// A context could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}")]
pub struct ScanError {
    /// What could not be read.
    pub path: PathBuf,
    source: io::Error,
}

/// Reads the directory at `root` without what `ignored` matches. `wanted` says what of it matters.
pub fn scan(
    root: &Path,
    ignored: &PatternMatcher,
    wanted: &Wanted,
    cache: &StatCache,
) -> Result<Scan, ScanError> {
    match scan_some(root, ignored, wanted, cache)? {
        Some(scan) => Ok(scan),
        None => {
            Ok(scan_some(root, ignored, &Wanted::everything(), cache)?
                .expect("everything leads nowhere else"))
        }
    }
}

/// `None` if a link leads out of what is wanted, so that more has to be read.
fn scan_some(
    root: &Path,
    ignored: &PatternMatcher,
    wanted: &Wanted,
    cache: &StatCache,
) -> Result<Option<Scan>, ScanError> {
    let error = |source| ScanError {
        path: root.to_owned(),
        source,
    };
    let open = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = rustix::fs::open(root, open, Mode::empty()).map_err(|errno| error(errno.into()))?;
    let stat = rustix::fs::fstat(&fd).map_err(|errno| error(errno.into()))?;
    let mut scanner = Scanner {
        root,
        ignored,
        wanted,
        cache,
        contents: HashMap::new(),
        inodes: HashMap::new(),
        hashed: 0,
        linked_away: false,
    };
    let entries = scanner.directory(&fd, &TreePath::root(), &ignored.root())?;
    if scanner.linked_away {
        return Ok(None);
    }
    let node = Node::Dir(Arc::new(Dir::new(entries)), DirRole::Full);
    let entry = Entry {
        attrs: Attrs::root(0o755),
        mtime: mtime(&stat),
        node,
    };
    let tree = Tree {
        root: entry,
        links: Arc::new(scanner.hard_links()),
    };
    Ok(Some(Scan {
        tree,
        contents: scanner.contents,
        hashed: scanner.hashed,
    }))
}

struct Scanner<'a> {
    root: &'a Path,
    ignored: &'a PatternMatcher,
    wanted: &'a Wanted,
    cache: &'a StatCache,
    contents: HashMap<Digest, PathBuf>,
    /// Names of files that have more than one.
    inodes: HashMap<(u64, u64), Vec<TreePath>>,
    hashed: u64,
    /// Whether a symbolic link stands on the way to something wanted.
    linked_away: bool,
}

impl Scanner<'_> {
    fn error(&self, path: &TreePath, source: impl Into<io::Error>) -> ScanError {
        ScanError {
            path: self.root.join(as_path(path)),
            source: source.into(),
        }
    }

    fn directory(
        &mut self,
        fd: &OwnedFd,
        path: &TreePath,
        matched: &DirectoryMatch,
    ) -> Result<BTreeMap<Name, Entry>, ScanError> {
        let stream = DirStream::read_from(fd).map_err(|errno| self.error(path, errno))?;
        let mut entries = BTreeMap::new();
        for item in stream {
            let item = item.map_err(|errno| self.error(path, errno))?;
            let Ok(name) = Name::new(item.file_name().to_bytes()) else {
                continue;
            };
            let child = path.join(&name);
            if !self.wanted.wants(&child) {
                continue;
            }
            if let Some(entry) = self.entry(fd.as_fd(), &name, &child, item.file_type(), matched)? {
                entries.insert(name, entry);
            }
        }
        Ok(entries)
    }

    /// The entry of this name; `None` if it is left out or vanished meanwhile.
    fn entry(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &Name,
        path: &TreePath,
        told: FileType,
        matched: &DirectoryMatch,
    ) -> Result<Option<Entry>, ScanError> {
        let may_be_dir = matches!(told, FileType::Directory | FileType::Unknown);
        if !may_be_dir && self.ignored.matches_in(matched, path.as_bytes()) {
            return Ok(None);
        }
        let stat = match rustix::fs::statat(parent, name.as_bytes(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(self.error(path, errno)),
        };
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return self.subdirectory(parent, name, path, &stat, matched);
        }
        if may_be_dir && self.ignored.matches_in(matched, path.as_bytes()) {
            return Ok(None);
        }
        self.leaf(parent, name, path, &stat)
    }

    /// A directory that is ignored is there only for what an exception takes in again below it, and one that only leads to what is
    /// wanted only if that is there: where nothing matches, a wildcard's directory is missing too.
    fn subdirectory(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &Name,
        path: &TreePath,
        stat: &Stat,
        matched: &DirectoryMatch,
    ) -> Result<Option<Entry>, ScanError> {
        let matched = self.ignored.enter(matched, path.as_bytes());
        if self.ignored.covers_all_in(&matched, path.as_bytes()) {
            return Ok(None);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(parent, name.as_bytes(), flags, Mode::empty())
            .map_err(|errno| self.error(path, errno))?;
        let xattrs = xattrs(&fd).map_err(|errno| self.error(path, errno))?;
        let entries = self.directory(&fd, path, &matched)?;
        if entries.is_empty() && (matched.is_match() || self.wanted.only_leads_through(path)) {
            return Ok(None);
        }
        let node = Node::Dir(Arc::new(Dir::new(entries)), DirRole::Full);
        Ok(Some(Entry {
            attrs: attrs(stat, xattrs),
            mtime: mtime(stat),
            node,
        }))
    }

    fn leaf(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &Name,
        path: &TreePath,
        stat: &Stat,
    ) -> Result<Option<Entry>, ScanError> {
        let device = Device {
            major: rustix::fs::major(stat.st_rdev),
            minor: rustix::fs::minor(stat.st_rdev),
        };
        let mut found = None;
        let node = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let (digest, size, file_xattrs) = self.content(parent, name, path, stat)?;
                found = file_xattrs;
                Node::File { digest, size }
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(parent, name.as_bytes(), Vec::new())
                    .map_err(|errno| self.error(path, errno))?;
                self.linked_away |= self.wanted.passes(path);
                Node::Symlink(target.as_bytes().into())
            }
            FileType::CharacterDevice => Node::CharDevice(device),
            FileType::BlockDevice => Node::BlockDevice(device),
            FileType::Fifo => Node::Fifo,
            _ => return Ok(None),
        };
        if stat.st_nlink > 1 {
            self.inodes
                .entry((stat.st_dev, stat.st_ino))
                .or_default()
                .push(path.clone());
        }
        Ok(Some(Entry {
            attrs: attrs(stat, found),
            mtime: mtime(stat),
            node,
        }))
    }

    /// Digest, size and extended attributes. Only files without extended attributes are in the stat cache, so that a hit
    /// says that there are none.
    fn content(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &Name,
        path: &TreePath,
        stat: &Stat,
    ) -> Result<(Digest, u64, Option<Arc<Xattrs>>), ScanError> {
        let key = file_stat(stat);
        if let Some(digest) = self.cache.get(&key) {
            self.contents
                .entry(digest)
                .or_insert_with(|| as_path(path).to_owned());
            return Ok((digest, key.size, None));
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(parent, name.as_bytes(), flags, Mode::empty())
            .map_err(|errno| self.error(path, errno))?;
        let xattrs = xattrs(&fd).map_err(|errno| self.error(path, errno))?;
        let mut hasher = Hasher::new();
        io::copy(&mut File::from(fd), &mut hasher).map_err(|source| self.error(path, source))?;
        let size = hasher.length();
        let digest = hasher.finish();
        self.hashed += size;
        if xattrs.is_none() && size == key.size {
            self.cache.insert(&key, digest);
        }
        self.contents
            .entry(digest)
            .or_insert_with(|| as_path(path).to_owned());
        Ok((digest, size, xattrs))
    }

    fn hard_links(&mut self) -> HardLinks {
        let mut groups: Vec<_> = self
            .inodes
            .drain()
            .map(|(_, names)| names)
            .filter(|names| names.len() > 1)
            .collect();
        for names in &mut groups {
            names.sort();
        }
        groups.sort();
        HardLinks(groups)
    }
}

pub(super) fn as_path(path: &TreePath) -> &Path {
    Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(
        path.as_bytes(),
    ))
}

fn attrs(stat: &Stat, xattrs: Option<Arc<Xattrs>>) -> Attrs {
    Attrs {
        mode: (stat.st_mode & 0o7777) as u16,
        uid: 0,
        gid: 0,
        xattrs,
    }
}

fn mtime(stat: &Stat) -> Mtime {
    Mtime {
        secs: stat.st_mtime,
        nanos: stat.st_mtime_nsec as u32,
    }
}

fn file_stat(stat: &Stat) -> FileStat {
    FileStat {
        device: stat.st_dev,
        inode: stat.st_ino,
        size: stat.st_size as u64,
        mode: stat.st_mode,
        mtime: mtime(stat),
        ctime: Mtime {
            secs: stat.st_ctime,
            nanos: stat.st_ctime_nsec as u32,
        },
    }
}

/// The extended attributes that a context carries: not those of the security modules, which belong to the machine.
fn xattrs(fd: impl AsFd) -> Result<Option<Arc<Xattrs>>, rustix::io::Errno> {
    let mut names = vec![0; 4096];
    let length = match rustix::fs::flistxattr(&fd, &mut names[..]) {
        Ok(0) | Err(rustix::io::Errno::NOTSUP) => return Ok(None),
        Ok(length) => length,
        Err(errno) => return Err(errno),
    };
    let mut found = Xattrs::new();
    for name in names[..length]
        .split(|byte| *byte == 0)
        .filter(|name| is_carried(name))
    {
        let mut value = vec![0; 65_536];
        let length = rustix::fs::fgetxattr(&fd, name, &mut value[..])?;
        value.truncate(length);
        found.insert(name.to_vec(), value);
    }
    Ok((!found.is_empty()).then(|| Arc::new(found)))
}

fn is_carried(name: &[u8]) -> bool {
    name.starts_with(b"user.") || name == b"security.capability" || name.starts_with(b"system.posix_acl")
}
