//! Regular expressions, as far as patterns become some: the syntax of Go's package `regexp/syntax`, with the flags of `regexp.Compile`.
//!
//! What patterns never lead to is not read: groups but one, and `+`, and repetitions of repetitions.

use super::{
    automaton::{Characters, Place, State},
    unit::Unit,
};

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// A class or a repetition that is none.
    Malformed,
    /// An escape that means nothing.
    Escape(String),
    /// An escape for a category of Unicode, such as `\pL`, for which there are no tables here.
    Category(String),
}

/// Reads an expression that has to match from the start, and up to the end if there is a `$`: its alternatives, one of which has to
/// match the whole text.
///
/// Only the first of several has to match from the start, and only the last up to the end: `|` binds less than `^` and `$`.
pub(super) fn read(text: &[Unit]) -> Result<Vec<Vec<State>>, Unreadable> {
    let mut reader = Reader { rest: text };
    let mut alternatives = vec![reader.alternative(vec![State::At(Place::Start)])?];
    while reader.eat("|") {
        alternatives.push(reader.alternative(Vec::new())?);
    }
    alternatives.iter_mut().for_each(start);
    Ok(alternatives)
}

/// Lets a match begin anywhere, if it has not to begin at the start.
fn start(states: &mut Vec<State>) {
    if states.first() == Some(&State::At(Place::Start)) {
        states.remove(0);
    } else {
        states.insert(0, State::Many(Characters::but(b"")));
    }
}

/// More repetitions than this are an error.
const MOST: usize = 1000;

