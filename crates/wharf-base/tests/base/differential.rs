//! The same packages, by wharf and by mmdebstrap: the same paths, types, modes, owners and contents.

use std::{fs, path::Path, process::Command};

use wharf_store::Store;
use wharf_tree::{
    Tree, merge,
    tar::import::{ImportOptions, import_archive},
};

use crate::{
    compare::differences,
    setup::{Setup, lacks},
};

/// Where the trees may differ, and why. Fifteen at most, by exact path.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("/dev", "left out of mmdebstrap's archive with the nodes in it"),
    ("/etc/hostname", "the host's"),
    ("/etc/resolv.conf", "the host's"),
    (
        "/etc/shells",
        "the order of its lines: shells are registered before mmdebstrap merges /usr",
    ),
    (
        "/var/lib/apt/extended_states",
        "the order of its paragraphs: sorted here, apt's hash order there",
    ),
    (
        "/var/cache/debconf/config.dat-old",
        "the state before debconf's last change, which is another one",
    ),
    (
        "/var/cache/debconf/templates.dat-old",
        "the state before debconf's last change, which is another one",
    ),
    (
        "/var/lib/dpkg/status-old",
        "the state before dpkg's last step, which is another one",
    ),
];

fn mmdebstrap(setup: &Setup, variant: &str, include: &str, sources: &str) -> Tree {
    let suite = wharf_base::apt::host::HostApt::read(Path::new("/"))
        .unwrap()
        .codename
        .unwrap();
    let tar = setup.folder.path().join("theirs.tar");
    let mut command = Command::new("mmdebstrap");
    command
        .args(["--quiet", "--mode=root", "--skip=output/dev", "--format=tar"])
        .arg(format!("--variant={variant}"));
    if !include.is_empty() {
        command.arg(format!("--include={include}"));
    }
    let list = setup.folder.path().join("sources.list");
    fs::write(&list, sources).unwrap();
    command
        .arg(suite)
        .arg(&tar)
        .arg("-")
        .stdin(fs::File::open(&list).unwrap());
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    import(&tar, &setup.store)
}

fn import(tar: &Path, store: &Store) -> Tree {
    let file = fs::File::open(tar).unwrap();
    let layer = import_archive(file, &mut store.clone(), &ImportOptions::default()).unwrap();
    merge(&Tree::empty(), &layer)
}

fn check(variant: &str, packages: &[&str]) {
    if let Some(reason) = lacks() {
        return wharf_testkit::skip(reason);
    }
    if Command::new("mmdebstrap").arg("--version").output().is_err() {
        return wharf_testkit::skip("mmdebstrap is not installed");
    }
    let setup = Setup::new();
    let settings = format!("apt = 'host'\nvariant = '{variant}'\npackages = {packages:?}");
    let resolution = setup.resolve(&settings).unwrap();
    let base = setup.make(&resolution);
    let theirs = mmdebstrap(&setup, variant, &packages.join(","), &resolution.sources);
    let found = differences(&setup.tree(&base), &theirs, &setup.store);
    let wrong: Vec<_> = found
        .iter()
        .filter(|(path, _)| !EXCEPTIONS.iter().any(|(known, _)| known == path))
        .map(|(path, what)| format!("{path}: {what}"))
        .collect();
    assert!(EXCEPTIONS.len() <= 15);
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn minbase() {
    check("minbase", &[]);
}

#[test]
fn custom_with_dpkg() {
    let shell = [
        "dpkg",
        "dash",
        "coreutils",
        "base-files",
        "base-passwd",
        "libc-bin",
        "diffutils",
        "sed",
        "grep",
    ];
    check(
        "custom",
        &[
            &shell[..],
            &["debconf", "perl-base", "findutils", "ca-certificates", "tzdata"],
        ]
        .concat(),
    );
}
