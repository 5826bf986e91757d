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

use std::collections::BTreeMap;

pub use answer::{Answer, FileType, Listing, Presence, Stat};
pub use ask::{Asked, Kind};
pub use decode::ReadSetError;
pub use key::{PathSetDigest, ReadSetDigest, StrongKey};

use crate::{Mtime, Tree, TreePath};

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
        let mut answerer = answer::Answerer::new(trees);
        let mut set = ReadSet::default();
        for (place, asked) in &self.places {
            let found = answerer.find(place);
            let answers = asked.kinds().map(|kind| {
                let answer = answerer.answer(place, found.as_ref(), &kind);
                (kind, answer)
            });
            set.answers.insert(place.clone(), answers.collect());
            if let Some(mtime) = found.and_then(|entry| answer::remembered_time(&entry, asked)) {
                set.times.insert(place.clone(), mtime);
            }
        }
        set
    }
}

/// What a step asked and was told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadSet {
    answers: BTreeMap<Place, BTreeMap<Kind, Answer>>,
    times: BTreeMap<Place, Mtime>,
}

impl ReadSet {
    /// Places and the answers of each.
    pub fn answers(&self) -> impl ExactSizeIterator<Item = (&Place, &BTreeMap<Kind, Answer>)> {
        self.answers.iter()
    }

    /// The answers about one place.
    pub fn get(&self, place: &Place) -> Option<&BTreeMap<Kind, Answer>> {
        self.answers.get(place)
    }

    /// Modification times of the regular files whose content or status was asked. They are part of no key.
    pub const fn times(&self) -> &BTreeMap<Place, Mtime> {
        &self.times
    }

    /// The questions alone.
    pub fn path_set(&self) -> PathSet {
        let places = self.answers.iter().map(|(place, answers)| {
            let asked = answers.keys().cloned().collect();
            (place.clone(), asked)
        });
        PathSet {
            places: places.collect(),
        }
    }

    /// Adds another set's answers: those of a bind mount, or what a commit found out. Both must be about the same trees.
    pub fn merge(&mut self, other: Self) {
        for (place, answers) in other.answers {
            self.answers.entry(place).or_default().extend(answers);
        }
        self.times.extend(other.times);
    }

    /// Where `other`, the answers of other trees to the same questions, differs: in the order of places.
    pub fn differences<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Difference<'a>> {
        self.answers.iter().flat_map(move |(place, answers)| {
            let others = other.answers.get(place);
            answers.iter().filter_map(move |(kind, was)| {
                let is = others.and_then(|answers| answers.get(kind))?;
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
