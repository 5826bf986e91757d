//! What a member's header says, as parts of an entry: with everything refused that Linux could not hold.

use std::sync::Arc;

use super::{error::ImportError, reader::Member};
use crate::{
    decode::XATTR_SIZE_MAX,
    entry::{Attrs, Device, Node, Xattrs},
    path::{PATH_MAX, TreePath},
};

/// A name of the archive as a path below its root.
pub(super) fn path(name: &[u8]) -> Result<TreePath, ImportError> {
    let mut depth = 0_usize;
    for component in name.split(|byte| *byte == b'/') {
        depth = match component {
            b"" | b"." => Some(depth),
            b".." => depth.checked_sub(1),
            _ => Some(depth + 1),
        }
        .ok_or_else(|| ImportError::Outside { name: lossy(name) })?;
    }
    TreePath::new(name).map_err(|source| ImportError::Name {
        name: lossy(name),
        source,
    })
}

pub(super) fn attrs(member: &Member) -> Result<Attrs, ImportError> {
    let range = |what| ImportError::Range {
        name: lossy(&member.path),
        what,
    };
    Ok(Attrs {
        mode: if member.kind == b'2' { 0o777 } else { member.mode },
        uid: member.uid.try_into().map_err(|_| range("owner"))?,
        gid: member.gid.try_into().map_err(|_| range("group"))?,
        xattrs: xattrs(&member.xattrs).map_err(|()| range("extended attribute"))?,
    })
}

fn xattrs(xattrs: &Xattrs) -> Result<Option<Arc<Xattrs>>, ()> {
    let fits = |(name, value): (&Vec<u8>, &Vec<u8>)| {
        (1..=255).contains(&name.len()) && !name.contains(&0) && value.len() <= XATTR_SIZE_MAX
    };
    if !xattrs.iter().all(fits) {
        return Err(());
    }
    Ok((!xattrs.is_empty()).then(|| Arc::new(xattrs.clone())))
}

pub(super) fn symlink(member: &Member) -> Result<Node, ImportError> {
    let target = &member.link[..];
    if target.is_empty() || target.len() >= PATH_MAX || target.contains(&0) {
        return Err(ImportError::Range {
            name: lossy(&member.path),
            what: "link target",
        });
    }
    Ok(Node::Symlink(target.into()))
}

pub(super) fn device(member: &Member) -> Result<Device, ImportError> {
    let (major, minor) = member.device;
    let device = u32::try_from(major).ok().zip(u32::try_from(minor).ok());
    let device = device.and_then(|(major, minor)| Device::new(major, minor));
    device.ok_or_else(|| ImportError::Range {
        name: lossy(&member.path),
        what: "device number",
    })
}

pub(super) fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
