//! Licences as SPDX wants them: expressions of listed names, and references to texts for all others.
//!
//! SPDX 2.3, annex D, "SPDX license expressions", and clause 10, "Other licensing information detected".

use std::collections::BTreeMap;

/// Licences that are not on SPDX's list: the reference by which the document calls each, and what the package said.
#[derive(Debug, Default)]
pub(crate) struct Others(BTreeMap<String, String>);

impl Others {
    /// `text` as an expression: itself if it is one; with references for those of its names that are not listed; else a reference to
    /// the whole.
    pub(crate) fn expression(&mut self, text: &str) -> String {
        listed(text)
            .or_else(|| self.composed(text))
            .unwrap_or_else(|| self.reference(text))
    }

    /// An expression some of whose names are not listed.
    fn composed(&mut self, text: &str) -> Option<String> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let words: Vec<_> = spaced.split_whitespace().collect();
        let is_operator = |word: &&str| matches!(*word, "AND" | "OR");
        if text.len() > EXPRESSION_LIMIT || !words.iter().any(is_operator) {
            return None;
        }
        let mut parts: Vec<String> = Vec::new();
        let mut names = Vec::new();
        for word in words.into_iter().chain([")"]) {
            if !matches!(word, "AND" | "OR" | "(" | ")") {
                names.push(word);
                continue;
            }
            if !names.is_empty() {
                let name = std::mem::take(&mut names).join(" ");
                parts
                    .push(listed(&name).map_or_else(|| self.reference(&name), |listed| in_brackets(&listed)));
            }
            parts.push(word.to_owned());
        }
        // The one that ended the last name.
        parts.pop();
        let joined = parts.join(" ").replace("( ", "(").replace(" )", ")");
        spdx::Expression::parse(&joined).is_ok().then_some(joined)
    }

    fn reference(&mut self, text: &str) -> String {
        let hash = wharf_oci::Digest::of(text.as_bytes()).hex();
        let reference = format!("LicenseRef-{}-{}", words(text), &hash[..8]);
        self.0.insert(reference.clone(), text.to_owned());
        reference
    }

    /// References and texts, sorted.
    pub(crate) fn into_texts(self) -> BTreeMap<String, String> {
        self.0
    }
}

/// A name may stand for two: `MIT/X11`.
fn in_brackets(expression: &str) -> String {
    if expression.contains(' ') && !expression.contains(" WITH ") {
        return format!("({expression})");
    }
    expression.to_owned()
}

/// The start of a licence's own words, in the characters that a reference may have.
fn words(text: &str) -> String {
    let allowed = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    let words: String = text.chars().take(32).map(allowed).collect();
    words.trim_matches('-').to_owned()
}

/// Longer texts are not expressions but licences.
const EXPRESSION_LIMIT: usize = 1000;

/// The expression in its canonical form, if every name in it is on SPDX's list.
fn listed(text: &str) -> Option<String> {
    if text.len() > EXPRESSION_LIMIT {
        return None;
    }
    if let Some((_, id)) = CLASSIFIERS.iter().find(|(name, _)| *name == text) {
        return Some((*id).to_owned());
    }
    let strict = |text: &str| {
        spdx::Expression::parse(text)
            .ok()
            .map(|parsed| parsed.to_string())
    };
    let lenient = || {
        let canonical = spdx::Expression::canonicalize(text).ok().flatten()?;
        strict(&canonical)
    };
    strict(text).or_else(lenient)
}

/// Names that Python's classifiers and older metadata use.
const CLASSIFIERS: &[(&str, &str)] = &[
    ("Apache Software License", "Apache-2.0"),
    ("Apache License 2.0", "Apache-2.0"),
    ("Apache License, Version 2.0", "Apache-2.0"),
    ("Apache 2.0", "Apache-2.0"),
    ("ISC License (ISCL)", "ISC"),
    ("MIT License", "MIT"),
    ("MIT license", "MIT"),
    ("Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"),
    ("Python Software Foundation License", "PSF-2.0"),
    ("The Unlicense (Unlicense)", "Unlicense"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_is_referred_to() {
        let mut others = Others::default();
        for (text, expected) in [
            ("MIT", "MIT"),
            ("MIT OR Apache-2.0", "MIT OR Apache-2.0"),
            ("GPL-2.0-or-later AND MIT", "GPL-2.0-or-later AND MIT"),
            ("MIT License", "MIT"),
            ("My own, see file", "LicenseRef-My-own--see-file-8a8c5c70"),
        ] {
            let got = others.expression(text);
            if expected.starts_with("LicenseRef") {
                assert!(got.starts_with("LicenseRef-My-own--see-file-"), "{got}");
            } else {
                assert_eq!(got, expected);
            }
        }
        let mixed = others.expression("MIT AND (Nobodys OR GPL-2.0-only WITH odd)");
        assert!(mixed.starts_with("MIT AND (LicenseRef-Nobodys-"), "{mixed}");
        assert!(mixed.contains(" OR LicenseRef-GPL-2.0-only-WITH-odd-"), "{mixed}");
        assert_eq!(others.into_texts().len(), 3);
    }
}
