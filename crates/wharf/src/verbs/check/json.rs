//! What was found, in the schema of BuildKit's `--call=check,format=json`.

use serde_json::{Value, json};
use wharf_build::check::Checked;
use wharf_dockerfile::{Source, Span, lint::Finding};

/// Of one Dockerfile the reference's object, of several a list of such.
pub(super) fn of(checked: &[Checked]) -> Value {
    match checked {
        [only] => one(only),
        all => all.iter().map(one).collect(),
    }
}

fn one(checked: &Checked) -> Value {
    let findings = checked.report.findings.iter();
    let warnings: Vec<_> = findings.map(|finding| warning(checked, finding)).collect();
    let data = base64(checked.dockerfile.source.text().as_bytes());
    let mut value = json!({
        "warnings": warnings,
        "sources": [{"filename": checked.name, "language": "Dockerfile", "data": data}],
    });
    if let Some(first) = checked.errors.first() {
        let source = &checked.dockerfile.source;
        let messages: Vec<_> = checked.errors.iter().map(|fault| &fault.message[..]).collect();
        let place = first
            .span
            .map(|span| location(source, checked.dockerfile.instruction_at(span)));
        value["buildError"] = json!({
            "message": messages.join("\n"),
            "location": place.unwrap_or_else(|| json!({})),
        });
    }
    value
}

fn warning(checked: &Checked, finding: &Finding) -> Value {
    let mut warning = json!({
        "ruleName": finding.rule.name,
        "description": finding.rule.description,
        "detail": finding.message,
        "location": location(&checked.dockerfile.source, finding.instruction),
    });
    if let Some(url) = finding.rule.url() {
        warning["url"] = Value::String(url);
    }
    warning
}

/// A range for each line, which ends where it starts; characters are not told. (`toSourceLocation` of the reference's
/// `dockerfile2llb`.)
pub(in crate::verbs) fn location(source: &Source, span: Span) -> Value {
    let (first, last) = source.lines(span);
    let ranges: Vec<_> = (first..=last)
        .map(|line| json!({"start": {"line": line}, "end": {"line": line}}))
        .collect();
    json!({"ranges": ranges})
}

/// RFC 4648, section 4: the reference gives sources so.
pub(in crate::verbs) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * index) & 63) as usize];
            text.push(if index <= chunk.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_every_length() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
