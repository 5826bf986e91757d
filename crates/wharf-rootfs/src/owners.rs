//! Whose files are whose: ids inside the step's user namespace and the ids that the disk shows for them.

/// A run of ids, as a line of `/proc/<pid>/uid_map`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    /// First id inside.
    pub inside: u32,
    /// First id outside: what `stat` of this process shows.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// What owners mean where the step ran.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Owners {
    /// The ids on disk are those of the tree.
    #[default]
    Same,
    /// The step's user namespace, seen from outside of it.
    Mapped {
        /// User ids.
        uids: Vec<IdRange>,
        /// Group ids.
        gids: Vec<IdRange>,
    },
    /// One id only: every file is 0:0 to the step, whatever the tree and the disk say.
    Single,
}

impl Owners {
    /// The ids inside for those on disk; `None` when one of them is not mapped.
    pub fn inside(&self, uid: u32, gid: u32) -> Option<(u32, u32)> {
        match self {
            Self::Same => Some((uid, gid)),
            Self::Single => Some((0, 0)),
            Self::Mapped { uids, gids } => Some((to_inside(uids, uid)?, to_inside(gids, gid)?)),
        }
    }

    /// The ids on disk for those of the tree; `None` when one of them is not mapped, or when files cannot be given away.
    pub fn outside(&self, uid: u32, gid: u32) -> Option<(u32, u32)> {
        match self {
            Self::Same => Some((uid, gid)),
            Self::Single => None,
            Self::Mapped { uids, gids } => Some((to_outside(uids, uid)?, to_outside(gids, gid)?)),
        }
    }

    /// Whether the step can have files of these ids of the tree.
    pub fn knows(&self, uid: u32, gid: u32) -> bool {
        *self == Self::Single || self.outside(uid, gid).is_some()
    }

    /// The ids that the step sees for those of the tree.
    pub const fn seen(&self, uid: u32, gid: u32) -> (u32, u32) {
        match self {
            Self::Single => (0, 0),
            Self::Same | Self::Mapped { .. } => (uid, gid),
        }
    }
}

/// The id inside for one on disk.
pub(crate) fn to_inside(ranges: &[IdRange], id: u32) -> Option<u32> {
    ranges.iter().find_map(|range| {
        let offset = id.checked_sub(range.outside)?;
        (offset < range.count).then(|| range.inside + offset)
    })
}

/// The id on disk for one inside.
pub(crate) fn to_outside(ranges: &[IdRange], id: u32) -> Option<u32> {
    ranges.iter().find_map(|range| {
        let offset = id.checked_sub(range.inside)?;
        (offset < range.count).then(|| range.outside + offset)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_both_ways() {
        let ranges = vec![
            IdRange {
                inside: 0,
                outside: 1000,
                count: 1,
            },
            IdRange {
                inside: 1,
                outside: 100_000,
                count: 65_535,
            },
        ];
        let owners = Owners::Mapped {
            uids: ranges.clone(),
            gids: ranges,
        };
        for (inside, outside) in [(0, 1000), (1, 100_000), (33, 100_032), (65_535, 165_534)] {
            assert_eq!(owners.inside(outside, outside), Some((inside, inside)));
            assert_eq!(owners.outside(inside, inside), Some((outside, outside)));
        }
        assert_eq!(owners.inside(1001, 1000), None);
        assert_eq!(owners.outside(0, 65_536), None);
    }
}
