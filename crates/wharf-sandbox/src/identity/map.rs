//! Maps of user and group ids of a user namespace (user_namespaces(7)).

use std::fs;

use crate::IdentityError;

/// A map of user ids and one of group ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdMap {
    /// Ranges of user ids.
    pub uids: Vec<IdRange>,
    /// Ranges of group ids.
    pub gids: Vec<IdRange>,
}

/// `count` ids from `inside` on are those from `outside` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    /// First id inside.
    pub inside: u32,
    /// First id outside.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

impl IdMap {
    /// The map that has 0 inside for `uid` and `gid` outside, and nothing else.
    pub fn single(uid: u32, gid: u32) -> Self {
        let one = |outside| {
            vec![IdRange {
                inside: 0,
                outside,
                count: 1,
            }]
        };
        Self {
            uids: one(uid),
            gids: one(gid),
        }
    }

    /// The map by which all ids of this process's user namespace are the same inside.
    pub(crate) fn same() -> Result<Self, IdentityError> {
        Ok(Self {
            uids: own("/proc/self/uid_map")?,
            gids: own("/proc/self/gid_map")?,
        })
    }

    /// How many ids, from 0 on without a gap, are mapped on both sides.
    pub fn span(&self) -> u32 {
        contiguous(&self.uids).min(contiguous(&self.gids))
    }
}

fn own(path: &str) -> Result<Vec<IdRange>, IdentityError> {
    let text = fs::read_to_string(path).map_err(|source| IdentityError::Run {
        tool: path.into(),
        source,
    })?;
    Ok(text.lines().filter_map(mapped_to_itself).collect())
}

/// A line of a map: first id inside, first id outside, how many.
fn mapped_to_itself(line: &str) -> Option<IdRange> {
    let mut numbers = line.split_whitespace().map(str::parse);
    let (inside, _, count): (u32, u32, u32) = (
        numbers.next()?.ok()?,
        numbers.next()?.ok()?,
        numbers.next()?.ok()?,
    );
    Some(IdRange {
        inside,
        outside: inside,
        count,
    })
}

/// The first id that `ranges` lack.
fn contiguous(ranges: &[IdRange]) -> u32 {
    let mut sorted = ranges.to_vec();
    sorted.sort_by_key(|range| range.inside);
    let next = |end: u32, range: &IdRange| {
        if range.inside == end {
            end.saturating_add(range.count)
        } else {
            end
        }
    };
    sorted.iter().fold(0, next)
}

/// Appends ranges from outside behind `first`, one after another inside.
pub(super) fn extend(first: IdRange, more: &[(u32, u32)]) -> Vec<IdRange> {
    let mut ranges = vec![first];
    let mut inside = first.inside + first.count;
    for (outside, count) in more {
        ranges.push(IdRange {
            inside,
            outside: *outside,
            count: *count,
        });
        inside = inside.saturating_add(*count);
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_ends_at_the_first_gap() {
        let range = |inside, count| IdRange {
            inside,
            outside: 7,
            count,
        };
        assert_eq!(contiguous(&[]), 0);
        assert_eq!(contiguous(&[range(1, 65_536), range(0, 1)]), 65_537);
        assert_eq!(contiguous(&[range(0, 1), range(2, 5)]), 1);
    }
}
