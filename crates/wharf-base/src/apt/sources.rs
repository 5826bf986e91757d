//! apt's sources: what archives a machine uses, in both of apt's formats.
//!
//! sources.list(5). Pure: text in, entries out; [`super::host`] finds the files.

use std::path::{Path, PathBuf};

use super::stanza::{Stanza, stanzas};

/// One archive: one address, one suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEntry {
    /// Where the archive's root is: `http`, `https`, `file` or `copy`, without a trailing slash.
    pub uri: String,
    /// The suite; with a trailing `/` an exact path below the address (a flat archive).
    pub suite: String,
    /// The components; none in a flat archive.
    pub components: Vec<String>,
    /// The architectures to which the entry is limited; empty is all.
    pub architectures: Vec<String>,
    /// Whose signature the archive must bear.
    pub signed_by: SignedBy,
    /// Whether the entry waives signatures (`trusted=yes`).
    pub trusted: bool,
    /// What the entry says about `Valid-Until`, if it does.
    pub check_valid_until: Option<bool>,
    /// The file that says so, for messages.
    pub file: PathBuf,
}

/// Which keys may sign.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SignedBy {
    /// The machine's trusted keys.
    #[default]
    Trusted,
    /// Key files and, if there are any, the fingerprints (upper-case hex; a `!` at the end excludes subkeys) it must be one of.
    Keys {
        /// Absolute paths; none means the machine's trusted keys.
        files: Vec<PathBuf>,
        /// Fingerprints; none means every key of the files.
        fingerprints: Vec<String>,
    },
    /// An armored key in the entry itself.
    Embedded(String),
}

/// A sources file that apt would refuse too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourcesError {
    /// A line of the one-line format lacks something.
    #[error("{}:{line}: no archive, suite and component: `{text}`", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// A paragraph lacks a field.
    #[error("{}: a paragraph without `{field}`", file.display())]
    Field {
        /// The file.
        file: PathBuf,
        /// Its name.
        field: &'static str,
    },
}

/// Reads a file of the one-line format (`sources.list`, `*.list`). Entries for source packages are left out.
pub fn parse_list(text: &str, file: &Path) -> Result<Vec<SourceEntry>, SourcesError> {
    let mut entries = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let content = line.split('#').next().unwrap_or_default().trim();
        if let Some(rest) = content
            .strip_prefix("deb")
            .filter(|rest| rest.starts_with([' ', '\t']))
        {
            let entry = parse_line(rest.trim(), file);
            let error = || SourcesError::Line {
                file: file.to_owned(),
                line: number + 1,
                text: line.trim().to_owned(),
            };
            entries.push(entry.ok_or_else(error)?);
        }
    }
    Ok(entries)
}

fn parse_line(rest: &str, file: &Path) -> Option<SourceEntry> {
    let (options, rest) = match rest.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let mut entry = entry(words.next()?, words.next()?, file);
    entry.components = words.map(str::to_owned).collect();
    if entry.components.is_empty() != entry.suite.ends_with('/') {
        return None;
    }
    for option in options.split_whitespace() {
        let (name, value) = option.split_once('=')?;
        apply_option(&mut entry, &name.to_ascii_lowercase(), value);
    }
    Some(entry)
}

fn apply_option(entry: &mut SourceEntry, name: &str, value: &str) {
    match name.trim_end_matches(['+', '-']) {
        "arch" => entry.architectures = value.split(',').map(str::to_owned).collect(),
        "signed-by" => entry.signed_by = signed_by(value.split(',')),
        "trusted" => entry.trusted = is_yes(value),
        "check-valid-until" => entry.check_valid_until = Some(is_yes(value)),
        _ => {}
    }
}

fn is_yes(value: &str) -> bool {
    ["yes", "true", "with", "on", "enable", "1"].contains(&value)
}

/// Reads a file of the deb822 format (`*.sources`). Disabled paragraphs and those for source packages only are left out.
pub fn parse_deb822(text: &str, file: &Path) -> Result<Vec<SourceEntry>, SourcesError> {
    let mut entries = Vec::new();
    for stanza in stanzas(text) {
        let enabled = stanza.says_yes("Enabled").unwrap_or(true);
        if enabled && stanza.words("Types").any(|kind| kind == "deb") {
            entries.extend(parse_stanza(stanza, file)?);
        }
    }
    Ok(entries)
}

fn parse_stanza(stanza: Stanza<'_>, file: &Path) -> Result<Vec<SourceEntry>, SourcesError> {
    let missing = |field| {
        move || SourcesError::Field {
            file: file.to_owned(),
            field,
        }
    };
    let words = |field| {
        stanza
            .words(field)
            .filter(|word| !word.starts_with('#'))
            .map(str::to_owned)
    };
    let template = SourceEntry {
        components: words("Components").collect(),
        architectures: words("Architectures").collect(),
        signed_by: stanza.get("Signed-By").map_or(SignedBy::Trusted, signed_by_field),
        trusted: stanza.says_yes("Trusted").unwrap_or(false),
        check_valid_until: stanza.says_yes("Check-Valid-Until"),
        ..entry("", "", file)
    };
    let uris: Vec<_> = words("URIs").collect();
    let suites: Vec<_> = words("Suites").collect();
    let flat = suites.iter().all(|suite| suite.ends_with('/'));
    (!uris.is_empty()).then_some(()).ok_or_else(missing("URIs"))?;
    (!suites.is_empty()).then_some(()).ok_or_else(missing("Suites"))?;
    (flat || !template.components.is_empty())
        .then_some(())
        .ok_or_else(missing("Components"))?;
    let pairs = uris
        .iter()
        .flat_map(|uri| suites.iter().map(move |suite| (uri, suite)));
    Ok(pairs
        .map(|(uri, suite)| {
            SourceEntry {
                suite: suite.clone(),
                ..template.clone()
            }
            .at(uri)
        })
        .collect())
}

