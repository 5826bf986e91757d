//! A compiled pattern: a row of states, run in time states × characters.

use super::unit::{Unit, Units, units};

/// What a state takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// This character.
    Literal(Unit),
    /// One character of these.
    One(Characters),
    /// One character of these, or none.
    Optional(Characters),
    /// Characters of these, as many as there are.
    Many(Characters),
    /// Nothing, or anything within a line that ends with `/`.
    Directories,
    /// No character: the place has to be such a one.
    At(Place),
}

/// A set of characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Characters {
    pub(super) negated: bool,
    pub(super) ranges: Vec<(Unit, Unit)>,
}

/// A place between two characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Start,
    End,
    /// Between a letter, digit or `_` of ASCII and something else.
    WordBoundary,
    NoWordBoundary,
}

/// What is on both sides of a place.
#[derive(Clone, Copy)]
struct Around {
    before: Option<Unit>,
    after: After,
}

#[derive(Clone, Copy)]
enum After {
    Known(Option<Unit>),
    /// Anything, or nothing.
    Unknown,
}

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Automaton {
    states: Vec<State>,
    /// What every match ends with: refuses most paths without running the states.
    suffix: Vec<u8>,
    /// What every match begins with.
    prefix: Vec<u8>,
}

impl Characters {
    /// All but these.
    pub(super) fn but(characters: &[u8]) -> Self {
        let ranges = characters
            .iter()
            .map(|byte| (Unit::from(*byte), Unit::from(*byte)));
        Self {
            negated: true,
            ranges: ranges.collect(),
        }
    }

    fn contains(&self, unit: Unit) -> bool {
        let within = self
            .ranges
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&unit));
        within != self.negated
    }
}

impl Place {
    /// Whether it is this place, or could be.
    fn is(self, around: Around) -> bool {
        let boundary = |after: Option<Unit>| is_word(around.before) != is_word(after);
        match (self, around.after) {
            (Self::Start, _) => around.before.is_none(),
            (_, After::Unknown) => true,
            (Self::End, After::Known(after)) => after.is_none(),
            (Self::WordBoundary, After::Known(after)) => boundary(after),
            (Self::NoWordBoundary, After::Known(after)) => !boundary(after),
        }
    }
}

fn is_word(unit: Option<Unit>) -> bool {
    let byte = unit.and_then(|unit| u8::try_from(unit).ok());
    byte.is_some_and(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

impl State {
    /// Whether the one after it is reached without a character.
    fn may_be_empty(&self, around: Around) -> bool {
        match self {
            Self::Literal(_) | Self::One(_) => false,
            Self::Optional(_) | Self::Many(_) | Self::Directories => true,
            Self::At(place) => place.is(around),
        }
    }
}

impl Automaton {
    pub(super) fn new(states: Vec<State>) -> Self {
        let suffix = literal_bytes(states.iter().rev()).into_iter().rev().collect();
        let prefix = literal_bytes(states.iter());
        Self {
            states,
            suffix,
            prefix,
        }
    }

    /// Whether it matches the whole path.
    pub(super) fn matches(&self, path: &[u8]) -> bool {
        let plausible = path.starts_with(&self.prefix) && path.ends_with(&self.suffix);
        plausible && self.run(path, After::Known(None)).contains(self.states.len())
    }

    /// Whether it could match something under a directory.
    pub(super) fn could_match_under(&self, directory: &[u8]) -> bool {
        let mut path = directory.to_vec();
        path.push(b'/');
        let live = self.run(&path, After::Unknown);
        (0..self.states.len()).any(|state| live.contains(state))
    }

    /// The states that are live after `path`.
    fn run(&self, path: &[u8], end: After) -> StateSet {
        let mut rest = units(path).peekable();
        let mut live = StateSet::new(self.states.len() + 1);
        self.enter(0, around(None, &mut rest, end), &mut live);
        while let Some(unit) = rest.next() {
            let place = around(Some(unit), &mut rest, end);
            let mut next = StateSet::new(self.states.len() + 1);
            let states = self.states.iter().enumerate();
            for (index, state) in states.filter(|(index, _)| live.contains(*index)) {
                self.step(index, state, unit, place, &mut next);
            }
            live = next;
        }
        live
    }

    fn step(&self, index: usize, state: &State, unit: Unit, place: Around, next: &mut StateSet) {
        match state {
            State::Literal(wanted) if *wanted == unit => self.enter(index + 1, place, next),
            State::One(characters) | State::Optional(characters) if characters.contains(unit) => {
                self.enter(index + 1, place, next);
            }
            State::Many(characters) if characters.contains(unit) => self.enter(index, place, next),
            State::Directories if unit != Unit::from(b'\n') => {
                next.insert(index);
                if unit == Unit::from(b'/') {
                    self.enter(index + 1, place, next);
                }
            }
            _ => {}
        }
    }

    /// Makes a state live, and those after it that can be reached without a character.
    fn enter(&self, mut index: usize, place: Around, live: &mut StateSet) {
        live.insert(index);
        while self
            .states
            .get(index)
            .is_some_and(|state| state.may_be_empty(place))
        {
            index += 1;
            live.insert(index);
        }
    }
}

/// The place after `before`.
fn around(before: Option<Unit>, rest: &mut std::iter::Peekable<impl Units>, end: After) -> Around {
    let after = rest.peek().map_or(end, |unit| After::Known(Some(*unit)));
    Around { before, after }
}

/// The bytes of the literal states at the front of a row; for the row reversed, ASCII only, so that bytes do not come out
/// of order.
fn literal_bytes<'a>(states: impl Iterator<Item = &'a State>) -> Vec<u8> {
    let ascii = states.map_while(|state| match state {
        State::Literal(unit) => u8::try_from(*unit).ok().filter(u8::is_ascii),
        _ => None,
    });
    ascii.collect()
}

/// A set of small numbers.
struct StateSet(Vec<u64>);

impl StateSet {
    fn new(states: usize) -> Self {
        Self(vec![0; states.div_ceil(64)])
    }

    fn insert(&mut self, state: usize) {
        self.0[state / 64] |= 1 << (state % 64);
    }

    fn contains(&self, state: usize) -> bool {
        self.0[state / 64] >> (state % 64) & 1 == 1
    }
}
