//! Trees on disk and back, with owners: what the sandbox does better, here for the test's chroot.

use std::{
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown, lchown, symlink},
    },
    path::Path,
};

use wharf_store::Store;
use wharf_tree::{Attrs, Dir, Entry, Mtime, Name, Node, Tree, TreePath};

/// Writes `tree` into the empty directory `folder`.
pub(crate) fn write(tree: &Tree, folder: &Path, store: &Store) {
    write_entry(&tree.root, folder, store);
    for group in &tree.links.0 {
        let path = |member: &TreePath| folder.join(std::ffi::OsStr::from_bytes(member.as_bytes()));
        for other in &group[1..] {
            fs::remove_file(path(other)).unwrap();
            fs::hard_link(path(&group[0]), path(other)).unwrap();
        }
    }
}

fn write_entry(entry: &Entry, path: &Path, store: &Store) {
    match &entry.node {
        Node::Dir(dir, _) => {
            fs::create_dir_all(path).unwrap();
            for (name, child) in dir.entries() {
                write_entry(
                    child,
                    &path.join(std::ffi::OsStr::from_bytes(name.as_bytes())),
                    store,
                );
            }
        }
        Node::File { digest, .. } => {
            let mut source = store.open_blob(digest).unwrap();
            std::io::copy(&mut source, &mut fs::File::create(path).unwrap()).unwrap();
        }
        Node::Symlink(target) => {
            symlink(std::ffi::OsStr::from_bytes(target), path).unwrap();
            lchown(path, Some(entry.attrs.uid), Some(entry.attrs.gid)).unwrap();
            return;
        }
        other => panic!("{} is no file of a package: {other:?}", path.display()),
    }
    chown(path, Some(entry.attrs.uid), Some(entry.attrs.gid)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(entry.attrs.mode.into())).unwrap();
}

/// Reads a directory as a tree; names that `skip` rejects are left out. Hard links are not looked for.
pub(crate) fn read(folder: &Path, store: &Store, skip: &dyn Fn(&Path) -> bool) -> Tree {
    let root = read_entry(folder, folder, store, skip).expect("a directory is an entry");
    Tree {
        root,
        ..Tree::empty()
    }
}

fn read_entry(path: &Path, root: &Path, store: &Store, skip: &dyn Fn(&Path) -> bool) -> Option<Entry> {
    if skip(path.strip_prefix(root).unwrap()) {
        return None;
    }
    let meta = fs::symlink_metadata(path).unwrap();
    let kind = meta.file_type();
    let node = if kind.is_dir() {
        let children = fs::read_dir(path).unwrap().map(|child| child.unwrap().path());
        let children = children.filter_map(|child| {
            let name = Name::new(child.file_name().unwrap().as_bytes()).unwrap();
            Some((name, read_entry(&child, root, store, skip)?))
        });
        Entry::dir(Attrs::root(0), Mtime::default(), Dir::new(children.collect())).node
    } else if kind.is_symlink() {
        Node::Symlink(fs::read_link(path).unwrap().as_os_str().as_bytes().into())
    } else if kind.is_socket() || kind.is_fifo() {
        return None;
    } else {
        let stored = store.put_file(&fs::File::open(path).unwrap()).unwrap();
        Node::File {
            digest: stored.digest,
            size: meta.len(),
        }
    };
    let mode = if kind.is_symlink() {
        0o777
    } else {
        (meta.mode() & 0o7777) as u16
    };
    let attrs = Attrs {
        uid: meta.uid(),
        gid: meta.gid(),
        ..Attrs::root(mode)
    };
    Some(Entry {
        attrs,
        mtime: Mtime::default(),
        node,
    })
}
