//! The licence of a Debian package, from its machine-readable copyright file.
//!
//! Debian's "Machine-readable debian/copyright file", version 1.0. Its short names are not all SPDX's.

use std::collections::BTreeSet;

use crate::stanza;

/// All licences that the file names, as one SPDX expression. `None` for files that are prose.
pub(crate) fn licence(text: &str) -> Option<String> {
    if !text.trim_start().starts_with("Format:") {
        return None;
    }
    let mut licences = BTreeSet::new();
    stanza::each(text, |stanza| {
        // A stanza without files is a licence's text.
        let counts = stanza.get("Files").is_some() || stanza.get("Format").is_some();
        if let Some(licence) = stanza.get("License").filter(|_| counts) {
            licences.extend(expression(licence.lines().next().unwrap_or_default()));
        }
    });
    match licences.len() {
        0 => None,
        1 => licences.pop_first(),
        _ => Some(
            licences
                .iter()
                .map(|licence| group(licence))
                .collect::<Vec<_>>()
                .join(" AND "),
        ),
    }
}

fn group(licence: &str) -> String {
    if licence.contains(" OR ") || licence.contains('/') {
        format!("({licence})")
    } else {
        licence.to_owned()
    }
}

/// `GPL-2+ or Artistic, and BSD-3-clause` in SPDX's words.
fn expression(text: &str) -> Option<String> {
    let words: Vec<_> = text
        .split_whitespace()
        .map(|word| word.trim_end_matches(','))
        .map(|word| match word {
            "and" => "AND".to_owned(),
            "or" => "OR".to_owned(),
            "with" => "WITH".to_owned(),
            name => short_name(name),
        })
        .collect();
    let joined = words.join(" ");
    (!joined.is_empty()).then_some(joined)
}

/// Debian's short names that SPDX calls otherwise.
const NAMES: &[(&str, &str)] = &[
    ("expat", "MIT"),
    ("mit/x11", "MIT"),
    ("bsd-2-clause", "BSD-2-Clause"),
    ("bsd-3-clause", "BSD-3-Clause"),
    ("bsd-4-clause", "BSD-4-Clause"),
    ("artistic", "Artistic-1.0-Perl"),
    ("apache-2", "Apache-2.0"),
    ("zlib", "Zlib"),
    ("psf-2", "PSF-2.0"),
    ("mpl-2", "MPL-2.0"),
    ("cc0", "CC0-1.0"),
];

/// Families whose versions Debian writes `GPL-2` and `GPL-2+`.
const VERSIONED: [&str; 4] = ["GPL", "LGPL", "AGPL", "GFDL"];

fn short_name(name: &str) -> String {
    if let Some((_, spdx)) = NAMES.iter().find(|(debian, _)| name.eq_ignore_ascii_case(debian)) {
        return (*spdx).to_owned();
    }
    let (stem, later) = name.strip_suffix('+').map_or((name, false), |stem| (stem, true));
    let Some((family, version)) = stem.split_once('-') else {
        return name.to_owned();
    };
    let digits = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !VERSIONED.contains(&family) || !digits {
        return name.to_owned();
    }
    let version = if version.contains('.') {
        version.to_owned()
    } else {
        format!("{version}.0")
    };
    format!("{family}-{version}-{}", if later { "or-later" } else { "only" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_of_all_files_count() {
        let text = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n\
            Files: *\nCopyright: 2001 A\nLicense: GPL-2+ or Artistic\n\n\
            Files: lib/*\nLicense: Expat\n Permission is hereby granted\n\n\
            License: Nobodys\n text\n";
        assert_eq!(
            licence(text).as_deref(),
            Some("(GPL-2.0-or-later OR Artistic-1.0-Perl) AND MIT")
        );
        assert_eq!(licence("This is prose.\nLicense: MIT"), None);
        assert_eq!(
            licence("Format: x\nLicense: LGPL-2.1\n").as_deref(),
            Some("LGPL-2.1-only")
        );
        assert_eq!(licence("Format: x\nLicense:\n"), None);
    }
}
