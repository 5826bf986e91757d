//! `# check=skip=…;experimental=…;error=…`: which rules count.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::rules::Rule;
use crate::ast::{Comment, Dockerfile};
use crate::numbers::parse_bool;

/// Which rules count, and whether findings fail the build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckConfig {
    /// Rules that are off.
    pub skip: RuleSet,
    /// Experimental rules that are on.
    pub experimental: RuleSet,
    /// Findings are errors.
    pub error: bool,
}

/// Rules by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSet {
    all: bool,
    names: BTreeSet<String>,
}

/// Options that make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum CheckConfigError {
    #[error("invalid check option {0:?}")]
    Unknown(String),
    #[error("failed to parse check option {0:?}: not a boolean")]
    NotBoolean(String),
}

impl RuleSet {
    fn parse(names: &str) -> Self {
        match names.trim() {
            "all" => Self {
                all: true,
                names: BTreeSet::new(),
            },
            names => Self {
                all: false,
                names: names.split(',').map(|name| name.trim().to_owned()).collect(),
            },
        }
    }

    fn contains(&self, rule: &Rule) -> bool {
        self.all || self.names.contains(rule.name)
    }

    fn merge(&mut self, other: &Self) {
        self.all |= other.all;
        self.names.extend(other.names.iter().cloned());
    }
}

impl CheckConfig {
    /// What the directive of a file says; the default without one.
    pub fn of(dockerfile: &Dockerfile) -> Result<Self, CheckConfigError> {
        match &dockerfile.directives.check {
            Some(directive) => first_word(&directive.value.raw).parse(),
            None => Ok(Self::default()),
        }
    }

    /// Whether a rule counts. Skipping does not concern experimental rules, which are off anyway.
    pub fn allows(&self, rule: &Rule) -> bool {
        if rule.experimental {
            self.experimental.contains(rule)
        } else {
            !self.skip.contains(rule)
        }
    }

    /// With what the comments above an instruction add (`# check=skip=…`). A comment that makes no sense adds nothing.
    #[must_use]
    pub(super) fn with_comments(&self, comments: &[Comment]) -> Self {
        let mut merged = self.clone();
        let options = comments.iter().find_map(|comment| check_option(&comment.text));
        if let Some(Ok(added)) = options.map(str::parse::<Self>) {
            merged.skip.merge(&added.skip);
            merged.experimental.merge(&added.experimental);
        }
        merged
    }
}

/// The options of a comment of the form `check = options`.
fn check_option(comment: &str) -> Option<&str> {
    let (name, options) = comment.split_once('=')?;
    let options = options.trim();
    (name.trim().eq_ignore_ascii_case("check") && !options.is_empty()).then(|| first_word(options))
}

/// What follows a space is a remark.
fn first_word(options: &str) -> &str {
    options.split(' ').next().unwrap_or_default()
}

impl FromStr for CheckConfig {
    type Err = CheckConfigError;

    fn from_str(text: &str) -> Result<Self, CheckConfigError> {
        let mut config = Self::default();
        let text = text.trim();
        if text.is_empty() {
            return Ok(config);
        }
        for option in text.splitn(3, ';') {
            let (key, value) = option
                .split_once('=')
                .ok_or_else(|| CheckConfigError::Unknown(option.to_owned()))?;
            match key.trim() {
                "skip" => config.skip = RuleSet::parse(value),
                "experimental" => config.experimental = RuleSet::parse(value),
                "error" => {
                    config.error = parse_bool(value.trim())
                        .ok_or_else(|| CheckConfigError::NotBoolean(option.to_owned()))?;
                }
                key => return Err(CheckConfigError::Unknown(key.to_owned())),
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::RuleId;

    #[test]
    fn options() {
        let config: CheckConfig = "skip=UndefinedVar, FromAsCasing;error=true".parse().unwrap();
        assert!(config.error);
        assert!(!config.allows(RuleId::UndefinedVar.rule()));
        assert!(!config.allows(RuleId::FromAsCasing.rule()));
        assert!(config.allows(RuleId::CopyIgnoredFile.rule()));
        assert!(!config.allows(RuleId::InvalidDefinitionDescription.rule()));
        let config: CheckConfig = "experimental=all;skip=all".parse().unwrap();
        assert!(config.allows(RuleId::InvalidDefinitionDescription.rule()));
        assert!(!config.allows(RuleId::CopyIgnoredFile.rule()));
        for bad in ["skip", "skp=all", "error=maybe", "skip=all;"] {
            assert!(bad.parse::<CheckConfig>().is_err(), "{bad}");
        }
    }
}
