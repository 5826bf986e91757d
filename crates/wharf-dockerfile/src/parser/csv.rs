//! One line of comma-separated values (RFC 4180), the form of `--mount` and `--device`.

use std::ops::Range;

/// A field: its bytes in the line, quotes included, and its value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) range: Range<usize>,
    pub(super) value: String,
}

/// The fields of a line. `None` if it is empty, or a quote stands where none may.
pub(super) fn fields(line: &str) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    let mut start = 0;
    if line.is_empty() {
        return None;
    }
    loop {
        let (value, length) = field(&line[start..])?;
        fields.push(Field {
            range: start..start + length,
            value,
        });
        start += length;
        if start == line.len() {
            return Some(fields);
        }
        // The comma.
        start += 1;
    }
}

/// The value of the first field and its length.
fn field(line: &str) -> Option<(String, usize)> {
    let Some(quoted) = line.strip_prefix('"') else {
        let value = &line[..line.find(',').unwrap_or(line.len())];
        return if value.contains('"') {
            None
        } else {
            Some((value.to_owned(), value.len()))
        };
    };
    let mut value = String::new();
    let mut at = 0;
    loop {
        let quote = at + quoted[at..].find('"')?;
        value.push_str(&quoted[at..quote]);
        match quoted[quote + 1..].chars().next() {
            Some('"') => value.push('"'),
            Some(',') | None => return Some((value, quote + 2)),
            Some(_) => return None,
        }
        at = quote + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(line: &str) -> Option<Vec<String>> {
        Some(fields(line)?.into_iter().map(|field| field.value).collect())
    }

    #[test]
    fn splits_at_commas_outside_quotes() {
        let cases: [(&str, Option<&[&str]>); 7] = [
            ("", None),
            ("a", Some(&["a"])),
            ("a=1,b", Some(&["a=1", "b"])),
            ("a,", Some(&["a", ""])),
            (r#""target=/a,b","c""d""#, Some(&["target=/a,b", "c\"d"])),
            (r#"a"b"#, None),
            (r#""a"b"#, None),
        ];
        for (line, expected) in cases {
            let expected = expected.map(|fields| fields.iter().map(ToString::to_string).collect());
            assert_eq!(values(line), expected, "{line}");
        }
        assert_eq!(fields("ab,\"c\"").unwrap()[1].range, 3..6);
    }
}
