//! Files that lie beside those of a result: its attestations.

use wharf_oci::Platform;
use wharf_store::Store;
use wharf_tree::{Attrs, Entry, Mtime, Node, Tree, TreeBuilder, TreePath};

use super::{FilesError, folder};

/// The tree with more files in its root, which only their owner may read, as BuildKit writes them. With a platform, names tell it:
/// `provenance.linux_amd64.json`.
pub fn with_files(
    tree: &Tree,
    files: &[(String, Vec<u8>)],
    platform: Option<&Platform>,
    seconds: i64,
    store: &Store,
) -> Result<Tree, FilesError> {
    let mut builder = TreeBuilder::from_tree(tree);
    for (name, bytes) in files {
        let name = platform.map_or_else(|| name.clone(), |platform| told_apart(name, platform));
        let entry = Entry {
            attrs: Attrs::root(0o600),
            mtime: Mtime {
                secs: seconds,
                nanos: 0,
            },
            node: Node::File {
                digest: store.put_bytes(bytes)?,
                size: bytes.len() as u64,
            },
        };
        let path = TreePath::new(&name)?;
        builder.remove(&path);
        builder.insert(&path, entry)?;
    }
    Ok(builder.finish())
}

fn told_apart(name: &str, platform: &Platform) -> String {
    let platform = folder(platform);
    match name.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem}.{platform}.{extension}"),
        None => format!("{name}.{platform}"),
    }
}
