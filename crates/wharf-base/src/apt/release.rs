//! A Release file: what an archive says about its suite and its indexes.
//!
//! Debian's repository format, "Release files". Only SHA-256 counts; an archive that offers weaker
//! hashes alone is refused.

use std::collections::HashMap;

use wharf_oci::Digest;

use super::stanza::{Stanza, stanzas};

/// What a Release file says. Made of text whose signature was good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Who runs the archive: `Debian`, `Ubuntu`.
    pub origin: String,
    /// The suite: `stable`.
    pub suite: String,
    /// The codename: `bookworm`.
    pub codename: String,
    /// The suite's architectures.
    pub architectures: Vec<String>,
    /// The suite's components.
    pub components: Vec<String>,
    /// When it was made, in seconds since the epoch.
    pub date: Option<i64>,
    /// Until when it holds, in seconds since the epoch.
    pub valid_until: Option<i64>,
    /// Whether indexes can be had by their hash, so that an update in between does no harm.
    pub by_hash: bool,
    /// Whether packages for all architectures are missing from the other architectures' indexes.
    pub lists_all_apart: bool,
    /// Whether packages are installed from here without being asked for by suite.
    pub automatic: Automatic,
    files: HashMap<String, IndexFile>,
}

/// What `NotAutomatic` and `ButAutomaticUpgrades` come to: apt's priorities 500, 100 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Automatic {
    /// Never (experimental).
    Never,
    /// Only newer versions of what came from here (backports).
    Upgrades,
    /// Always.
    Always,
}

/// A file that a Release file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexFile {
    /// Of its bytes as they are fetched.
    pub sha256: Digest,
    /// In bytes.
    pub size: u64,
}

/// A Release file that must not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// It holds no fields.
    #[error("no Release file")]
    Empty,
    /// It names no file by SHA-256.
    #[error("the archive offers no SHA-256 of its indexes")]
    WeakHashes,
    /// It is about another suite than the one that was asked for.
    #[error("asked for suite `{asked}`, the archive sent `{suite}` (codename `{codename}`)")]
    OtherSuite {
        /// What the sources say.
        asked: String,
        /// What the file says.
        suite: String,
        /// What the file says.
        codename: String,
    },
    /// It is too old.
    #[error("the archive's state expired at {0} and may be replayed")]
    Expired(String),
    /// It is from the future.
    #[error("the archive's state is dated {0}, which is still to come: is the clock right?")]
    FromTheFuture(String),
}

/// When a Release file is looked at, and how strictly.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Seconds since the epoch.
    pub now: i64,
    /// Whether `Valid-Until` counts.
    pub check_valid_until: bool,
}

/// Clocks of archive and machine may differ by this many seconds (apt: `Acquire::Max-FutureTime`, 10 s; time zones of
/// machines that were set up by hand are off by hours).
const SKEW: i64 = 24 * 3600;

impl Release {
    /// Reads a Release file's text.
    pub fn parse(text: &str) -> Result<Self, ReleaseError> {
        let stanza = stanzas(text).next().ok_or(ReleaseError::Empty)?;
        let files = files(stanza);
        if files.is_empty() {
            return Err(ReleaseError::WeakHashes);
        }
        let field = |name| stanza.get(name).unwrap_or_default().to_owned();
        let words = |name| stanza.words(name).map(str::to_owned).collect();
        Ok(Self {
            origin: field("Origin"),
            suite: field("Suite"),
            codename: field("Codename"),
            architectures: words("Architectures"),
            components: words("Components"),
            date: stanza.get("Date").and_then(parse_time),
            valid_until: stanza.get("Valid-Until").and_then(parse_time),
            by_hash: stanza.says_yes("Acquire-By-Hash").unwrap_or(false),
            lists_all_apart: lists_all_apart(stanza),
            automatic: automatic(stanza),
            files,
        })
    }

    /// Refuses a file about another suite, from the past or from the future.
    pub fn check(&self, suite: &str, clock: Clock) -> Result<(), ReleaseError> {
        self.check_suite(suite)?;
        match (self.date, self.valid_until) {
            (Some(date), _) if date > clock.now + SKEW => Err(ReleaseError::FromTheFuture(show_time(date))),
            (_, Some(end)) if clock.check_valid_until && end < clock.now => {
                Err(ReleaseError::Expired(show_time(end)))
            }
            _ => Ok(()),
        }
    }

    /// Suites are asked for by suite or codename, a security suite also with `/updates` at its end (as apt's sources had it up
    /// to Debian 10), a flat archive by path, which says nothing.
    fn check_suite(&self, asked: &str) -> Result<(), ReleaseError> {
        let plain = asked.strip_suffix("/updates").unwrap_or(asked);
        let known = [&self.suite, &self.codename]
            .into_iter()
            .any(|name| name == asked || name == plain);
        let nameless = self.suite.is_empty() && self.codename.is_empty();
        if known || nameless || asked.ends_with('/') {
            return Ok(());
        }
        let (suite, codename) = (self.suite.clone(), self.codename.clone());
        Err(ReleaseError::OtherSuite {
            asked: asked.to_owned(),
            suite,
            codename,
        })
    }

