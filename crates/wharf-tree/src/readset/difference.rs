//! Where two read sets differ.

use std::{cmp::Ordering, iter::Peekable};

use super::{Answer, Kind, Place, ReadSet, Told};

/// A question that two trees answer differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub place: Place,
    /// What was asked.
    pub kind: Kind,
    /// The recorded answer.
    pub was: Answer,
    /// The other tree's answer.
    pub is: Answer,
}

impl ReadSet {
    /// Where `other`, the answers of other trees to the same questions, differs: in the order of places.
    pub fn differences<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Difference> + 'a {
        let mut others = other.places().peekable();
        self.places()
            .filter_map(move |(place, was)| {
                let is = at(&place, &mut others)?;
                Some(between(&place, was, &is))
            })
            .flatten()
    }
}

/// What `others`, which are in order and all before `place` passed, tell about it.
pub(super) fn at(place: &Place, others: &mut Peekable<impl Iterator<Item = (Place, Told)>>) -> Option<Told> {
    while let Some((there, _)) = others.peek() {
        match there.cmp(place) {
            Ordering::Less => drop(others.next()),
            Ordering::Equal => return others.next().map(|(_, told)| told),
            Ordering::Greater => return None,
        }
    }
    None
}

fn between(place: &Place, was: Told, is: &Told) -> Vec<Difference> {
    let answers = was.answers.into_vec().into_iter();
    let differing = answers.filter_map(|(kind, was)| {
        let is = is.get(&kind)?;
        (was != *is).then(|| Difference {
            place: place.clone(),
            kind,
            was,
            is: is.clone(),
        })
    });
    differing.collect()
}
