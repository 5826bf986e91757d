//! One pattern, compiled to a row of states, matched in time states × characters.

use super::PatternError;

/// A character, or a byte that belongs to none: those count as characters of their own.
type Unit = u32;

/// Bytes that are not UTF-8 stand above all characters.
const INVALID: Unit = 0x11_0000;

/// What a state takes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// This character.
    Literal(Unit),
    /// A character but `/`.
    AnyChar,
    /// A character of a class.
    Class {
        negated: bool,
        ranges: Vec<(Unit, Unit)>,
    },
    /// Characters but `/`, as many as there are.
    AnyName,
    /// Nothing, or anything that ends with `/`.
    Directories,
    /// Anything.
    Anything,
}

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Glob {
    states: Vec<State>,
    /// What every match ends with: refuses most paths without running the states.
    suffix: Vec<u8>,
    /// What every match begins with.
    prefix: Vec<u8>,
}

/// Whether `pattern` matches the whole `name`, by the rules of Go's `filepath.Match`: `*` and `?` do not cross `/`, `[a-z]`
/// and `[^a-z]` are classes, `\` escapes.
pub fn glob_match(pattern: &[u8], name: &[u8]) -> Result<bool, PatternError> {
    Ok(Glob::parse(pattern, false)?.matches(name))
}

impl Glob {
    /// Compiles a pattern. With `double_star`, `**` crosses `/` and `**/` takes whole directories.
    pub(super) fn parse(pattern: &[u8], double_star: bool) -> Result<Self, PatternError> {
        let malformed = || PatternError::Malformed(String::from_utf8_lossy(pattern).into_owned());
        let units = units(pattern).collect::<Vec<_>>();
        let states = Compiler {
            units: &units,
            at: 0,
            double_star,
        }
        .states()
        .ok_or_else(malformed)?;
        let suffix = literal_bytes(states.iter().rev()).into_iter().rev().collect();
        let prefix = literal_bytes(states.iter());
        Ok(Self {
            states,
            suffix,
            prefix,
        })
    }

    /// Whether it matches the whole path.
    pub(super) fn matches(&self, path: &[u8]) -> bool {
        let plausible = path.starts_with(&self.prefix) && path.ends_with(&self.suffix);
        plausible && self.run(path).contains(self.states.len())
    }

    /// Whether it could match something under a directory.
    pub(super) fn could_match_under(&self, directory: &[u8]) -> bool {
        let mut path = directory.to_vec();
        path.push(b'/');
        let live = self.run(&path);
        (0..self.states.len()).any(|state| live.contains(state))
    }

    /// Whether it matches everything at the root of the tree.
    pub(super) fn is_everything(&self) -> bool {
        use State::{AnyName, Anything, Directories};
        matches!(self.states[..], [AnyName | Anything] | [Directories, AnyName])
    }

    /// The states that are live after `path`.
    fn run(&self, path: &[u8]) -> StateSet {
        let mut live = StateSet::new(self.states.len() + 1);
        self.enter(0, &mut live);
        for unit in units(path) {
            let mut next = StateSet::new(self.states.len() + 1);
            for (index, state) in self
                .states
                .iter()
                .enumerate()
                .filter(|(index, _)| live.contains(*index))
            {
                self.step(index, state, unit, &mut next);
            }
            live = next;
        }
        live
    }

    fn step(&self, index: usize, state: &State, unit: Unit, next: &mut StateSet) {
        let is_slash = unit == Unit::from(b'/');
        match state {
            State::Literal(wanted) if *wanted == unit => self.enter(index + 1, next),
            State::AnyChar if !is_slash => self.enter(index + 1, next),
            State::Class { negated, ranges } => {
                let within = ranges.iter().any(|(low, high)| (*low..=*high).contains(&unit));
                if within != *negated {
                    self.enter(index + 1, next);
                }
            }
            State::AnyName if !is_slash => self.enter(index, next),
            State::Anything => self.enter(index, next),
            State::Directories => {
                next.insert(index);
                if is_slash {
                    self.enter(index + 1, next);
                }
            }
            _ => {}
        }
    }

    /// Makes a state live, and those after it that can be reached without a character.
    fn enter(&self, mut index: usize, live: &mut StateSet) {
        live.insert(index);
        while let Some(State::AnyName | State::Directories | State::Anything) = self.states.get(index) {
            index += 1;
            live.insert(index);
        }
    }
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

struct Compiler<'a> {
    units: &'a [Unit],
    at: usize,
    double_star: bool,
}

