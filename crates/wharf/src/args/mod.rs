//! The command line: verbs, flags, and what their values mean.

pub(crate) mod attest;
pub(crate) mod build;
pub(crate) mod call;
pub(crate) mod cli;
#[cfg(test)]
mod compatibility;
pub(crate) mod fields;
pub(crate) mod outputs;
pub(crate) mod run;
pub(crate) mod support;
pub(crate) mod values;

/// A flag or value that cannot be used: exit code 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsageError {
    /// A value has the wrong form.
    #[error("{flag}: `{value}`: expected {wanted}")]
    Value {
        /// The flag.
        flag: &'static str,
        /// What was given.
        value: String,
        /// What it should have been.
        wanted: String,
    },
    /// The fields of a value cannot be told apart.
    #[error("{0}: {1}")]
    Fields(&'static str, fields::UnbalancedQuote),
    /// A value was to come from a variable that is not set.
    #[error("{flag}: the environment variable `{name}` is not set")]
    NoVariable {
        /// The flag.
        flag: &'static str,
        /// The variable.
        name: String,
    },
    /// `--push` and an output that is not an image.
    #[error("--push and --output without an image output exclude each other")]
    PushAndOutput,
    /// A flag that wharf does not do.
    #[error("{flag} is not supported: {why}")]
    Refused {
        /// The flag.
        flag: String,
        /// Why, and what to do instead.
        why: String,
    },
}

impl UsageError {
    /// A value of the wrong form.
    pub(crate) fn value(flag: &'static str, value: &str, wanted: &str) -> Self {
        Self::Value {
            flag,
            value: value.to_owned(),
            wanted: wanted.to_owned(),
        }
    }
}