fn entry(uri: &str, suite: &str, file: &Path) -> SourceEntry {
    SourceEntry {
        uri: uri.trim_end_matches('/').to_owned(),
        suite: suite.to_owned(),
        components: Vec::new(),
        architectures: Vec::new(),
        signed_by: SignedBy::Trusted,
        trusted: false,
        check_valid_until: None,
        file: file.to_owned(),
    }
}

/// A key block, of which deb822 writes empty lines as ` .`, or file names and fingerprints.
fn signed_by_field(value: &str) -> SignedBy {
    if !value.contains("-----BEGIN PGP") {
        return signed_by(value.split([',', ' ', '\t', '\n']));
    }
    let lines = value.lines().map(|line| match line.trim() {
        "." => "",
        line => line,
    });
    SignedBy::Embedded(lines.flat_map(|line| [line, "\n"]).collect())
}

fn signed_by<'a>(words: impl Iterator<Item = &'a str>) -> SignedBy {
    let (files, fingerprints): (Vec<_>, Vec<_>) = words
        .filter(|word| !word.is_empty())
        .partition(|word| word.starts_with('/'));
    SignedBy::Keys {
        files: files.into_iter().map(PathBuf::from).collect(),
        fingerprints: fingerprints.into_iter().map(str::to_ascii_uppercase).collect(),
    }
}

impl SourceEntry {
    /// The same entry at another address.
    #[must_use]
    pub fn at(mut self, uri: &str) -> Self {
        uri.trim_end_matches('/').clone_into(&mut self.uri);
        self
    }

    /// The entry with `$(ARCH)` replaced, if it is for `architecture` at all.
    pub fn for_architecture(&self, architecture: &str) -> Option<Self> {
        let meant = self.architectures.is_empty() || self.architectures.iter().any(|one| one == architecture);
        meant.then(|| Self {
            uri: self.uri.replace("$(ARCH)", architecture),
            suite: self.suite.replace("$(ARCH)", architecture),
            ..self.clone()
        })
    }

    /// The address with user name and password left out: what may be shown and written into an image.
    pub fn public_uri(&self) -> String {
        let Ok(mut url) = url::Url::parse(&self.uri) else {
            return self.uri.clone();
        };
        if url.username().is_empty() && url.password().is_none() {
            return self.uri.clone();
        }
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.as_str().trim_end_matches('/').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<Vec<SourceEntry>, SourcesError> {
        parse_list(text, Path::new("sources.list"))
    }

    #[test]
    fn reads_the_one_line_format() {
        let entries = list(
            "# comment\ndeb-src http://example.test/debian x main\n\
             deb [arch=amd64,arm64 signed-by=/k.gpg] http://example.test/debian/ bookworm main contrib # why\n\
             deb https://u:p@example.test/flat ./\n",
        )
        .unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].uri, "http://example.test/debian");
        assert_eq!(entries[0].components, ["main", "contrib"]);
        assert_eq!(entries[0].architectures, ["amd64", "arm64"]);
        let keys = SignedBy::Keys {
            files: vec!["/k.gpg".into()],
            fingerprints: vec![],
        };
        assert_eq!(entries[0].signed_by, keys);
        assert_eq!(entries[1].suite, "./");
        assert_eq!(entries[1].public_uri(), "https://example.test/flat");
    }

    #[test]
    fn reads_the_deb822_format() {
        let text = "Types: deb deb-src\nURIs: http://example.test/debian\n# http://example.test/snapshot\n\
                    Suites: bookworm bookworm-updates\nComponents: main\nSigned-By: /usr/k.gpg\n\n\
                    Types: deb\nEnabled: no\nURIs: http://example.test/x\nSuites: y\nComponents: z\n\n\
                    Types: deb\nURIs: http://example.test/in\nSuites: s\nComponents: c\nArchitectures: amd64\nSigned-By:\n \
                    -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINB\n -----END PGP PUBLIC KEY BLOCK-----\n";
        let entries = parse_deb822(text, Path::new("a.sources")).unwrap();
        let suites: Vec<_> = entries.iter().map(|entry| entry.suite.as_str()).collect();
        assert_eq!(suites, ["bookworm", "bookworm-updates", "s"]);
        let SignedBy::Embedded(key) = &entries[2].signed_by else {
            panic!("{:?}", entries[2].signed_by);
        };
        assert!(key.contains("BLOCK-----\n\nmQINB\n"), "{key:?}");
        assert!(entries[2].for_architecture("arm64").is_none());
    }

    #[test]
    fn says_which_line_is_wrong() {
        for text in [
            "\ndeb http://example.test/debian bookworm",
            "\ndeb [arch=x http://example.test a b",
            "\ndeb http://example.test",
        ] {
            assert!(
                matches!(list(text), Err(SourcesError::Line { line: 2, .. })),
                "{text}"
            );
        }
        let error = parse_deb822(
            "Types: deb\nURIs: http://example.test\nSuites: a\n",
            Path::new("f"),
        )
        .unwrap_err();
        assert_eq!(error.to_string(), "f: a paragraph without `Components`");
    }
}
