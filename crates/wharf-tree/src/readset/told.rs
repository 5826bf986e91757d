//! Questions with their answers, kept as the bytes that they are stored as: a step may have looked at a million names.

use std::{cmp::Ordering, fmt};

use wharf_oci::Digest;

use super::{Answer, Asked, Kind, PathSet, Place, decode::Reader, encode::Writer};
use crate::Mtime;

/// What was told about one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Questions and answers, in the order of the kinds.
    pub answers: Box<[(Kind, Answer)]>,
    /// Of a regular file whose content or status was asked. It is part of no key.
    pub seen: Option<Seen>,
}

/// What was to be seen of a regular file beside the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The modification time.
    pub mtime: Mtime,
    /// The content that it had, if nobody asked for that.
    pub unread: Option<Digest>,
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

    fn merged(self, other: Self) -> Self {
        let mut answers = self.answers.into_vec();
        answers.extend(other.answers);
        answers.sort_by(|(a, _), (b, _)| a.cmp(b));
        answers.dedup_by(|(a, _), (b, _)| a == b);
        let read = answers.iter().any(|(kind, _)| *kind == Kind::Content);
        let seen = self.seen.or(other.seen).map(|seen| Seen {
            unread: seen.unread.filter(|_| !read),
            ..seen
        });
        Self {
            answers: answers.into(),
            seen,
        }
    }

    /// The content that a regular file had whose time is remembered.
    pub fn content(&self) -> Option<Digest> {
        match self.get(&Kind::Content) {
            Some(Answer::Content(digest)) => Some(*digest),
            _ => self.seen?.unread,
        }
    }
}

/// What a step asked and was told. Sorted by root, then path.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ReadSet {
    count: u64,
    /// The items, canonically encoded.
    items: Vec<u8>,
}

impl ReadSet {
    pub(super) fn written(writer: Writer) -> Self {
        let (count, items) = writer.finish();
        Self { count, items }
    }

    pub(super) const fn parts(&self) -> (u64, &Vec<u8>) {
        (self.count, &self.items)
    }

    /// Places and what was told about each, decoded one by one.
    pub fn places(&self) -> impl Iterator<Item = (Place, Told)> {
        let mut reader = Reader::of(&self.items);
        let mut place = Place::default();
        (0..self.count).map(move |_| {
            let told = reader.item(&mut place, Reader::told);
            (place.clone(), told.expect("a read set is canonical bytes"))
        })
    }

    /// What was told about one place: looks at all before it.
    pub fn get(&self, place: &Place) -> Option<Told> {
        let mut places = self.places();
        let (_, told) = places.find(|(there, _)| there == place)?;
        Some(told)
    }

    /// The questions alone.
    pub fn path_set(&self) -> PathSet {
        self.places().map(|(place, told)| (place, told.asked())).collect()
    }

    /// Adds another set's answers: those of a bind mount, or what a commit found out. Both must be about the same trees.
    pub fn merge(&mut self, other: &Self) {
        let mut writer = Writer::default();
        let (mut these, mut others) = (self.places().peekable(), other.places().peekable());
        loop {
            let order = match (these.peek(), others.peek()) {
                (Some((one, _)), Some((another, _))) => one.cmp(another),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => break,
            };
            let one = if order.is_le() { these.next() } else { None };
            let another = if order.is_ge() { others.next() } else { None };
            match (one, another) {
                (Some((place, told)), Some((_, more))) => writer.told(&place, &told.merged(more)),
                (Some((place, told)), None) | (None, Some((place, told))) => writer.told(&place, &told),
                (None, None) => unreachable!("one of them was looked at"),
            }
        }
        drop((these, others));
        *self = Self::written(writer);
    }
}

impl fmt::Debug for ReadSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.places()).finish()
    }
}
