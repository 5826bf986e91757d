//! `--call` and `--check`: what is asked of a build, and how the answer is told.

use super::{UsageError, fields};

/// How an answer is told.
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

/// What `wharf build` is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// An image.
    Build,
    /// The linter's findings.
    Check,
    /// What the build can be given.
    Outline,
    /// The stages.
    Targets,
}

/// A method, and how its answer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// How it is told.
    pub(crate) format: Format,
    /// Whether the exit code is 0 whatever is found.
    pub(crate) ignore_status: bool,
}

/// What `call` asks for, or `--check`, which is short for `--call=check`. The fields are those of buildx: a method, `format=json`,
/// `ignorestatus`.
pub(crate) fn call(call: &str, flag: bool) -> Result<Call, UsageError> {
    let fields = fields::parse(call).map_err(|error| UsageError::Fields("--call", error))?;
    let mut found = Call {
        method: if flag { Method::Check } else { Method::Build },
        format: Format::Text,
        ignore_status: false,
    };
    for field in &fields {
        match (&field.key[..], field.value.as_deref()) {
            ("lint" | "check", None) => found.method = Method::Check,
            ("outline", None) => found.method = Method::Outline,
            ("targets", None) => found.method = Method::Targets,
            ("build", None) => {}
            ("format", Some(word)) => found.format = Format::of("--call", word)?,
            ("ignorestatus", value) => found.ignore_status = is_true(value, call)?,
            _ => return Err(unknown(call)),
        }
    }
    let is_told = !matches!(
        (found.method, found.format),
        (Method::Outline | Method::Targets, Format::Sarif)
    );
    if is_told { Ok(found) } else { Err(unknown(call)) }
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
        "build, check, outline or targets, with ,format=text or json (check: sarif too) and ,ignorestatus",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls() {
        for (text, method, format, ignore_status) in [
            ("build", Method::Build, Format::Text, false),
            ("check", Method::Check, Format::Text, false),
            ("lint,format=json", Method::Check, Format::Json, false),
            (
                "format=sarif,check,ignorestatus",
                Method::Check,
                Format::Sarif,
                true,
            ),
            ("check,ignorestatus=false", Method::Check, Format::Text, false),
            ("outline,format=json", Method::Outline, Format::Json, false),
            ("format=json,targets", Method::Targets, Format::Json, false),
        ] {
            let expected = Call {
                method,
                format,
                ignore_status,
            };
            assert_eq!(call(text, false).expect("a call"), expected, "{text}");
        }
        assert_eq!(call("build", true).expect("a call").method, Method::Check);
        for text in [
            "list",
            "outline=yes",
            "outline,format=sarif",
            "check,format=xml",
            "check,ignorestatus=x",
            "check,x=y",
        ] {
            assert!(call(text, false).is_err(), "{text}");
        }
    }
}
