//! Runs a configure step in a plain chroot: the sandbox's stand-in for these tests.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use wharf_base::{ConfigureError, ConfigureOp, Configurer};
use wharf_graph::Mount;
use wharf_store::Store;
use wharf_tree::{Layer, Tree, diff};

use crate::disk;

/// A folder for roots, and where their files come from.
pub(crate) struct Chroot {
    pub(crate) store: Store,
    pub(crate) folder: PathBuf,
}

/// Directories that a sandbox fills, as far as the root has them not itself.
const MADE: &[&str] = &["proc", "dev", "run/wharf"];

impl Configurer for Chroot {
    fn configure(&self, op: &ConfigureOp) -> Result<Layer, ConfigureError> {
        let root = tempfile::tempdir_in(&self.folder).unwrap();
        disk::write(&op.root, root.path(), &self.store);
        let before = disk::read(root.path(), &self.store, &|_| false);
        mount_points(op, root.path());
        let output = command(op, root.path()).output().unwrap();
        if !output.status.success() {
            let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
            text += &String::from_utf8_lossy(&output.stderr);
            eprintln!("{text}");
            return Err(ConfigureError::Exit {
                code: output.status.code().unwrap_or(-1),
                output: text,
            });
        }
        let skip = |path: &Path| MADE.iter().any(|made| path == Path::new(made)) && !has(&before, path);
        let inside = |path: &Path| path.starts_with("run/wharf") || skip(path);
        let after = disk::read(root.path(), &self.store, &inside);
        Ok(diff(&before, &after))
    }
}

fn has(tree: &Tree, path: &Path) -> bool {
    tree.get(&wharf_tree::TreePath::new(path.to_str().unwrap()).unwrap())
        .is_some()
}

fn mount_points(op: &ConfigureOp, root: &Path) {
    for made in MADE {
        fs::create_dir_all(root.join(made)).unwrap();
    }
    for mount in &op.run.mounts {
        let Mount::Script(script) = mount else {
            panic!("an unexpected mount: {mount:?}")
        };
        let folder = root.join(script.target.trim_start_matches('/'));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(&script.name);
        fs::write(&file, &script.content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// In namespaces of its own, so that the mounts go with it.
fn command(op: &ConfigureOp, root: &Path) -> Command {
    let script =
        "mount -t proc proc \"$0/proc\" && mount --rbind /dev \"$0/dev\" && exec chroot \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script])
        .arg(root);
    command.arg("/usr/bin/env").arg("-i");
    command.args(op.run.env.iter().map(|(name, value)| format!("{name}={value}")));
    command.args(&op.run.args);
    command
}
