//! What a step needed from its roots: path sets (questions) and read sets (questions with the answers they got).
//!
//! A step's parent tree is immutable, so what was asked of it and answered *is* the step's dependency on it. A [`PathSet`]
//! is asked again of another tree ([`PathSet::answer`]); the same answers mean the same outcome, which the strong key
//! ([`strong_key`]) says in 32 bytes. Nothing here does I/O: contents are known by digest.
//!
//! Paths are those of the entries themselves: no component is a symbolic link (a link that was followed is an item of its
//! own, with its target). The bytes are drawn in `docs/formats.md`, "Path sets and read sets".

mod answer;
mod ask;
mod changes;
mod decode;
mod difference;
mod encode;
mod key;
mod times;
mod told;

use std::collections::BTreeMap;

pub use answer::{Answer, FileType, Listing, Presence, Stat};
pub use ask::{Asked, Kind};
pub use changes::{Changes, touched};
pub use decode::ReadSetError;
pub use difference::Difference;
pub use key::{PathSetDigest, ReadSetDigest, StrongKey, strong_key};
pub use times::OtherTime;
pub use told::{ReadSet, Seen, Told};

use self::{answer::Answerer, encode::Writer};
use crate::{FollowLast, Tree, TreePath, Visit};

/// A path in one of a step's roots.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// 0 is the step's own root, n its n-th bind mount.
    pub root: u16,
    /// The path in it, through no symbolic link.
    pub path: TreePath,
}

/// What a step asked, without the answers. Sorted by root, then path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PathSet {
    places: BTreeMap<Place, Asked>,
}

impl PathSet {
    /// Adds a question.
    pub fn ask(&mut self, place: Place, kind: Kind) {
        self.places.entry(place).or_default().add(kind);
    }

    /// Adds all that was asked of a place.
    pub fn ask_all(&mut self, place: Place, asked: &Asked) {
        if *asked != Asked::default() {
            self.places.entry(place).or_default().merge(asked);
        }
    }

    /// Adds what looking `path` up in `tree` asks: every component, hop and miss. For the builder's own look-ups (programs
    /// on `PATH`, the working directory), which do not pass the step's file system.
    pub fn ask_lookup(&mut self, root: u16, tree: &Tree, path: impl AsRef<[u8]>, last: FollowLast) {
        let mut ask = |path: &TreePath, kind| {
            let path = path.clone();
            self.ask(Place { root, path }, kind);
        };
        // Where it ends is no matter: a miss, or a file on the way, is an answer too.
        let _ = tree.lookup_visiting(path, last, &mut |visit| match visit {
            Visit::Found(path, _) => ask(path, Kind::Present),
            Visit::Followed(path, _) => ask(path, Kind::Target),
            Visit::Missing(path) => ask(path, Kind::Absent),
        });
    }

    /// Places and what was asked of each.
    pub fn places(&self) -> impl ExactSizeIterator<Item = (&Place, &Asked)> {
        self.places.iter()
    }

    /// What was asked of one place.
    pub fn get(&self, place: &Place) -> Option<&Asked> {
        self.places.get(place)
    }

    /// What these trees answer: `trees[n]` is root n. A root that is missing answers as if it were empty of everything.
    pub fn answer(&self, trees: &[&Tree]) -> ReadSet {
        let mut answerer = Answerer::new(trees);
        let mut writer = Writer::default();
        for (place, asked) in &self.places {
            let entry = answerer.find(place);
            answerer.write(&mut writer, place, entry, asked);
        }
        ReadSet::written(writer)
    }

    /// Like [`PathSet::answer`], for the trees that were asked in the first place: a question about something that these
    /// lack was a look-up that should have found nothing. So it is with a mount point that was only served.
    pub fn record(self, trees: &[&Tree]) -> ReadSet {
        let mut answerer = Answerer::new(trees);
        let mut writer = Writer::default();
        let absent = Asked::from_iter([Kind::Absent]);
        for (place, asked) in self.places {
            let entry = answerer.find(&place);
            let asked = if entry.is_some() { &asked } else { &absent };
            answerer.write(&mut writer, &place, entry, asked);
        }
        ReadSet::written(writer)
    }
}

impl IntoIterator for PathSet {
    type Item = (Place, Asked);
    type IntoIter = std::collections::btree_map::IntoIter<Place, Asked>;

    fn into_iter(self) -> Self::IntoIter {
        self.places.into_iter()
    }
}

impl FromIterator<(Place, Asked)> for PathSet {
    /// Of places that are all different.
    fn from_iter<I: IntoIterator<Item = (Place, Asked)>>(places: I) -> Self {
        let asked = places.into_iter().filter(|(_, asked)| *asked != Asked::default());
        Self {
            places: asked.collect(),
        }
    }
}

#[cfg(test)]
mod tests;
