//! Times beside answers: which files have others than a read set remembers.

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
        let mut writer = Writer::default();
        let mut others = earlier.places().peekable();
        for (place, mut told) in self.places() {
            let content = told.content();
            let before = difference::at(&place, &mut others).filter(|_| place.root == 0);
            if let (Some(seen), Some(before)) = (&mut told.seen, before)
                && let Some(earlier) = before.seen
            {
                seen.mtime = if content == before.content() {
                    earlier.mtime
                } else {
                    made.map_or(seen.mtime, |made| seen.mtime.min(made))
                };
            }
            writer.told(&place, &told);
        }
        Self::written(writer)
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
