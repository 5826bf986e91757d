//! The patterns of Go's `filepath.Match`.

use super::{
    PatternError,
    automaton::{Automaton, Characters, State},
    unit::{Unit, units},
};

/// Whether `pattern` matches the whole `name`, by the rules of Go's `filepath.Match`: `*` and `?` do not cross `/`, `[a-z]`
/// and `[^a-z]` are classes, `\` escapes.
pub fn glob_match(pattern: &[u8], name: &[u8]) -> Result<bool, PatternError> {
    Ok(compile(pattern)?.matches(name))
}

/// Compiles a pattern.
pub(super) fn compile(pattern: &[u8]) -> Result<Automaton, PatternError> {
    let units = units(pattern).collect::<Vec<_>>();
    let states = Compiler { units: &units, at: 0 }.states();
    let malformed = || PatternError::Malformed(String::from_utf8_lossy(pattern).into_owned());
    states.map(Automaton::new).ok_or_else(malformed)
}

/// Whether `filepath.Match` would try `pattern` on the name `.` without complaint: it looks no further than to the first part between
/// stars that does not match.
pub(super) fn check(pattern: &[u8]) -> Result<(), PatternError> {
    let malformed = |_| PatternError::Malformed(String::from_utf8_lossy(pattern).into_owned());
    let (first, rest) = first_chunk(pattern);
    if compile(first).map_err(malformed)?.matches(b".") {
        compile(first_chunk(rest).0).map_err(malformed)?;
    }
    Ok(())
}

/// What stands before the next star outside of brackets, without stars in front; and the rest.
fn first_chunk(pattern: &[u8]) -> (&[u8], &[u8]) {
    let stars = pattern.iter().take_while(|byte| **byte == b'*').count();
    let pattern = &pattern[stars..];
    let (mut in_brackets, mut escaped) = (false, false);
    let end = pattern.iter().position(|byte| {
        let special = !std::mem::take(&mut escaped);
        match byte {
            b'\\' if special => escaped = true,
            b'[' if special => in_brackets = true,
            b']' if special => in_brackets = false,
            b'*' if special => return !in_brackets,
            _ => {}
        }
        false
    });
    pattern.split_at(end.unwrap_or(pattern.len()))
}

struct Compiler<'a> {
    units: &'a [Unit],
    at: usize,
}

impl Compiler<'_> {
    fn states(mut self) -> Option<Vec<State>> {
        let mut states = Vec::with_capacity(self.units.len());
        while let Some(unit) = self.next() {
            states.push(match u8::try_from(unit) {
                Ok(b'*') => State::Many(Characters::but(b"/")),
                Ok(b'?') => State::One(Characters::but(b"/")),
                Ok(b'[') => State::One(self.class()?),
                Ok(b'\\') => State::Literal(self.next()?),
                _ => State::Literal(unit),
            });
        }
        Some(states)
    }

    /// What follows a `[`.
    fn class(&mut self) -> Option<Characters> {
        let negated = self.eat(b'^');
        let mut ranges = Vec::new();
        while ranges.is_empty() || !self.eat(b']') {
            let low = self.class_member()?;
            let high = if self.eat(b'-') { self.class_member()? } else { low };
            ranges.push((low, high));
        }
        Some(Characters { negated, ranges })
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
