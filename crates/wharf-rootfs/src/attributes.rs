//! What `stat` shows of an entry: functions of the tree alone, so that equal answers recorded are equal answers seen.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{FileAttr, FileType, INodeNo};
use wharf_tree::{Device, Entry, Mtime, Node};

use crate::{listing::file_type, owners::Owners};

/// Served as the size of every directory, so that its real one, which no tree knows, need not be recorded.
const DIR_SIZE: u64 = 4096;

/// The attributes of `entry` under the inode number `number`.
pub(crate) fn attributes(entry: &Entry, number: u64, nlink: u32, owners: &Owners) -> FileAttr {
    let size = size(&entry.node);
    let time = time(entry.mtime);
    let (uid, gid) = owners.seen(entry.attrs.uid, entry.attrs.gid);
    FileAttr {
        ino: INodeNo(number),
        size,
        blocks: size.div_ceil(512),
        atime: time,
        mtime: time,
        ctime: time,
        crtime: UNIX_EPOCH,
        kind: file_type(&entry.node).unwrap_or(FileType::RegularFile),
        perm: entry.attrs.mode,
        nlink,
        uid,
        gid,
        rdev: rdev(&entry.node),
        blksize: 4096,
        flags: 0,
    }
}

/// The attributes that say "no such name" with inode number 0: the only miss that the kernel remembers.
pub(crate) fn nothing() -> FileAttr {
    attributes(&Entry::whiteout(), 0, 0, &Owners::Same)
}

/// The attributes that say "no such name, and none below" to an overlay: a character device 0/0.
pub(crate) fn whiteout(number: u64) -> FileAttr {
    FileAttr {
        ino: INodeNo(number),
        kind: FileType::CharDevice,
        nlink: 1,
        ..nothing()
    }
}

fn size(node: &Node) -> u64 {
    match node {
        Node::File { size, .. } => *size,
        Node::Symlink(target) => target.len() as u64,
        Node::Dir(..) => DIR_SIZE,
        _ => 0,
    }
}

/// Linux's `new_encode_dev`: 12 bits of major between the low 8 and the high 12 of minor.
fn rdev(node: &Node) -> u32 {
    match *node {
        Node::CharDevice(Device { major, minor }) | Node::BlockDevice(Device { major, minor }) => {
            (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
        }
        _ => 0,
    }
}

fn time(mtime: Mtime) -> SystemTime {
    let whole = Duration::from_secs(mtime.secs.unsigned_abs());
    let base = match mtime.secs {
        0.. => UNIX_EPOCH.checked_add(whole),
        _ => UNIX_EPOCH.checked_sub(whole),
    };
    let nanos = Duration::from_nanos(mtime.nanos.into());
    base.and_then(|base| base.checked_add(nanos))
        .unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_the_epoch_keep_their_nanoseconds() {
        let mtime = Mtime {
            secs: -2,
            nanos: 800_000_000,
        };
        assert_eq!(
            UNIX_EPOCH.duration_since(time(mtime)).unwrap(),
            Duration::from_millis(1200)
        );
        let late = Mtime { secs: 3, nanos: 5 };
        assert_eq!(
            time(late).duration_since(UNIX_EPOCH).unwrap(),
            Duration::new(3, 5)
        );
    }

    #[test]
    fn device_numbers_as_the_kernel_packs_them() {
        for (major, minor, packed) in [
            (1, 3, 0x103),
            (8, 0x1_23, 0x10_0823),
            (4095, 0xf_ffff, 0xffff_ffff),
        ] {
            assert_eq!(rdev(&Node::CharDevice(Device { major, minor })), packed);
        }
    }
}
