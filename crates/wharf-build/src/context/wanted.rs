//! Which part of a context a build can need, so that the rest is not read.

use std::collections::BTreeSet;

use wharf_dockerfile::patterns::glob_match;
use wharf_tree::TreePath;

/// Paths with wildcards that some step names: they, what is above them and what is below them is wanted.
#[derive(Debug, Clone)]
pub struct Wanted(Option<Vec<Vec<Vec<u8>>>>);

impl Wanted {
    /// All of the context.
    pub const fn everything() -> Self {
        Self(None)
    }

    /// What `paths` name; everything if there are none, or if one of them is the root.
    pub fn of(paths: &BTreeSet<String>) -> Self {
        let split = |path: &String| -> Vec<Vec<u8>> {
            let components = path
                .split('/')
                .filter(|component| !matches!(*component, "" | "."));
            components
                .map(|component| component.as_bytes().to_vec())
                .collect()
        };
        let patterns: Vec<_> = paths.iter().map(split).collect();
        let all = patterns.is_empty() || patterns.iter().any(|pattern| Self::is_unbounded(pattern));
        Self((!all).then_some(patterns))
    }

    fn is_unbounded(pattern: &[Vec<u8>]) -> bool {
        pattern.is_empty()
            || pattern
                .iter()
                .any(|component| matches!(&component[..], b".." | b"**"))
    }

    /// Whether the entry at `path` is wanted.
    pub(super) fn wants(&self, path: &TreePath) -> bool {
        self.0
            .as_ref()
            .is_none_or(|patterns| patterns.iter().any(|pattern| fits(pattern, path)))
    }

    /// Whether a wanted path leads through `path`, or ends there: if that is a link, more is wanted than the paths say.
    pub(super) fn passes(&self, path: &TreePath) -> bool {
        let length = path.components().count();
        self.0.as_ref().is_some_and(|patterns| {
            patterns
                .iter()
                .any(|pattern| pattern.len() >= length && fits(pattern, path))
        })
    }

    /// Whether what is wanted lies below `path` and neither is it nor above it.
    pub(super) fn only_leads_through(&self, path: &TreePath) -> bool {
        let length = path.components().count();
        self.0.as_ref().is_some_and(|patterns| {
            patterns
                .iter()
                .all(|pattern| pattern.len() > length || !fits(pattern, path))
        })
    }
}

/// Whether pattern and path agree as far as the shorter of both goes.
fn fits(pattern: &[Vec<u8>], path: &TreePath) -> bool {
    pattern
        .iter()
        .zip(path.components())
        .all(|(pattern, name)| glob_match(pattern, name).unwrap_or(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(paths: &[&str]) -> Wanted {
        Wanted::of(&paths.iter().map(|path| (*path).to_owned()).collect())
    }

    #[test]
    fn above_and_below() {
        let wanted = wanted(&["src/*.c", "/public/"]);
        let wants = |path: &str| wanted.wants(&TreePath::new(path).unwrap());
        assert!(wants("src") && wants("src/a.c") && wants("public/x/y"));
        assert!(!wants("src/a.h") && !wants("docs"));
    }

    #[test]
    fn what_leads_to_something_is_not_wanted_itself() {
        let wanted = wanted(&["src/*.c", "public"]);
        let leads = |path: &str| wanted.only_leads_through(&TreePath::new(path).unwrap());
        assert!(leads("src") && !leads("src/a.c") && !leads("public") && !leads("public/x"));
        assert!(!Wanted::everything().only_leads_through(&TreePath::new("src").unwrap()));
    }

    #[test]
    fn everything_when_it_cannot_be_bounded() {
        for paths in [&[][..], &["."], &["a", "/"], &["a/**/b"]] {
            assert!(wanted(paths).wants(&TreePath::new("x/y").unwrap()), "{paths:?}");
        }
    }

    #[test]
    fn a_link_on_the_way_is_told() {
        let wanted = wanted(&["a/b"]);
        let passes = |path: &str| wanted.passes(&TreePath::new(path).unwrap());
        assert!(passes("a") && passes("a/b") && !passes("a/b/c") && !passes("c"));
    }
}
