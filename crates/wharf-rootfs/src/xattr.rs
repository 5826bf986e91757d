//! Extended attributes on disk and in trees: overlayfs's names, and ids inside the values of two of them.

use std::{collections::BTreeMap, io, path::Path};

use rustix::io::Errno;
use wharf_tree::Xattrs;

use crate::{
    overlay::Markers,
    owners::{IdRange, Owners, to_inside, to_outside},
};

/// Linux's limits (xattr(7)): of a list of names, of a value.
const LIMIT: usize = 64 << 10;

/// A label of the host's policy, not of the step: other builders leave it out as well.
const SELINUX: &[u8] = b"security.selinux";

const CAPABILITY: &[u8] = b"security.capability";
const ACLS: &[u8] = b"system.posix_acl_";

/// Attributes of a file in an upper directory.
#[derive(Debug, Default)]
pub(crate) struct OnDisk {
    /// Those that the step sees.
    pub(crate) visible: Xattrs,
    /// Whether overlayfs marked the directory as hiding what is below.
    pub(crate) opaque: bool,
}

/// Reads the attributes of `path`, of a link itself. `markers` is `None` where no overlay wrote.
pub(crate) fn read(path: &Path, markers: Option<Markers>, owners: &Owners) -> io::Result<OnDisk> {
    let opaque = markers.map(|markers| markers.name("opaque"));
    let mut found = OnDisk::default();
    for name in names(path)? {
        match markers.map_or_else(|| Some(name.clone()), |markers| markers.unescape(&name)) {
            Some(visible) if visible != SELINUX => {
                if let Some(value) = value(path, &name)? {
                    let value = translate(&visible, value, owners, Side::Inside);
                    found.visible.insert(visible, value);
                }
            }
            None if opaque.as_ref() == Some(&name) => {
                found.opaque = value(path, &name)?.as_deref() == Some(b"y");
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Gives `path` the attributes of an entry.
pub(crate) fn write(
    path: &Path,
    xattrs: &Xattrs,
    markers: Option<Markers>,
    owners: &Owners,
) -> io::Result<()> {
    for (name, value) in xattrs {
        // Only real root can have these, and a user namespace's root cannot see them.
        if markers == Some(Markers::User) && name.starts_with(b"trusted.") {
            continue;
        }
        let stored = markers.map_or_else(|| name.clone(), |markers| markers.escape(name));
        let value = translate(name, value.clone(), owners, Side::Outside);
        rustix::fs::lsetxattr(path, stored, &value, rustix::fs::XattrFlags::empty())?;
    }
    Ok(())
}

fn names(path: &Path) -> io::Result<Vec<Vec<u8>>> {
    // Nearly every file has none: no buffer for those.
    let length = match rustix::fs::llistxattr_query(path) {
        Ok(0) | Err(Errno::NOTSUP) => return Ok(Vec::new()),
        other => other?,
    };
    let mut list = vec![0; length];
    let length = rustix::fs::llistxattr(path, &mut list[..])?;
    let names = list[..length].split(|byte| *byte == 0);
    Ok(names
        .filter(|name| !name.is_empty())
        .map(<[u8]>::to_vec)
        .collect())
}

/// `None` for a name that is listed and cannot be asked for: `trusted.*` without the privilege.
fn value(path: &Path, name: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut value = vec![0; LIMIT];
    match rustix::fs::lgetxattr(path, name, &mut value[..]) {
        Ok(length) => {
            value.truncate(length);
            Ok(Some(value))
        }
        Err(Errno::NODATA) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Which side of the user namespace a value is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Inside,
    Outside,
}

impl Side {
    fn id(self, ranges: &[IdRange], id: u32) -> Option<u32> {
        match self {
            Self::Inside => to_inside(ranges, id),
            Self::Outside => to_outside(ranges, id),
        }
    }
}

/// The value as one side of the user namespace has it, coming from the other.
fn translate(name: &[u8], value: Vec<u8>, owners: &Owners, to: Side) -> Vec<u8> {
    match (owners, name) {
        (Owners::Mapped { uids, .. }, CAPABILITY) => capability(value, uids, to),
        (Owners::Mapped { uids, gids }, name) if name.starts_with(ACLS) => acl(value, uids, gids, to),
        _ => value,
    }
}

/// `vfs_ns_cap_data` (linux/capability.h): revision 3 is revision 2 and the user id of the namespace's root.
fn capability(mut value: Vec<u8>, uids: &[IdRange], to: Side) -> Vec<u8> {
    const REVISION: usize = 3;
    match (to, value.get(REVISION), value.len()) {
        (Side::Inside, Some(3), 24) if to.id(uids, le32(&value[20..])) == Some(0) => {
            value.truncate(20);
            value[REVISION] = 2;
        }
        (Side::Outside, Some(2), 20) => {
            if let Some(root) = to.id(uids, 0) {
                value.extend(root.to_le_bytes());
                value[REVISION] = 3;
            }
        }
        _ => {}
    }
    value
}

/// `posix_acl_xattr_header` and its entries (linux/posix_acl_xattr.h): tag, permissions, id.
fn acl(mut value: Vec<u8>, uids: &[IdRange], gids: &[IdRange], to: Side) -> Vec<u8> {
    const USER: u8 = 0x02;
    const GROUP: u8 = 0x08;
    for entry in value.get_mut(4..).unwrap_or_default().chunks_exact_mut(8) {
        let id = le32(&entry[4..]);
        let mapped = match entry[0] {
            USER => to.id(uids, id),
            GROUP => to.id(gids, id),
            _ => None,
        };
        entry[4..].copy_from_slice(&mapped.unwrap_or(id).to_le_bytes());
    }
    value
}

fn le32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes[..4].try_into().expect("four bytes were sliced"))
}

/// An entry's attributes as a tree keeps them: none is `None`.
pub(crate) fn some(xattrs: Xattrs) -> Option<std::sync::Arc<Xattrs>> {
    (!xattrs.is_empty()).then(|| std::sync::Arc::new(xattrs))
}

/// Whether a file can have the same attributes as an entry of a tree, as far as `markers` lets a step set them.
pub(crate) fn equal(ours: Option<&Xattrs>, trees: Option<&Xattrs>, markers: Option<Markers>) -> bool {
    let settable = |name: &[u8]| markers != Some(Markers::User) || !name.starts_with(b"trusted.");
    let none = BTreeMap::new();
    let trees = trees.unwrap_or(&none).iter().filter(|(name, _)| settable(name));
    ours.unwrap_or(&none).iter().eq(trees)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owners::IdRange;

    fn mapped() -> Owners {
        let ranges = vec![IdRange {
            inside: 0,
            outside: 100_000,
            count: 65_536,
        }];
        Owners::Mapped {
            uids: ranges.clone(),
            gids: ranges,
        }
    }

    #[test]
    fn capabilities_lose_and_regain_the_namespaces_root() {
        let inside: Vec<u8> = [&[1, 0, 0, 2][..], &[7; 16]].concat();
        let outside = translate(CAPABILITY, inside.clone(), &mapped(), Side::Outside);
        assert_eq!(
            outside,
            [&[1, 0, 0, 3][..], &[7; 16], &100_000_u32.to_le_bytes()].concat()
        );
        assert_eq!(translate(CAPABILITY, outside, &mapped(), Side::Inside), inside);
    }

    #[test]
    fn access_control_lists_are_mapped_id_by_id() {
        let list = |user: u32| {
            let unset = u32::MAX.to_le_bytes();
            [
                &[2, 0, 0, 0, 1, 0, 7, 0][..],
                &unset,
                &[2, 0, 4, 0],
                &user.to_le_bytes(),
            ]
            .concat()
        };
        let name = b"system.posix_acl_access";
        assert_eq!(translate(name, list(100_033), &mapped(), Side::Inside), list(33));
        assert_eq!(translate(name, list(33), &mapped(), Side::Outside), list(100_033));
        assert_eq!(translate(name, list(33), &Owners::Same, Side::Outside), list(33));
    }
}
