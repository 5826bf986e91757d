//! What the go command put together: the build information of its programs.
//!
//! The comments of Go's package `debug/buildinfo`: a section `.go.buildinfo` with the version of Go and the list of modules, since Go 1.18
//! in place, before that behind pointers.

use std::io;

use crate::{
    elf::Program,
    package::{Ecosystem, Package},
    purl::Purl,
};

/// The list of modules and settings; those of the largest programs have some hundred kilobytes.
const LIMIT: u64 = 16 << 20;
const MAGIC: &[u8] = b"\xff Go buildinf:";
/// The strings follow in place.
const INLINE: u8 = 2;

/// The modules that a program was built of; `None` if it is not Go's.
pub(crate) fn modules(program: &mut Program<'_>) -> io::Result<Option<Vec<Package>>> {
    let Some(section) = program.section(".go.buildinfo", LIMIT)? else {
        return Ok(None);
    };
    let strings = if section.len() < 32 || !section.starts_with(MAGIC) {
        None
    } else if section[15] & INLINE != 0 {
        inline(&section)
    } else {
        behind_pointers(&section, program)?
    };
    Ok(strings.map(|(version, modules)| packages(&version, &modules)))
}

fn inline(section: &[u8]) -> Option<(String, String)> {
    let (version, rest) = counted(section.get(32..)?)?;
    let (modules, _) = counted(rest)?;
    Some((text(version), text(modules)))
}

/// A string after its length as an unsigned varint.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length: u64 = 0;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        length |= u64::from(byte & 0x7f).checked_shl(7 * index as u32)?;
        if byte & 0x80 == 0 {
            let length = usize::try_from(length).ok()?;
            return bytes.get(index + 1..)?.split_at_checked(length);
        }
    }
    None
}

fn behind_pointers(section: &[u8], program: &mut Program<'_>) -> io::Result<Option<(String, String)>> {
    let size = usize::from(section[14]);
    if size != program.pointer_size() {
        return Ok(None);
    }
    let mut strings = [None, None];
    for (index, found) in strings.iter_mut().enumerate() {
        let Some(header) = program.pointer(section, 16 + index * size) else {
            return Ok(None);
        };
        // A Go string: pointer and length.
        let Some(header) = program.loaded(header, 2 * size as u64)? else {
            continue;
        };
        let place = (program.pointer(&header, 0), program.pointer(&header, size));
        if let (Some(at), Some(length)) = place
            && length <= LIMIT
        {
            *found = program.loaded(at, length)?;
        }
    }
    let [version, modules] = strings;
    Ok(version.map(|version| (text(&version), text(&modules.unwrap_or_default()))))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The standard library and the modules. `=>` replaces the module in the line before.
fn packages(version: &str, list: &str) -> Vec<Package> {
    let mut packages = Vec::new();
    let go = version.split_whitespace().next().unwrap_or_default();
    if let Some(number) = go.strip_prefix("go") {
        packages.push(Package {
            licence: Some("BSD-3-Clause".to_owned()),
            ..module("stdlib", number, "")
        });
    }
    for line in list.lines() {
        let mut fields = line.split('\t');
        let kind = fields.next().unwrap_or_default();
        // The list stands between two marks of sixteen bytes that are no text.
        let kind = kind.get(kind.len().saturating_sub(4)..).unwrap_or(kind);
        let (path, version, sum) = (fields.next(), fields.next(), fields.next());
        let Some(path) = path.filter(|path| !path.is_empty()) else {
            continue;
        };
        let found = module(path, version.unwrap_or_default(), sum.unwrap_or_default());
        match kind.trim_start() {
            "mod" | "dep" => packages.push(found),
            "=>" => {
                packages.pop();
                packages.push(found);
            }
            _ => {}
        }
    }
    packages
}

fn module(path: &str, version: &str, sum: &str) -> Package {
    let lower = path.to_lowercase();
    let (namespace, name) = lower.rsplit_once('/').unwrap_or(("", &lower));
    // What a program was built from without version control has none.
    let version = if version == "(devel)" { "" } else { version };
    let purl = Purl::new("golang", namespace, name, version, &[]);
    Package {
        comment: (!sum.is_empty()).then(|| format!("go.sum {sum}")),
        ..Package::new(Ecosystem::Golang, path, version, purl)
    }
}