/// Classes of one letter; in upper case, all but these.
const PERL: [(u8, Ranges); 3] = [
    (b'd', &[(b'0', b'9')]),
    (b's', &[(b'\t', b'\n'), (b'\x0c', b'\r'), (b' ', b' ')]),
    (b'w', &[(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')]),
];

/// Classes of POSIX, all of ASCII; with `^` in front, all but these.
const POSIX: [(&str, Ranges); 14] = [
    ("alnum", &[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z')]),
    ("alpha", &[(b'A', b'Z'), (b'a', b'z')]),
    ("ascii", &[(0, 0x7f)]),
    ("blank", &[(b'\t', b'\t'), (b' ', b' ')]),
    ("cntrl", &[(0, 0x1f), (0x7f, 0x7f)]),
    ("digit", &[(b'0', b'9')]),
    ("graph", &[(b'!', b'~')]),
    ("lower", &[(b'a', b'z')]),
    ("print", &[(b' ', b'~')]),
    ("punct", &[(b'!', b'/'), (b':', b'@'), (b'[', b'`'), (b'{', b'~')]),
    ("space", &[(b'\t', b'\r'), (b' ', b' ')]),
    ("upper", &[(b'A', b'Z')]),
    ("word", &[(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')]),
    ("xdigit", &[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')]),
];

type Ranges = &'static [(u8, u8)];

const PLACES: [(&str, Place); 5] = [
    ("^", Place::Start),
    ("\\A", Place::Start),
    ("\\z", Place::End),
    ("\\b", Place::WordBoundary),
    ("\\B", Place::NoWordBoundary),
];

struct Reader<'a> {
    rest: &'a [Unit],
}

impl Reader<'_> {
    fn alternative(&mut self, mut states: Vec<State>) -> Result<Vec<State>, Unreadable> {
        while !self.rest.is_empty() && !self.starts_with("|") {
            if self.eat("$") {
                return Ok(states);
            }
            self.item(&mut states)?;
        }
        states.push(State::Many(Characters::but(b"")));
        Ok(states)
    }

    fn item(&mut self, states: &mut Vec<State>) -> Result<(), Unreadable> {
        if self.eat("\\Q") {
            self.quoted(states);
            return Ok(());
        }
        if let Some((least, most)) = self.repetition() {
            repeat(states, least, most)?;
            let repeated = self.repetition().is_some();
            return if repeated {
                Err(Unreadable::Malformed)
            } else {
                Ok(())
            };
        }
        let state = self.state()?;
        states.push(state);
        Ok(())
    }

    fn state(&mut self) -> Result<State, Unreadable> {
        if self.eat("(.*/)?") {
            return Ok(State::Directories);
        }
        if self.eat(".*") {
            return Ok(State::Many(Characters::but(b"\n")));
        }
        if self.eat("[") {
            let class = self.class()?;
            return Ok(if self.eat("*") {
                State::Many(class)
            } else {
                State::One(class)
            });
        }
        if let Some((_, place)) = PLACES.iter().find(|(text, _)| self.eat(text)) {
            return Ok(State::At(*place));
        }
        match self.perl_class() {
            Some(ranges) => Ok(State::One(Characters {
                negated: false,
                ranges,
            })),
            None => self.character().map(State::Literal),
        }
    }

    /// `{2}`, `{2,}`, `{2,3}`; in any other form a brace stands for itself.
    fn repetition(&mut self) -> Option<(usize, Option<usize>)> {
        let before = self.rest;
        let found = self.braces();
        if found.is_none() {
            self.rest = before;
        }
        found
    }

    fn braces(&mut self) -> Option<(usize, Option<usize>)> {
        if !self.eat("{") {
            return None;
        }
        let least = self.number()?;
        let most = match self.eat(",") {
            false => Some(least),
            true if self.starts_with("}") => None,
            true => Some(self.number()?),
        };
        self.eat("}").then_some((least, most))
    }

    /// A number without zeros in front; one that is too large for anything is the largest.
    fn number(&mut self) -> Option<usize> {
        if self.starts_with("0") {
            self.next();
            return self.digit(10).is_none().then_some(0);
        }
        let mut number = self.digit(10)? as usize;
        while let Some(digit) = self.digit(10) {
            number = number.saturating_mul(10).saturating_add(digit as usize);
        }
        Some(number)
    }

    /// What follows a `\Q`: all up to a `\E` stands for itself, the `$` at the end too.
    fn quoted(&mut self, states: &mut Vec<State>) {
        let end = [Unit::from(b'\\'), Unit::from(b'E')];
        let found = self.rest.windows(2).position(|pair| pair == end);
        let (quoted, rest) = self.rest.split_at(found.unwrap_or(self.rest.len()));
        states.extend(quoted.iter().copied().map(State::Literal));
        self.rest = rest.get(2..).unwrap_or_default();
    }

    /// What follows a `[`.
    fn class(&mut self) -> Result<Characters, Unreadable> {
        let negated = self.eat("^");
        let mut ranges = Vec::new();
        while ranges.is_empty() || !self.eat("]") {
            if self.starts_with("[:") && self.contains(":]") {
                ranges.extend(self.posix_class()?);
            } else if let Some(class) = self.perl_class() {
                ranges.extend(class);
            } else {
                ranges.push(self.range()?);
            }
        }
        Ok(Characters { negated, ranges })
    }

    fn range(&mut self) -> Result<(Unit, Unit), Unreadable> {
        let low = self.character()?;
        if !self.starts_with("-") || self.starts_with("-]") {
            return Ok((low, low));
        }
        self.eat("-");
        let high = self.character()?;
        if high < low {
            Err(Unreadable::Malformed)
        } else {
            Ok((low, high))
        }
    }

    fn posix_class(&mut self) -> Result<Vec<(Unit, Unit)>, Unreadable> {
        self.eat("[:");
        let all = self.eat("^");
        let found = POSIX.iter().find(|(name, _)| self.eat(&format!("{name}:]")));
        let (_, ranges) = found.ok_or(Unreadable::Malformed)?;
        Ok(ranges_of(ranges, all))
    }

    fn perl_class(&mut self) -> Option<Vec<(Unit, Unit)>> {
        PERL.iter().find_map(|(letter, ranges)| {
            let lower = char::from(*letter);
            let found = self.eat(&format!("\\{lower}"));
            let others = !found && self.eat(&format!("\\{}", lower.to_ascii_uppercase()));
            (found || others).then(|| ranges_of(ranges, others))
        })
    }

    /// A character, or an escape for one.
    fn character(&mut self) -> Result<Unit, Unreadable> {
        let before = self.rest;
        let character = match self.next().ok_or(Unreadable::Malformed)? {
            unit if unit == Unit::from(b'\\') => self.escape(),
            unit => Some(unit),
        };
        character.ok_or_else(|| unreadable(before))
    }

    /// What follows a `\`.
    fn escape(&mut self) -> Option<Unit> {
        let unit = self.next()?;
        let byte = u8::try_from(unit).ok().filter(u8::is_ascii)?;
        match byte {
            b'0' => Some(self.octal(0)),
            b'1'..=b'7' => {
                // Alone it is a reference to a group, which this syntax has not.
                let first = unit - Unit::from(b'0');
                self.digit(8).map(|second| self.octal(first * 8 + second))
            }
            b'x' if self.eat("{") => self.in_braces(),
            b'x' => Some(self.digit(16)? * 16 + self.digit(16)?),
            b'a' => Some(0x07),
            b'f' => Some(0x0c),
            b't' => Some(0x09),
            b'n' => Some(0x0a),
            b'r' => Some(0x0d),
            b'v' => Some(0x0b),
            _ => (!byte.is_ascii_alphanumeric()).then_some(unit),
        }
    }

    /// A number of three digits, of which the first or the first two are known.
    fn octal(&mut self, known: Unit) -> Unit {
        let places = if known == 0 { 2 } else { 1 };
        (0..places).fold(known, |number, _| {
            self.digit(8).map_or(number, |digit| number * 8 + digit)
        })
    }

    /// What follows a `\x{`: a character's number.
    fn in_braces(&mut self) -> Option<Unit> {
        let mut number = self.digit(16)?;
        while let Some(digit) = self.digit(16) {
            number = number.saturating_mul(16).saturating_add(digit);
        }
        let is_character = number <= Unit::from(char::MAX);
        (self.eat("}") && is_character).then_some(number)
    }

    fn digit(&mut self, base: u32) -> Option<Unit> {
        let digit = char::from_u32(*self.rest.first()?)?.to_digit(base)?;
        self.next();
        Some(digit)
    }

    fn next(&mut self) -> Option<Unit> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn starts_with(&self, text: &str) -> bool {
        let mut rest = self.rest.iter();
        text.bytes().all(|byte| rest.next() == Some(&Unit::from(byte)))
    }

    fn contains(&self, text: &str) -> bool {
        (0..self.rest.len()).any(|at| {
            Reader {
                rest: &self.rest[at..],
            }
            .starts_with(text)
        })
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.starts_with(text);
        if found {
            self.rest = &self.rest[text.len()..];
        }
        found
    }
}

/// Repeats the last state, which is none of several characters: that would be a repetition already.
fn repeat(states: &mut Vec<State>, least: usize, most: Option<usize>) -> Result<(), Unreadable> {
    let last = states.pop().ok_or(Unreadable::Malformed)?;
    if least > MOST || most.is_some_and(|most| most > MOST || most < least) {
        return Err(Unreadable::Malformed);
    }
    let optional = most.map_or(0, |most| most - least);
    let characters = match &last {
        State::Literal(unit) => Characters {
            negated: false,
            ranges: vec![(*unit, *unit)],
        },
        State::One(characters) => characters.clone(),
        State::At(_) => {
            states.extend((least > 0).then_some(last));
            return Ok(());
        }
        State::Optional(_) | State::Many(_) | State::Directories => return Err(Unreadable::Malformed),
    };
    states.extend(std::iter::repeat_n(last, least));
    states.extend(std::iter::repeat_n(State::Optional(characters.clone()), optional));
    states.extend(most.is_none().then_some(State::Many(characters)));
    Ok(())
}

/// The ranges, or those between them.
fn ranges_of(ranges: Ranges, others: bool) -> Vec<(Unit, Unit)> {
    if !others {
        return ranges
            .iter()
            .map(|(low, high)| (Unit::from(*low), Unit::from(*high)))
            .collect();
    }
    let mut from = 0;
    let mut between = Vec::new();
    for (low, high) in ranges {
        let low = Unit::from(*low);
        if low > from {
            between.push((from, low - 1));
        }
        from = Unit::from(*high) + 1;
    }
    between.push((from, Unit::MAX));
    between
}

/// What is wrong with the escape that `text` begins with.
fn unreadable(text: &[Unit]) -> Unreadable {
    let shown = |length: usize| {
        text.iter()
            .take(length)
            .filter_map(|unit| char::from_u32(*unit))
            .collect()
    };
    let letter = |unit: &Unit| matches!(u8::try_from(*unit), Ok(b'p' | b'P'));
    if text.get(1).is_some_and(letter) {
        return Unreadable::Category(shown(3));
    }
    Unreadable::Escape(shown(2))
}
