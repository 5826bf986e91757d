//! The files of several platforms as one tree: a folder for each, or all on each other.

use std::collections::BTreeMap;

use wharf_oci::Platform;
use wharf_tree::{CopyOptions, Dir, Graft, Mtime, Node, Tree, TreePath, merge};

use super::FilesError;

/// A tree with the files of each platform in a folder of its own.
pub fn in_folders(trees: &[(Platform, Tree)]) -> Result<Tree, FilesError> {
    let mut graft = Graft::new(&Tree::empty(), Mtime::default());
    for (platform, tree) in trees {
        graft.copy(tree, b"/", folder(platform).as_bytes(), &CopyOptions::default())?;
    }
    Ok(merge(&Tree::empty(), &graft.finish()))
}

/// The name of a platform's folder: `linux_arm_v7`. BuildKit's `PlatformIDToPath`.
pub fn folder(platform: &Platform) -> String {
    platform.to_string().replace(['/', '\\', ':'], "_")
}

/// A tree with the files of all platforms on each other. No two may have the same file.
pub fn together(trees: &[(Platform, Tree)]) -> Result<Tree, FilesError> {
    let mut owners = BTreeMap::new();
    let mut graft = Graft::new(&Tree::empty(), Mtime::default());
    for (platform, tree) in trees {
        let mut files = Vec::new();
        list(tree.dir(), &mut TreePath::root(), &mut files);
        for path in files {
            if let Some(first) = owners.insert(path.clone(), platform) {
                return Err(FilesError::Twice {
                    path,
                    platforms: Box::new([first.clone(), platform.clone()]),
                });
            }
        }
        graft.copy(tree, b"/", b"/", &CopyOptions::default())?;
    }
    Ok(merge(&Tree::empty(), &graft.finish()))
}

/// All that is no directory.
fn list(dir: &Dir, path: &mut TreePath, files: &mut Vec<TreePath>) {
    for (name, entry) in dir.entries() {
        path.push(name);
        match &entry.node {
            Node::Dir(dir, _) => list(dir, path, files),
            _ => files.push(path.clone()),
        }
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_as_the_reference_names_them() {
        for (platform, name) in [
            ("linux/amd64", "linux_amd64"),
            ("linux/arm/v7", "linux_arm_v7"),
            ("linux/arm64/v8", "linux_arm64"),
            ("windows(10.0.1)/amd64", "windows(10.0.1)_amd64"),
        ] {
            assert_eq!(folder(&platform.parse().unwrap()), name);
        }
    }
}
