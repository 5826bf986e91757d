//! Times beside answers: which files have others than a read set remembers.

use std::collections::{BTreeMap, BTreeSet};

use super::{Answer, Difference, Kind, Place, ReadSet, Seen, Told, difference, encode::Writer};
use crate::{Mtime, Node, Tree};

/// A file that has another time than is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherTime {
    /// Where.
    pub place: Place,
    /// The time that it had.
    pub was: Mtime,
    /// Nobody read it, so that the answers do not show it, but it has another content as well. Who compared its time with another's
    /// saw an edit there.
    pub edited: Option<Difference>,
}

impl ReadSet {
    /// The files that have other times in `trees`, which answer as those of this set did. `trees[n]` is root n; of a root that is missing
    /// nothing is said.
    pub fn other_times<'a>(&'a self, trees: &'a [&'a Tree]) -> impl Iterator<Item = OtherTime> + 'a {
        self.places().filter_map(|(place, told)| {
            let seen = told.seen?;
            let entry = trees.get(usize::from(place.root))?.get(&place.path)?;
            (entry.mtime != seen.mtime).then(|| OtherTime {
                edited: edited(&place, &told, seen, &entry.node),
                was: seen.mtime,
                place,
            })
        })
    }

    /// This set with the times that `earlier` remembers of files of the step's own root, where both remember one. A file that has another
    /// content now takes none of them, but is not younger than `made`, the time at which the step of `earlier` began to make files: it
    /// must not look younger than those, nor older than files that it is younger than.
    #[must_use]
    pub fn with_times_of(&self, earlier: &Self, made: Option<Mtime>) -> Self {
        let older = made.map_or_else(BTreeMap::new, |made| self.made_older(earlier, made));
        let mut writer = Writer::default();
        for (place, mut told, before) in self.beside(earlier) {
            let same_content = told.content() == before.as_ref().and_then(Told::content);
            if let (Some(seen), Some(before)) = (&mut told.seen, before.and_then(|before| before.seen)) {
                seen.mtime = if same_content {
                    before.mtime
                } else {
                    older.get(&seen.mtime).copied().unwrap_or(seen.mtime)
                };
            }
            writer.told(&place, &told);
        }
        Self::written(writer)
    }

    /// What the times of edited files younger than `made` become: a nanosecond apart from there on, in the order that they have, and
    /// after those that an earlier edit left there.
    fn made_older(&self, earlier: &Self, made: Mtime) -> BTreeMap<Mtime, Mtime> {
        let mut next = made;
        let mut edited = BTreeSet::new();
        for (_, told, before) in self.beside(earlier) {
            let (Some(seen), Some(before)) = (told.seen, before) else {
                continue;
            };
            if told.content() != before.content() {
                edited.extend((seen.mtime > made).then_some(seen.mtime));
            } else if let Some(kept) = before.seen.filter(|kept| kept.mtime.secs == made.secs) {
                next.nanos = next.nanos.max(kept.mtime.nanos + 1);
            }
        }
        let older = edited.into_iter().zip(next.nanos..);
        let at = |nanos: u32| Mtime {
            nanos: nanos.min(999_999_999),
            ..made
        };
        older.map(|(mtime, nanos)| (mtime, at(nanos))).collect()
    }

    /// Every place, and what `earlier` was told about those of the step's own root.
    fn beside<'a>(&'a self, earlier: &'a Self) -> impl Iterator<Item = (Place, Told, Option<Told>)> + 'a {
        let mut others = earlier.places().peekable();
        self.places().map(move |(place, told)| {
            let before = difference::at(&place, &mut others).filter(|_| place.root == 0);
            (place, told, before)
        })
    }
}

fn edited(place: &Place, told: &Told, seen: Seen, node: &Node) -> Option<Difference> {
    let Node::File { digest, .. } = node else {
        return None;
    };
    let unread = told.get(&Kind::Content).is_none();
    (unread && seen.unread != Some(*digest)).then(|| Difference {
        place: place.clone(),
        kind: Kind::Content,
        was: seen.unread.map_or(Answer::Unfit, Answer::Content),
        is: Answer::Content(*digest),
    })
}
