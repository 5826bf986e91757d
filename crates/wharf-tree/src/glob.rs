//! Wildcards of COPY and ADD sources: Go's `filepath.Match` over a tree.

use crate::{dir::Dir, lookup::LookupError, path::TreePath, tree::Tree};

/// Why a pattern has no matches to give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// A bracket that is not closed, or a `\` at the end.
    #[error("`{0}` is not a valid pattern")]
    Pattern(String),
    /// The part before the first wildcard leads nowhere.
    #[error(transparent)]
    Lookup(#[from] LookupError),
}

/// Whether `pattern` holds a wildcard: what has none is a path, its backslashes too.
pub fn has_wildcards(pattern: &[u8]) -> bool {
    let mut bytes = pattern.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'*' | b'?' | b'[' => return true,
            _ => {}
        }
    }
    false
}

/// Paths in `tree` that match `pattern`, in the order of names: BuildKit's `ResolveWildcards`.
///
/// Links are resolved in the part before the first component with a wildcard, and never below; what matches may be a link
/// itself. Nothing below a directory that matches is tried. A pattern without wildcards is given back, normalised, whether
/// it is there or not.
pub fn expand(tree: &Tree, pattern: &[u8]) -> Result<Vec<TreePath>, GlobError> {
    let bad = || GlobError::Pattern(String::from_utf8_lossy(pattern).into_owned());
    let whole = TreePath::new(pattern).map_err(|_| bad())?;
    let components: Vec<_> = whole.components().collect();
    let Some(first) = components.iter().position(|component| has_wildcards(component)) else {
        return Ok(vec![whole]);
    };
    let base = tree.lookup(components[..first].join(&b'/'), crate::FollowLast::Yes)?;
    let wild = components[first..].join(&b'/');
    matches(&wild, b"").map_err(|_| bad())?;
    let mut expansion = Expansion {
        pattern: &wild,
        levels: levels(&components[first..]),
        found: Vec::new(),
    };
    if let Some(dir) = base.entry.node.as_dir() {
        expansion.walk(dir, &base.path, &TreePath::root(), 1);
    }
    Ok(expansion.found)
}

/// How deep a match can lie. A bracket may match a slash, so that it can lie anywhere.
fn levels(components: &[&[u8]]) -> usize {
    let bracket = components.iter().any(|component| component.contains(&b'['));
    if bracket { usize::MAX } else { components.len() }
}

struct Expansion<'p> {
    pattern: &'p [u8],
    levels: usize,
    found: Vec<TreePath>,
}

impl Expansion<'_> {
    fn walk(&mut self, dir: &Dir, base: &TreePath, below: &TreePath, level: usize) {
        for (name, entry) in dir.entries() {
            let path = below.join(name);
            if matches(self.pattern, path.as_bytes()) == Ok(true) {
                self.found.push(base.join_path(&path));
            } else if let Some(dir) = entry.node.as_dir()
                && level < self.levels
            {
                self.walk(dir, base, &path, level + 1);
            }
        }
    }
}

/// A pattern that is not well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid pattern")]
pub struct BadPattern;

/// Whether the whole of `name` matches `pattern`, by Go's `filepath.Match`: `*` and `?` do not match `/`, brackets may;
/// `\` takes the next character as it is. What is not UTF-8 counts as one character a byte.
pub fn matches(pattern: &[u8], name: &[u8]) -> Result<bool, BadPattern> {
    let (mut pattern, mut name) = (pattern, name);
    while !pattern.is_empty() {
        let (star, chunk, rest) = next_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Ok(!name.contains(&b'/'));
        }
        let last = pattern.is_empty();
        match after_chunk(star, chunk, name, last)? {
            Some(left) => name = left,
            None => return well_formed(pattern).map(|()| false),
        }
    }
    Ok(name.is_empty())
}

/// What is left of `name` after `chunk`, at its start or, after a star, at the first place at which that can be. The last
/// chunk must take all.
fn after_chunk<'n>(
    star: bool,
    chunk: &[u8],
    name: &'n [u8],
    last: bool,
) -> Result<Option<&'n [u8]>, BadPattern> {
    let starts = if star {
        name.iter().take_while(|byte| **byte != b'/').count()
    } else {
        0
    };
    for start in 0..=starts {
        if let Some(left) = match_chunk(chunk, &name[start..])?
            && (!last || left.is_empty())
        {
            return Ok(Some(left));
        }
    }
    Ok(None)
}

