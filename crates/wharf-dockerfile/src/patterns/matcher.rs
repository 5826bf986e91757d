//! A list of patterns as moby/patternmatcher understands it: the last one that matches decides.

use super::{
    automaton::Automaton,
    clean::clean,
    file_path_match,
    re2::{self, Unreadable},
    regular_expression::{Way, way},
};

/// A pattern that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A class or an escape that does not end, or a class that is none.
    #[error("syntax error in pattern {0:?}")]
    Malformed(String),
    /// A `\` before something that is no escape.
    #[error("syntax error in pattern {pattern:?}: `{escape}` means nothing (a backslash itself is `\\\\`)")]
    Escape {
        /// The pattern.
        pattern: String,
        /// The backslash and what follows.
        escape: String,
    },
    /// A category of Unicode.
    #[error("pattern {pattern:?}: `{escape}` is not supported (list the characters in brackets)")]
    Category {
        /// The pattern.
        pattern: String,
        /// The backslash and what follows.
        escape: String,
    },
    /// A `!` with nothing after it.
    #[error("illegal exclusion pattern: \"!\"")]
    LoneExclamation,
}

/// Patterns in order. A pattern that begins with `!` takes back what earlier ones matched; a directory that matches takes all
/// that is in it along.
#[derive(Clone, Debug, Default)]
pub struct PatternMatcher {
    patterns: Vec<PathPattern>,
}

#[derive(Clone, Debug)]
struct PathPattern {
    is_exception: bool,
    text: Vec<u8>,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Exact,
    /// What paths begin with.
    Prefix(Vec<u8>),
    /// What paths end with.
    Suffix(Vec<u8>),
    /// What paths match one of.
    General(Vec<Automaton>),
}

/// Which patterns match a directory, so that those need not be asked about what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryMatch {
    matched: bool,
    by: Vec<bool>,
}

impl DirectoryMatch {
    /// Whether the directory itself matches.
    pub fn is_match(&self) -> bool {
        self.matched
    }
}

impl PatternMatcher {
    /// Compiles patterns. White space at their ends goes, empty ones are left out.
    pub fn new<P: AsRef<[u8]>>(patterns: impl IntoIterator<Item = P>) -> Result<Self, PatternError> {
        let mut compiled = Vec::new();
        for pattern in patterns {
            let pattern = pattern.as_ref().trim_ascii();
            if !pattern.is_empty() {
                compiled.push(PathPattern::parse(&clean(pattern))?);
            }
        }
        Ok(Self { patterns: compiled })
    }

    /// Whether there is no pattern.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether some pattern begins with `!`.
    pub fn has_exceptions(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_exception)
    }

    /// Whether `*`, `**` or `**/*` is among the patterns.
    pub fn has_everything(&self) -> bool {
        let everything = |text: &[u8]| matches!(text, b"*" | b"**" | b"**/*");
        self.patterns
            .iter()
            .any(|pattern| !pattern.is_exception && everything(&pattern.text))
    }

    /// Whether a path matches, or a directory that it is in.
    pub fn matches(&self, path: &[u8]) -> bool {
        let parents = path
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/')
            .map(|(at, _)| &path[..at]);
        let mut matched = false;
        for pattern in &self.patterns {
            if pattern.is_exception == matched
                && (pattern.matches(path) || parents.clone().any(|parent| pattern.matches(parent)))
            {
                matched = !pattern.is_exception;
            }
        }
        matched
    }

    /// Where a walk begins: the root itself never matches.
    pub fn root(&self) -> DirectoryMatch {
        DirectoryMatch {
            matched: false,
            by: vec![false; self.patterns.len()],
        }
    }

    /// Whether an entry of a directory matches, in a walk.
    pub fn matches_in(&self, parent: &DirectoryMatch, path: &[u8]) -> bool {
        self.decide(parent, path, |_, _| {})
    }

    /// The same for a directory that the walk will enter.
    pub fn enter(&self, parent: &DirectoryMatch, path: &[u8]) -> DirectoryMatch {
        let mut by = vec![false; self.patterns.len()];
        let matched = self.decide(parent, path, |index, matches| by[index] = matches);
        DirectoryMatch { matched, by }
    }

    /// Whether everything in a directory matches, so that a walk that looks for what does *not* match need not enter it.
    pub fn covers_all_in(&self, directory: &DirectoryMatch, path: &[u8]) -> bool {
        let mut exceptions = self
            .patterns
            .iter()
            .zip(&directory.by)
            .filter(|(pattern, by)| pattern.is_exception && !**by);
        directory.matched && !exceptions.any(|(pattern, _)| pattern.could_match_under(path))
    }

    /// Whether nothing in a directory can match, so that a walk that looks for matches need not enter it.
    pub fn misses_all_in(&self, directory: &DirectoryMatch, path: &[u8]) -> bool {
        let mut patterns = self.patterns.iter().filter(|pattern| !pattern.is_exception);
        !directory.by.contains(&true) && !patterns.any(|pattern| pattern.could_match_under(path))
    }

    fn decide(&self, parent: &DirectoryMatch, path: &[u8], mut tell: impl FnMut(usize, bool)) -> bool {
        let mut matched = false;
        for (index, pattern) in self.patterns.iter().enumerate() {
            let by_parent = parent.by.get(index).copied().unwrap_or(false);
            // A pattern that would change nothing is not asked.
            let matches = by_parent || (pattern.is_exception == matched && pattern.matches(path));
            tell(index, matches);
            if matches {
                matched = !pattern.is_exception;
            }
        }
        matched
    }
}

