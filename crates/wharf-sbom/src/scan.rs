//! A walk over a tree.

use std::collections::BTreeMap;

use wharf_tree::{Entry, Tree, TreePath};

use crate::{
    apk, cargo,
    distro::Distro,
    dpkg,
    elf::Program,
    go, npm,
    package::{Inventory, Package},
    python,
    reader::{Contents, FoundFile, ScanError, Scanner, failed},
    rpm,
};

/// Raised when a scan of the same tree finds something else than before, so that a kept inventory is not taken for a new one.
pub const SCAN_VERSION: u32 = 2;

/// Smaller programs than any with a list of packages.
const PROGRAM_LEAST: u64 = 4 << 10;

/// Finds all packages of a tree. Fails only when a content cannot be had.
pub fn scan(tree: &Tree, contents: &dyn Contents) -> Result<Inventory, ScanError> {
    let mut scanner = Scanner {
        tree,
        contents,
        inventory: Inventory::default(),
    };
    scanner.inventory.distro = told_distro(&mut scanner)?;
    dpkg::scan(&mut scanner)?;
    apk::scan(&mut scanner)?;
    rpm::scan(&mut scanner)?;
    walk(&mut scanner)?;
    let mut inventory = scanner.inventory;
    inventory.packages = united(inventory.packages);
    Ok(inventory)
}

/// Which distribution a tree is of, if it says so.
pub fn distro(tree: &Tree, contents: &dyn Contents) -> Result<Option<Distro>, ScanError> {
    told_distro(&mut Scanner {
        tree,
        contents,
        inventory: Inventory::default(),
    })
}

fn told_distro(scanner: &mut Scanner<'_>) -> Result<Option<Distro>, ScanError> {
    for path in ["etc/os-release", "usr/lib/os-release"] {
        if let Some(file) = scanner.file(path) {
            let text = scanner.text(&file, 1 << 20)?;
            return Ok(text.as_deref().and_then(Distro::parse));
        }
    }
    Ok(None)
}

/// Every file once, folder by folder. Links are not followed: what they lead to is found in its own place.
fn walk(scanner: &mut Scanner<'_>) -> Result<(), ScanError> {
    let mut folders = vec![(TreePath::root(), scanner.tree.dir())];
    while let Some((path, dir)) = folders.pop() {
        for (name, entry) in dir.entries() {
            let child = path.join(name);
            if let Some(dir) = entry.node.as_dir() {
                folders.push((child, dir));
            } else if let Some(file) = FoundFile::of(&child, entry) {
                look_at(&file, &child, entry, scanner)?;
            }
        }
    }
    Ok(())
}

fn look_at(
    file: &FoundFile,
    path: &TreePath,
    entry: &Entry,
    scanner: &mut Scanner<'_>,
) -> Result<(), ScanError> {
    let name = path.file_name().unwrap_or_default();
    let folder = path.parent().unwrap_or_default();
    if python::is_metadata(folder.file_name().unwrap_or_default(), name) {
        return python::read(file, scanner);
    }
    if npm::is_manifest(path.as_bytes()) {
        return npm::read(file, scanner);
    }
    if name == b"Cargo.lock" {
        return cargo::read_lock(file, scanner);
    }
    if entry.attrs.mode & 0o111 != 0 && file.size >= PROGRAM_LEAST {
        return program(file, scanner);
    }
    Ok(())
}

/// A program may say what it was built of.
fn program(file: &FoundFile, scanner: &mut Scanner<'_>) -> Result<(), ScanError> {
    let mut content = scanner.open(file)?;
    let packages = built_of(&mut *content).map_err(|source| failed(file, source))?;
    scanner.found(file, packages)
}

fn built_of(content: &mut dyn crate::reader::Content) -> std::io::Result<Vec<Package>> {
    let Some(mut program) = Program::open(content)? else {
        return Ok(Vec::new());
    };
    if let Some(modules) = go::modules(&mut program)? {
        return Ok(modules);
    }
    let list = program.section(".dep-v0", 8 << 20)?;
    Ok(list.and_then(|list| cargo::audited(&list)).unwrap_or_default())
}

/// Sorted, and each package once with all files that it was found in.
fn united(packages: Vec<Package>) -> Vec<Package> {
    let mut united: BTreeMap<_, Package> = BTreeMap::new();
    for package in packages {
        let key = (
            package.ecosystem,
            package.name.clone(),
            package.version.clone(),
            package.purl.clone(),
        );
        match united.get_mut(&key) {
            Some(known) => merge(known, package),
            None => drop(united.insert(key, package)),
        }
    }
    let mut packages: Vec<_> = united.into_values().collect();
    for package in &mut packages {
        package.found_in.sort();
        package.found_in.dedup();
    }
    packages
}

fn merge(known: &mut Package, package: Package) {
    known.found_in.extend(package.found_in);
    known.licence = known.licence.take().or(package.licence);
    known.supplier = known.supplier.take().or(package.supplier);
    known.homepage = known.homepage.take().or(package.homepage);
    known.comment = known.comment.take().or(package.comment);
    for checksum in package.checksums {
        // Of two sums of one kind, which one is right is not known here.
        if known.checksums.iter().all(|sum| sum.kind != checksum.kind) {
            known.checksums.push(checksum);
        }
    }
}

#[cfg(test)]
mod tests;