/// The rest of a pattern that has failed to match must be well-formed all the same.
fn well_formed(mut pattern: &[u8]) -> Result<(), BadPattern> {
    while !pattern.is_empty() {
        let (_, chunk, rest) = next_chunk(pattern);
        match_chunk(chunk, b"")?;
        pattern = rest;
    }
    Ok(())
}

/// Whether stars come first, what follows up to the next star, and the rest.
fn next_chunk(pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let stars = pattern.iter().take_while(|byte| **byte == b'*').count();
    let pattern = &pattern[stars..];
    let (mut at, mut in_brackets) = (0, false);
    while at < pattern.len() {
        match pattern[at] {
            b'\\' => at += 1,
            b'[' => in_brackets = true,
            b']' => in_brackets = false,
            b'*' if !in_brackets => break,
            _ => {}
        }
        at += 1;
    }
    let at = at.min(pattern.len());
    (stars > 0, &pattern[..at], &pattern[at..])
}

/// What is left of `name` after the characters that `chunk`, which holds no star, matches. The chunk is read to its end
/// even when it has failed, for the errors in it.
fn match_chunk<'n>(chunk: &[u8], name: &'n [u8]) -> Result<Option<&'n [u8]>, BadPattern> {
    let (mut chunk, mut name, mut failed) = (chunk, name, false);
    while let Some(first) = chunk.first() {
        failed |= name.is_empty();
        let width = if failed { 0 } else { character(name).1 };
        match first {
            b'[' => {
                let (matched, rest) = bracket(&chunk[1..], character(name).0)?;
                failed |= !matched;
                chunk = rest;
                name = &name[width..];
                continue;
            }
            b'?' => {
                failed |= name.first() == Some(&b'/');
                chunk = &chunk[1..];
                name = &name[width..];
                continue;
            }
            b'\\' => chunk = &chunk[1..],
            _ => {}
        }
        let literal = chunk.first().ok_or(BadPattern)?;
        failed |= name.first() != Some(literal);
        (chunk, name) = (&chunk[1..], name.get(1..).unwrap_or_default());
    }
    Ok((!failed).then_some(name))
}

/// Whether `character` is in the class that begins after `[`, and what follows the class.
fn bracket(class: &[u8], character: u32) -> Result<(bool, &[u8]), BadPattern> {
    let (negated, mut class) = class
        .strip_prefix(b"^")
        .map_or((false, class), |class| (true, class));
    let (mut matched, mut ranges) = (false, 0);
    loop {
        if let Some(rest) = class.strip_prefix(b"]")
            && ranges > 0
        {
            return Ok((matched != negated, rest));
        }
        let (low, rest) = class_character(class)?;
        let (high, rest) = match rest.strip_prefix(b"-") {
            Some(rest) => class_character(rest)?,
            None => (low, rest),
        };
        matched |= (low..=high).contains(&character);
        (class, ranges) = (rest, ranges + 1);
    }
}

/// A character of a class, which may be escaped, and what follows. The class cannot end there.
fn class_character(class: &[u8]) -> Result<(u32, &[u8]), BadPattern> {
    let class = match class {
        [] | [b'-' | b']', ..] => return Err(BadPattern),
        [b'\\', rest @ ..] => rest,
        class => class,
    };
    let (found, width) = character(class);
    let rest = class
        .get(width..)
        .filter(|rest| width > 0 && !rest.is_empty())
        .ok_or(BadPattern)?;
    if width == 1 && !class[0].is_ascii() {
        Err(BadPattern)
    } else {
        Ok((found, rest))
    }
}