impl PathPattern {
    fn parse(pattern: &[u8]) -> Result<Self, PatternError> {
        let (is_exception, text) = match pattern.strip_prefix(b"!") {
            Some(b"") => return Err(PatternError::LoneExclamation),
            Some(text) => (true, text),
            None => (false, pattern),
        };
        Ok(Self {
            is_exception,
            text: text.to_vec(),
            form: Form::of(text)?,
        })
    }

    fn matches(&self, path: &[u8]) -> bool {
        match &self.form {
            Form::Exact => self.text == path,
            Form::Prefix(prefix) => path.starts_with(prefix),
            Form::Suffix(suffix) => path.ends_with(suffix) || suffix.strip_prefix(b"/") == Some(path),
            Form::General(all) => all.iter().any(|one| one.matches(path)),
        }
    }

    fn could_match_under(&self, directory: &[u8]) -> bool {
        let begins = |path: &[u8]| {
            path.strip_prefix(directory)
                .is_some_and(|rest| rest.starts_with(b"/"))
        };
        match &self.form {
            Form::Exact => begins(&self.text),
            Form::Prefix(prefix) => begins(prefix) || directory.starts_with(prefix),
            Form::Suffix(_) => true,
            Form::General(all) => all.iter().any(|one| one.could_match_under(directory)),
        }
    }
}

impl Form {
    fn of(pattern: &[u8]) -> Result<Self, PatternError> {
        file_path_match::check(pattern)?;
        Ok(match way(pattern) {
            Way::Exact => Self::Exact,
            Way::Prefix => Self::Prefix(pattern[..pattern.len() - 2].to_vec()),
            Way::Suffix => Self::Suffix(pattern[2..].to_vec()),
            Way::Expression(text) => {
                let alternatives = re2::read(&text).map_err(|why| why.in_pattern(pattern))?;
                Self::General(alternatives.into_iter().map(Automaton::new).collect())
            }
        })
    }
}

