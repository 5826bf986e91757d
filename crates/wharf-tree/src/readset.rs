//! What a step needed from its roots: path sets (questions) and read sets (questions with the answers they got).
//!
//! A step's parent tree is immutable, so what was asked of it and answered *is* the step's dependency on it. A [`PathSet`]
//! is asked again of another tree ([`PathSet::answer`]); the same answers mean the same outcome, which the strong key
//! ([`PathSet::strong_key`]) says in 32 bytes. Nothing here does I/O: contents are known by digest.
//!
//! Paths are those of the entries themselves: no component is a symbolic link (a link that was followed is an item of its
//! own, with its target). The bytes are drawn in `docs/formats.md`, "Path sets and read sets".

mod answer;
mod ask;
mod decode;
mod encode;
mod key;

use std::collections::{BTreeMap, btree_map::Entry};

pub use answer::{Answer, FileType, Listing, Presence, Stat};
pub use ask::{Asked, Kind};
pub use decode::ReadSetError;
pub use key::{PathSetDigest, ReadSetDigest, StrongKey};

use self::answer::Answerer;
use crate::{FollowLast, Mtime, Tree, TreePath, Visit};

/// A path in one of a step's roots.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
        let places = self.places.iter();
        ReadSet {
            places: places
                .map(|(place, asked)| (place.clone(), answerer.told(place, asked)))
                .collect(),
        }
    }

    /// Like [`PathSet::answer`], for the trees that were asked in the first place: a question about something that these
    /// lack was a look-up that should have found nothing. So it is with a mount point that was only served.
    pub fn record(self, trees: &[&Tree]) -> ReadSet {
        let mut answerer = Answerer::new(trees);
        let absent = Asked::from_iter([Kind::Absent]);
        let told = self.places.into_iter().map(|(place, asked)| {
            let asked = answerer.find(&place).map_or(&absent, |_| &asked);
            let told = answerer.told(&place, asked);
            (place, told)
        });
        ReadSet {
            places: told.collect(),
        }
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

/// What was told about one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Questions and answers, in the order of the kinds.
    pub answers: Box<[(Kind, Answer)]>,
    /// The modification time, of a regular file whose content or status was asked. It is part of no key.
    pub mtime: Option<Mtime>,
}

impl Told {
    /// The answer to one question.
    pub fn get(&self, kind: &Kind) -> Option<&Answer> {
        let found = self.answers.binary_search_by(|(asked, _)| asked.cmp(kind)).ok()?;
        Some(&self.answers[found].1)
    }

    /// The questions alone.
    pub fn asked(&self) -> Asked {
        self.answers.iter().map(|(kind, _)| kind.clone()).collect()
    }

    fn merge(&mut self, other: Self) {
        let mut answers = std::mem::take(&mut self.answers).into_vec();
        answers.extend(other.answers);
        answers.sort_by(|(a, _), (b, _)| a.cmp(b));
        answers.dedup_by(|(a, _), (b, _)| a == b);
        self.answers = answers.into();
        self.mtime = self.mtime.or(other.mtime);
    }
}

/// What a step asked and was told. Sorted by root, then path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadSet {
    places: BTreeMap<Place, Told>,
}

impl ReadSet {
    /// Places and what was told about each.
    pub fn places(&self) -> impl ExactSizeIterator<Item = (&Place, &Told)> {
        self.places.iter()
    }

    /// What was told about one place.
    pub fn get(&self, place: &Place) -> Option<&Told> {
        self.places.get(place)
    }

    /// The questions alone.
    pub fn path_set(&self) -> PathSet {
        let places = self.places.iter();
        places
            .map(|(place, told)| (place.clone(), told.asked()))
            .collect()
    }

    /// Adds another set's answers: those of a bind mount, or what a commit found out. Both must be about the same trees.
    pub fn merge(&mut self, other: Self) {
        for (place, told) in other.places {
            match self.places.entry(place) {
                Entry::Vacant(vacant) => drop(vacant.insert(told)),
                Entry::Occupied(mut occupied) => occupied.get_mut().merge(told),
            }
        }
    }

    /// This set with the times that `earlier` remembers of files of the step's own root, where both remember one.
    #[must_use]
    pub fn with_times_of(mut self, earlier: &Self) -> Self {
        for (place, told) in &mut self.places {
            let before = earlier.get(place).filter(|_| place.root == 0);
            if let (Some(mtime), Some(before)) = (&mut told.mtime, before.and_then(|before| before.mtime)) {
                *mtime = before;
            }
        }
        self
    }

    /// Where `other`, the answers of other trees to the same questions, differs: in the order of places.
    pub fn differences<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Difference<'a>> {
        self.places.iter().flat_map(move |(place, told)| {
            let others = other.get(place);
            told.answers.iter().filter_map(move |(kind, was)| {
                let is = others.and_then(|others| others.get(kind))?;
                (was != is).then_some(Difference { place, kind, was, is })
            })
        })
    }
}

/// A question that two trees answer differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference<'a> {
    /// Where.
    pub place: &'a Place,
    /// What was asked.
    pub kind: &'a Kind,
    /// The recorded answer.
    pub was: &'a Answer,
    /// The other tree's answer.
    pub is: &'a Answer,
}

#[cfg(test)]
mod tests;