/// The first character and its length in bytes; a byte that is not UTF-8 is U+FFFD.
fn character(bytes: &[u8]) -> (u32, usize) {
    let start = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default(),
    };
    match valid.chars().next() {
        Some(first) => (first.into(), first.len_utf8()),
        None => (char::REPLACEMENT_CHARACTER.into(), bytes.len().min(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tree;

    /// The table of Go's own test of `filepath.Match`, and names that are not UTF-8.
    #[test]
    fn matches_as_go_does() {
        for (pattern, name, expected) in [
            ("abc", "abc", Ok(true)),
            ("*", "abc", Ok(true)),
            ("*c", "abc", Ok(true)),
            ("a*", "a", Ok(true)),
            ("a*", "abc", Ok(true)),
            ("a*", "ab/c", Ok(false)),
            ("a*/b", "abc/b", Ok(true)),
            ("a*/b", "a/c/b", Ok(false)),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", Ok(true)),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/f", Ok(true)),
            ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", Ok(false)),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", Ok(false)),
            ("a*b?c*x", "abxbbxdbxebxczzx", Ok(true)),
            ("a*b?c*x", "abxbbxdbxebxczzy", Ok(false)),
            ("ab[c]", "abc", Ok(true)),
            ("ab[b-d]", "abc", Ok(true)),
            ("ab[e-g]", "abc", Ok(false)),
            ("ab[^c]", "abc", Ok(false)),
            ("ab[^b-d]", "abc", Ok(false)),
            ("ab[^e-g]", "abc", Ok(true)),
            ("a\\*b", "a*b", Ok(true)),
            ("a\\*b", "ab", Ok(false)),
            ("a?b", "a☺b", Ok(true)),
            ("a[^a]b", "a☺b", Ok(true)),
            ("a???b", "a☺b", Ok(false)),
            ("a[^a][^a][^a]b", "a☺b", Ok(false)),
            ("[a-ζ]*", "α", Ok(true)),
            ("*[a-ζ]", "A", Ok(false)),
            ("a?b", "a/b", Ok(false)),
            ("a*b", "a/b", Ok(false)),
            ("[\\]a]", "]", Ok(true)),
            ("[\\-]", "-", Ok(true)),
            ("[x\\-]", "x", Ok(true)),
            ("[x\\-]", "-", Ok(true)),
            ("[x\\-]", "z", Ok(false)),
            ("[\\-x]", "a", Ok(false)),
            ("[]a]", "]", Err(BadPattern)),
            ("[-]", "-", Err(BadPattern)),
            ("[x-]", "x", Err(BadPattern)),
            ("[-x]", "x", Err(BadPattern)),
            ("\\", "a", Err(BadPattern)),
            ("[a-b-c]", "a", Err(BadPattern)),
            ("[", "a", Err(BadPattern)),
            ("[^", "a", Err(BadPattern)),
            ("[^bc", "a", Err(BadPattern)),
            ("a[", "a", Err(BadPattern)),
            ("a[", "ab", Err(BadPattern)),
            ("a[", "x", Err(BadPattern)),
            ("a/b[", "x", Err(BadPattern)),
            ("*x", "xxx", Ok(true)),
            ("a[^x]b", "a/b", Ok(true)),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
        assert_eq!(matches(b"a?", b"a\xff"), Ok(true));
        assert_eq!(matches(b"*.txt", b"\xff.txt"), Ok(true));
        assert_eq!(matches(b"\xff", b"\xff"), Ok(true));
    }

    #[test]
    fn finds_paths_and_stops_at_what_matches() {
        let tree = tree(&[
            "a.txt file",
            "b.txt file",
            "d.txt/e.txt file",
            "src/x.c file",
            "src/sub/y.c file",
            "src/sub.c/z.c file",
            "link -> src",
            "src/up -> ..",
        ]);
        for (pattern, expected) in [
            ("*.txt", "/a.txt /b.txt /d.txt"),
            ("/src/*.c", "/src/sub.c /src/x.c"),
            ("link/*.c", "/src/sub.c /src/x.c"),
            ("src/*/*.c", "/src/sub/y.c /src/sub.c/z.c"),
            ("l*/*.c", ""),
            ("l*", "/link"),
            ("[as]*", "/a.txt /src"),
            ("src/up/*.txt", "/a.txt /b.txt /d.txt"),
            ("no/such", "/no/such"),
            ("./src/../a.txt", "/a.txt"),
            ("s*/../a.txt", "/a.txt"),
        ] {
            let found = expand(&tree, pattern.as_bytes()).unwrap();
            let found: Vec<_> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found.join(" "), expected, "{pattern}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(
            expand(&Tree::empty(), b"a["),
            Err(GlobError::Pattern("a[".into()))
        );
        assert!(matches!(
            expand(&Tree::empty(), b"no/*"),
            Err(GlobError::Lookup(LookupError::Missing { .. }))
        ));
    }
}
