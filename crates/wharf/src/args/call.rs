//! `--call` and `--check`: whether a Dockerfile is built or only checked, and how what is found is told.

use super::{UsageError, fields};

/// How findings are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// The reference's `result.json`.
    Json,
    /// SARIF 2.1.0.
    Sarif,
}

impl Format {
    /// Of a word.
    pub(crate) fn of(flag: &'static str, word: &str) -> Result<Self, UsageError> {
        match word {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            "sarif" => Ok(Self::Sarif),
            _ => Err(UsageError::value(flag, word, "text, json or sarif")),
        }
    }
}

/// How to check when `call`, or `--check`, asks for it; nothing when a build is wanted. The fields are those of buildx: a method,
/// `format=json`, `ignorestatus`.
pub(crate) fn check(call: &str, flag: bool) -> Result<Option<Check>, UsageError> {
    let fields = fields::parse(call).map_err(|error| UsageError::Fields("--call", error))?;
    let mut check = Check {
        format: Format::Text,
        ignore_status: false,
    };
    let mut method = if flag { "check" } else { "build" };
    for field in &fields {
        match (&field.key[..], field.value.as_deref()) {
            ("lint" | "check", None) => method = "check",
            ("build", None) => {}
            ("format", Some(word)) => check.format = Format::of("--call", word)?,
            ("ignorestatus", value) => check.ignore_status = is_true(value, call)?,
            _ => return Err(unknown(call)),
        }
    }
    Ok((method == "check").then_some(check))
}

/// How to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Check {
    /// How findings are told.
    pub(crate) format: Format,
    /// Whether the exit code is 0 whatever is found.
    pub(crate) ignore_status: bool,
}

fn is_true(value: Option<&str>, call: &str) -> Result<bool, UsageError> {
    match value {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(_) => Err(unknown(call)),
    }
}

fn unknown(call: &str) -> UsageError {
    UsageError::value(
        "--call",
        call,
        "build or check, the latter with ,format=text, json or sarif and ,ignorestatus (outline and targets are not supported)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls() {
        let checked = |format, ignore_status| {
            Some(Check {
                format,
                ignore_status,
            })
        };
        for (call, expected) in [
            ("build", None),
            ("check", checked(Format::Text, false)),
            ("lint,format=json", checked(Format::Json, false)),
            ("format=sarif,check,ignorestatus", checked(Format::Sarif, true)),
            ("check,ignorestatus=false", checked(Format::Text, false)),
        ] {
            assert_eq!(check(call, false).expect("a call"), expected, "{call}");
        }
        assert_eq!(
            check("build", true).expect("a call"),
            checked(Format::Text, false)
        );
        for call in ["outline", "check,format=xml", "check,ignorestatus=x", "check,x=y"] {
            assert!(check(call, false).is_err(), "{call}");
        }
    }
}