impl Compiler<'_> {
    fn states(mut self) -> Option<Vec<State>> {
        let mut states = Vec::with_capacity(self.units.len());
        while let Some(unit) = self.next() {
            states.push(match u8::try_from(unit) {
                Ok(b'*') => self.star(),
                Ok(b'?') => State::AnyChar,
                Ok(b'[') => self.class()?,
                Ok(b'\\') => State::Literal(self.next()?),
                _ => State::Literal(unit),
            });
        }
        Some(states)
    }

    /// What follows a `*`.
    fn star(&mut self) -> State {
        let starts = self.at == 1;
        if !(self.double_star && self.eat(b'*')) {
            return State::AnyName;
        }
        let slash = self.eat(b'/');
        let rest = &self.units[self.at..];
        // The reference takes `**name` for "ends with name".
        let ends_with = starts && !slash && !rest.iter().any(|unit| is_special(*unit));
        if rest.is_empty() || ends_with {
            State::Anything
        } else {
            State::Directories
        }
    }

    /// What follows a `[`.
    fn class(&mut self) -> Option<State> {
        let negated = self.eat(b'^');
        let mut ranges = Vec::new();
        while ranges.is_empty() || !self.eat(b']') {
            let low = self.class_member()?;
            let high = if self.eat(b'-') { self.class_member()? } else { low };
            ranges.push((low, high));
        }
        Some(State::Class { negated, ranges })
    }

    fn class_member(&mut self) -> Option<Unit> {
        match u8::try_from(self.next()?) {
            Ok(b'-' | b']') => None,
            Ok(b'\\') => self.next(),
            _ => Some(self.units[self.at - 1]),
        }
    }

    fn next(&mut self) -> Option<Unit> {
        let next = self.units.get(self.at).copied()?;
        self.at += 1;
        Some(next)
    }

    fn eat(&mut self, wanted: u8) -> bool {
        let found = self.units.get(self.at) == Some(&Unit::from(wanted));
        self.at += usize::from(found);
        found
    }
}

fn is_special(unit: Unit) -> bool {
    u8::try_from(unit).is_ok_and(|byte| b"*?[]\\".contains(&byte))
}

/// The characters of a path.
fn units(bytes: &[u8]) -> impl Iterator<Item = Unit> {
    bytes.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid().chars().map(Unit::from);
        valid.chain(chunk.invalid().iter().map(|byte| INVALID + Unit::from(*byte)))
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases of Go's own test of `filepath.Match`, in other words.
    #[test]
    fn file_path_match() {
        let cases = [
            ("abc", "abc", Some(true)),
            ("*", "abc", Some(true)),
            ("*c", "abc", Some(true)),
            ("a*", "ab/c", Some(false)),
            ("a*/b", "abc/b", Some(true)),
            ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", Some(false)),
            ("a*b?c*x", "abxbbxdbxebxczzx", Some(true)),
            ("ab[c]", "abc", Some(true)),
            ("ab[^e-g]", "abc", Some(true)),
            ("a\\*b", "a*b", Some(true)),
            ("a\\*b", "ab", Some(false)),
            ("a?b", "a☺b", Some(true)),
            ("a???b", "a☺b", Some(false)),
            ("[a-ζ]*", "α", Some(true)),
            ("*[a-ζ]", "A", Some(false)),
            ("a?b", "a/b", Some(false)),
            ("[\\]a]", "]", Some(true)),
            ("[x\\-]", "-", Some(true)),
            ("[]a]", "]", None),
            ("[-]", "-", None),
            ("[x-]", "x", None),
            ("[a-b-c]", "a", None),
            ("[", "a", None),
            ("[^", "a", None),
            ("a[", "ab", None),
            ("a\\", "a", None),
            ("*x", "xxx", Some(true)),
            ("", "", Some(true)),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(
                glob_match(pattern.as_bytes(), name.as_bytes()).ok(),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn names_that_are_not_utf8() {
        assert_eq!(glob_match(b"a?", b"a\xff"), Ok(true));
        assert_eq!(glob_match(b"a\xff*", b"a\xffb"), Ok(true));
        assert_eq!(glob_match(b"a\xfe", b"a\xff"), Ok(false));
    }
}