    /// Whether the suite goes by this name.
    pub fn is_called(&self, name: &str) -> bool {
        self.suite == name || self.codename == name
    }

    /// A file by its path relative to the Release file.
    pub fn file(&self, path: &str) -> Option<IndexFile> {
        self.files.get(path).copied()
    }
}

fn files(stanza: Stanza<'_>) -> HashMap<String, IndexFile> {
    let lines = stanza.get("SHA256").unwrap_or_default().lines();
    lines.filter_map(parse_file).collect()
}

fn parse_file(line: &str) -> Option<(String, IndexFile)> {
    let mut words = line.split_whitespace();
    let sha256 = Digest::from_hex(words.next()?).ok()?;
    let size = words.next()?.parse().ok()?;
    Some((words.next()?.to_owned(), IndexFile { sha256, size }))
}

fn automatic(stanza: Stanza<'_>) -> Automatic {
    let says = |name| stanza.says_yes(name).unwrap_or(false);
    match (says("NotAutomatic"), says("ButAutomaticUpgrades")) {
        (false, _) => Automatic::Always,
        (true, true) => Automatic::Upgrades,
        (true, false) => Automatic::Never,
    }
}

/// Archives that have an index for `all` put its packages into the others' too, if they say so.
fn lists_all_apart(stanza: Stanza<'_>) -> bool {
    let has_all = stanza
        .words("Architectures")
        .any(|architecture| architecture == "all");
    has_all && stanza.get("No-Support-for-Architecture-all") != Some("Packages")
}

/// RFC 2822 with `UTC` for the zone, as all archives write it.
fn parse_time(text: &str) -> Option<i64> {
    let text = text.replace(" UTC", " +0000").replace(" Z", " +0000");
    jiff::fmt::rfc2822::parse(&text)
        .ok()
        .map(|time| time.timestamp().as_second())
}

fn show_time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Origin: Debian\nSuite: oldstable\nCodename: bookworm\nDate: Sat, 11 Jul 2026 10:16:37 UTC\n\
        Valid-Until: Sat, 18 Jul 2026 10:16:37 UTC\nAcquire-By-Hash: yes\nArchitectures: all amd64\nComponents: main\n\
        MD5Sum:\n d41d8cd98f00b204e9800998ecf8427e 0 main/x\n\
        SHA256:\n e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 main/binary-amd64/Packages.xz\n";

    fn clock(now: i64) -> Clock {
        Clock {
            now,
            check_valid_until: true,
        }
    }

    #[test]
    fn reads_what_counts() {
        let release = Release::parse(TEXT).unwrap();
        assert_eq!(release.codename, "bookworm");
        assert_eq!(release.date, Some(1_783_764_997));
        assert!(release.by_hash && release.automatic == Automatic::Always);
        let file = release.file("main/binary-amd64/Packages.xz").unwrap();
        assert_eq!((file.size, file.sha256), (0, Digest::of(b"")));
        assert_eq!(release.file("main/x"), None);
    }

    #[test]
    fn refuses_other_suites_and_times() {
        let release = Release::parse(TEXT).unwrap();
        let date = release.date.unwrap();
        for suite in ["bookworm", "oldstable", "./", "bookworm/updates"] {
            assert_eq!(release.check(suite, clock(date)), Ok(()), "{suite}");
        }
        assert!(matches!(
            release.check("trixie", clock(date)),
            Err(ReleaseError::OtherSuite { .. })
        ));
        let late = date + 8 * 24 * 3600;
        let expired = "the archive's state expired at 2026-07-18T10:16:37Z and may be replayed";
        assert_eq!(
            release.check("bookworm", clock(late)).unwrap_err().to_string(),
            expired
        );
        assert_eq!(
            release.check(
                "bookworm",
                Clock {
                    now: late,
                    check_valid_until: false
                }
            ),
            Ok(())
        );
        assert!(matches!(
            release.check("bookworm", clock(date - 2 * SKEW)),
            Err(ReleaseError::FromTheFuture(_))
        ));
    }

    #[test]
    fn refuses_weak_hashes_alone() {
        let weak = TEXT.split("SHA256").next().unwrap();
        assert_eq!(Release::parse(weak), Err(ReleaseError::WeakHashes));
        assert_eq!(Release::parse(""), Err(ReleaseError::Empty));
    }

    #[test]
    fn backports_are_for_upgrades_only() {
        let text = format!("NotAutomatic: yes\nButAutomaticUpgrades: yes\n{TEXT}");
        assert_eq!(Release::parse(&text).unwrap().automatic, Automatic::Upgrades);
    }
}
