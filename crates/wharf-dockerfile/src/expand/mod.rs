//! Expansion of a word: variables, quotes, escapes; and splitting into words.
//!
//! Follows BuildKit's `frontend/dockerfile/shell`, the definition of what Dockerfile words mean ("Environment replacement" in
//! the Dockerfile reference). Two deviations, both where the reference loses or invents text: the replacement of
//! `${x//p/r}` is literal (there, `$1` in it is a group of a regular expression), and text before a `${x:-…}` is kept when
//! the result is split into words.

mod cursor;
mod error;
mod lexer;
mod pattern;
mod words;

use std::collections::BTreeSet;

pub use error::{ExpandError, ExpandReason};

/// Where variables come from.
pub type Environment<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What quotes do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quotes {
    /// They group and vanish.
    #[default]
    Remove,
    /// They group and stay: for showing a command.
    Keep,
    /// They are ordinary characters: for the body of a heredoc.
    Literal,
}

/// How to expand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpandOptions {
    /// The escape character, `\` or a backtick.
    pub escape: char,
    /// What quotes do.
    pub quotes: Quotes,
    /// Escape characters stay in the result.
    pub keep_escapes: bool,
    /// A reference to a variable that is not set stays as written.
    pub keep_unset: bool,
}

impl ExpandOptions {
    /// What all instructions use.
    pub const fn new(escape: char) -> Self {
        Self {
            escape,
            quotes: Quotes::Remove,
            keep_escapes: false,
            keep_unset: false,
        }
    }

    /// What the body of a COPY or ADD heredoc uses: quotes are text, and `\` escapes whatever the directive says.
    pub const fn heredoc_body() -> Self {
        Self {
            quotes: Quotes::Literal,
            ..Self::new('\\')
        }
    }
}

/// The value of a word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// The value.
    pub text: String,
    /// The value split at unquoted white space, which a variable's value may bring in too.
    pub words: Vec<String>,
    /// Which variables were asked for.
    pub variables: Variables,
}

/// The variables that a word asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// Those that were set.
    pub set: BTreeSet<String>,
    /// Those that were not.
    pub unset: BTreeSet<String>,
}

/// The value of `word`. One word stays one word, whatever white space its variables bring.
pub fn expand(word: &str, environment: &Environment<'_>, escape: char) -> Result<String, ExpandError> {
    expand_with(word, environment, ExpandOptions::new(escape)).map(|expansion| expansion.text)
}

/// The words that `word` becomes: EXPOSE splits after expansion.
pub fn expand_words(
    word: &str,
    environment: &Environment<'_>,
    escape: char,
) -> Result<Vec<String>, ExpandError> {
    expand_with(word, environment, ExpandOptions::new(escape)).map(|expansion| expansion.words)
}

/// Everything there is to know about the value of `word`.
pub fn expand_with(
    word: &str,
    environment: &Environment<'_>,
    options: ExpandOptions,
) -> Result<Expansion, ExpandError> {
    lexer::run(word, environment, options)
}

#[cfg(test)]
mod tests;