impl Unreadable {
    fn in_pattern(self, pattern: &[u8]) -> PatternError {
        let pattern = String::from_utf8_lossy(pattern).into_owned();
        match self {
            Self::Malformed => PatternError::Malformed(pattern),
            Self::Escape(escape) => PatternError::Escape { pattern, escape },
            Self::Category(escape) => PatternError::Category { pattern, escape },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matcher(patterns: &[&str]) -> PatternMatcher {
        PatternMatcher::new(patterns).unwrap()
    }

    #[test]
    fn single_patterns() {
        let cases = [
            ("**", "file", true),
            ("**", "dir/file", true),
            ("**/", "file", true),
            ("**/**", "dir/file", true),
            ("dir/**", "dir/file", true),
            ("dir/**", "dir/dir2/file", true),
            ("dir/**", "dir", false),
            ("dir/**", "dirs/file", false),
            ("**/file", "file", true),
            ("**/file", "dir/dir/file", true),
            ("**/file", "afile", false),
            ("**file", "dir/afile", true),
            ("**/dir/*", "a/dir/b", true),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "ab", false),
            ("a**/*.txt", "a/file.txt", true),
            ("a**b", "a/x/b", true),
            ("a.txt", "aatxt", false),
            ("a+b", "a+b", true),
            ("*.go", "dir/a.go", false),
            ("dir", "dir/sub/file", true),
            ("dir/*", "dir/sub/file", true),
            ("[a-c]?", "bx", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("/abc", "abc", false),
            ("./abc/", "abc", true),
            ("한*", "한국", true),
            ("dir**", "dirs/file", true),
            ("a+.(b){c}$*", "a+.(b){c}$d", true),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(
                matcher(&[pattern]).matches(path.as_bytes()),
                expected,
                "{pattern} {path}"
            );
        }
    }

    /// What `filepath.Match` takes otherwise, or not at all.
    #[test]
    fn patterns_are_regular_expressions() {
        let cases = [
            ("\\d", "7", true),
            ("\\d", "d", false),
            ("\\D", "d", true),
            ("\\D", "7", false),
            ("\\w\\w\\W", "a_-", true),
            ("\\s", " ", true),
            ("\\s", "\u{b}", false),
            ("\\S", "é", true),
            ("[\\d-z]", "-", true),
            ("[\\d-z]", "x", false),
            ("[^\\w]", "-", true),
            ("[^\\W]", "-", false),
            ("[[:upper:][:digit:]]", "X", true),
            ("[[:upper:][:digit:]]", "x", false),
            ("[[:^space:]]", "\u{b}", false),
            ("[[:alpha]", ":", true),
            ("\\x41\\101\\0", "AA\0", true),
            ("\\0129", "\n9", true),
            ("\\a\\f\\t\\n\\r\\v", "\u{7}\u{c}\t\n\r\u{b}", true),
            ("\\.\\_\\ \\*", "._ *", true),
            ("a\\b.*", "a.b", true),
            ("a\\bb*", "ab", false),
            ("a\\Bb*", "ab", true),
            ("\\Aa*\\z", "ab", true),
            ("a\\z*", "a", true),
            ("a\\zb*", "azb", false),
            ("^a", "^a", true),
            ("^a*", "ab", true),
            ("^a*", "^ab", false),
            ("a^b*", "a^b", false),
            ("[*]", "[^/^]", true),
            ("[*]", "*", false),
            ("[?]", "/]", true),
            ("[a**b]", "?", true),
            ("\\Qa.\\Eb*", "a\\.bc", true),
            ("\\Qab?", "ab[^/]$/more", true),
            ("**/a]", "b/a]", true),
            ("a*|b", "axy", true),
            ("a*|b", "x/b", true),
            ("a*|b", "xa", false),
            ("a|b", "a|b", true),
            ("a{2}*", "aab", true),
            ("a{2}*", "ab", false),
            ("[ab]{1,3}?", "abac", true),
            ("[ab]{1,3}?", "abaac", false),
            ("[ab]{0,}?{0}c", "abac", true),
            ("*.{js,ts}", "x.{js,ts}", true),
            ("^{2}a*", "ab", true),
            ("{2}a*", "ab", true),
            ("{2}a*", "xab", false),
            ("{0}a*", "xab", true),
            ("\\x{e9}", "é", true),
            ("a*[-b]", "a-", true),
            ("a*\\", "ab$c", true),
            ("***", "a\nb", true),
            ("**/*/**", "a\nb/c", true),
            ("**/*/**", "b/a\nb/c/d\n", false),
        ];
        for (pattern, path, expected) in cases {
            let path = path.as_bytes();
            assert_eq!(
                matcher(&[pattern]).patterns[0].matches(path),
                expected,
                "{pattern} {path:?}"
            );
        }
    }

    #[test]
    fn expressions_that_are_none() {
        for pattern in [
            "\\q",
            "\\C",
            "\\Z",
            "\\E",
            "\\1",
            "\\8",
            "\\x4",
            "\\é",
            "\\p{Greek}",
            "\\p^",
            "[\\b]",
            "[a-\\d]",
            "[z-a]",
            "[a-*]",
            "[[:word]:]]",
            "[[:foo:]]",
            "\\pL",
            "[\\PN]",
        ] {
            assert!(PatternMatcher::new([pattern]).is_err(), "{pattern}");
        }
        let error = PatternMatcher::new(["a\\q"]).unwrap_err().to_string();
        assert_eq!(
            error,
            r#"syntax error in pattern "a\\q": `\q` means nothing (a backslash itself is `\\`)"#
        );
    }

    #[test]
    fn the_last_match_decides() {
        let cases: [(&[&str], &str, bool); 8] = [
            (&["*", "!a"], "a", false),
            (&["*", "!a"], "b", true),
            (&["*", "!a"], "a/b", false),
            (&["!a", "*"], "a", true),
            (&["dir", "!dir/keep", "dir/keep/not"], "dir/keep/yes", false),
            (&["dir", "!dir/keep", "dir/keep/not"], "dir/keep/not", true),
            (&["**", "!util/docker/web"], "util/docker/web/foo", false),
            (
                &["**", "!util/docker/web", "util/docker/web/foo"],
                "util/docker/web/foo",
                true,
            ),
        ];
        for (patterns, path, expected) in cases {
            assert_eq!(
                matcher(patterns).matches(path.as_bytes()),
                expected,
                "{patterns:?} {path}"
            );
        }
    }

    #[test]
    fn what_cannot_be_used() {
        assert_eq!(
            PatternMatcher::new(["!"]).unwrap_err(),
            PatternError::LoneExclamation
        );
        assert!(matches!(
            PatternMatcher::new(["a[b"]),
            Err(PatternError::Malformed(_))
        ));
    }

    #[test]
    fn directories_that_need_no_walk() {
        let patterns = matcher(&["node_modules", "*.log", "!node_modules/keep/**/x.js"]);
        let root = patterns.root();
        let modules = patterns.enter(&root, b"node_modules");
        assert!(modules.is_match());
        assert!(!patterns.covers_all_in(&modules, b"node_modules"));
        let other = patterns.enter(&modules, b"node_modules/other");
        assert!(patterns.covers_all_in(&other, b"node_modules/other"));
        let keep = patterns.enter(&modules, b"node_modules/keep");
        assert!(!patterns.covers_all_in(&keep, b"node_modules/keep"));
        assert!(!patterns.matches_in(&keep, b"node_modules/keep/x.js"));
        let wanted = matcher(&["src/**/*.c"]);
        assert!(wanted.misses_all_in(&wanted.enter(&wanted.root(), b"docs"), b"docs"));
        assert!(!wanted.misses_all_in(&wanted.enter(&wanted.root(), b"src"), b"src"));
    }

    /// A name of few letters, so that patterns hit.
    fn name() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["a", "b", "ab", "c"]).prop_map(str::to_owned)
    }

