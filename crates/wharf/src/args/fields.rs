//! `type=oci,dest=image.tar`: the comma-separated fields of buildx flags, with quotes as in RFC 4180.

/// One `key=value` field; a field without `=` has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// Lower-cased.
    pub(crate) key: String,
    /// What follows the first `=`.
    pub(crate) value: Option<String>,
}

/// Splits a flag's value.
pub(crate) fn parse(text: &str) -> Result<Vec<Field>, UnbalancedQuote> {
    Ok(split(text)?.into_iter().map(|field| field_of(&field)).collect())
}

fn field_of(text: &str) -> Field {
    match text.split_once('=') {
        Some((key, value)) => Field {
            key: key.trim().to_lowercase(),
            value: Some(value.to_owned()),
        },
        None => Field {
            key: text.trim().to_lowercase(),
            value: None,
        },
    }
}

/// Splits at commas outside of quotes. A field that starts with `"` ends at the next lone `"`; `""` inside is one quote.
pub(crate) fn split(text: &str) -> Result<Vec<String>, UnbalancedQuote> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => take_quoted(quoted).ok_or_else(|| UnbalancedQuote(text.to_owned()))?,
            None => rest
                .split_once(',')
                .map_or((rest.to_owned(), None), |(field, after)| {
                    (field.to_owned(), Some(after))
                }),
        };
        fields.push(field);
        match after {
            Some(after) => rest = after,
            None => return Ok(fields),
        }
    }
}

fn take_quoted(text: &str) -> Option<(String, Option<&str>)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None if after.is_empty() => return Some((field, None)),
            None => return Some((field, Some(after.strip_prefix(',')?))),
        }
    }
}

/// A quoted field that does not end, or does not end at a comma.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a quote in `{0}` is not closed, or is followed by something other than a comma")]
pub(crate) struct UnbalancedQuote(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_csv() {
        let check = |text: &str, expected: &[&str]| assert_eq!(split(text).unwrap(), expected, "{text}");
        check("type=oci,dest=a.tar", &["type=oci", "dest=a.tar"]);
        check(
            r#"type=image,"name=a:1,b:2",push=true"#,
            &["type=image", "name=a:1,b:2", "push=true"],
        );
        check(r#""a""b""#, &[r#"a"b"#]);
        check("", &[""]);
        assert!(split(r#""a"#).is_err());
        assert!(split(r#""a"b,c"#).is_err());
    }

    #[test]
    fn keys_are_lower_case() {
        assert_eq!(
            parse("Type=OCI").unwrap(),
            [Field {
                key: "type".into(),
                value: Some("OCI".into())
            }]
        );
    }
}
