//! Patterns over paths: `.dockerignore`, `--exclude`, and the wildcards of COPY and ADD.
//!
//! Two dialects: [`glob_match`] is Go's `filepath.Match`; [`PatternMatcher`] is moby/patternmatcher, which adds `**`, `!` and
//! "a matched directory matches all that is in it". Paths are bytes, slash-separated, relative, and clean.

mod automaton;
mod clean;
mod file_path_match;
mod ignore_file;
mod matcher;
mod re2;
mod regular_expression;
mod unit;

pub use clean::clean;
pub use file_path_match::glob_match;
pub use ignore_file::{IgnoreFileError, ignore_patterns, parse_ignore_file};
pub use matcher::{DirectoryMatch, PatternError, PatternMatcher};