    fn pattern() -> impl Strategy<Value = String> {
        let part = prop::sample::select(vec!["a", "b", "*", "**", "a*", "?", "[ab]", "c"]);
        (any::<bool>(), prop::collection::vec(part, 1..4)).prop_map(|(exception, parts)| {
            let mark = if exception { "!" } else { "" };
            format!("{mark}{}", parts.join("/"))
        })
    }

    proptest! {
        /// A walk that carries the matches of directories along, and skips what it may, finds what asking about each whole
        /// path finds. The reference may differ from itself here only where an exception comes before what it excepts from.
        #[test]
        fn walking_agrees_with_asking(
            patterns in prop::collection::vec(pattern(), 0..5),
            path in prop::collection::vec(name(), 1..5),
        ) {
            let matcher = PatternMatcher::new(&patterns).unwrap();
            let mut state = matcher.root();
            let mut walked = String::new();
            for (depth, name) in path.iter().enumerate() {
                let parent = walked.clone();
                walked = if depth == 0 { name.clone() } else { format!("{walked}/{name}") };
                let next = matcher.enter(&state, walked.as_bytes());
                prop_assert_eq!(next.is_match(), matcher.matches_in(&state, walked.as_bytes()));
                if depth > 0 && matcher.covers_all_in(&state, parent.as_bytes()) {
                    prop_assert!(next.is_match());
                }
                if depth > 0 && matcher.misses_all_in(&state, parent.as_bytes()) {
                    prop_assert!(!next.is_match());
                }
                state = next;
            }
            if !matcher.has_exceptions() {
                prop_assert_eq!(state.is_match(), matcher.matches(walked.as_bytes()));
            }
        }
    }
}
