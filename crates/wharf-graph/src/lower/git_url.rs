//! Git repositories as ADD and build contexts name them: `https://host/repo.git?ref=v1&subdir=docs`, `git@host:repo.git#v1:docs`.
//!
//! BuildKit's `frontend/dockerfile/dfgitutil`. What is not recognised is a path or an ordinary URL, not an error; only the
//! query of a recognised one can be wrong.

use url::form_urlencoded;

use super::paths;
use crate::source::GitSource;

/// A repository and what of it is wanted. What neither flag nor URL says is left open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GitUrl {
    /// The repository, without query and fragment.
    pub remote: String,
    /// Branch, tag, full reference or commit; empty is the remote's HEAD.
    pub reference: String,
    /// The directory that is wanted; empty is all.
    pub subdir: String,
    /// The commit that it must be.
    pub checksum: Option<String>,
    /// Whether `.git` stays.
    pub keep_git_dir: Option<bool>,
    /// Whether submodules are checked out.
    pub submodules: Option<bool>,
    /// Whether files take the time of the commit rather than of the checkout.
    pub commit_times: bool,
    /// Whether the commit is fetched as such, without asking what the reference stands for.
    pub fetch_by_commit: bool,
}

/// A query that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum GitUrlError {
    #[error("query `{0}` has no value")]
    NoValue(String),
    #[error("query `{0}` has multiple values")]
    Repeated(String),
    #[error("unexpected query `{0}`")]
    UnknownKey(String),
    #[error("invalid {key} value: `{value}`")]
    InvalidValue { key: String, value: String },
    #[error("{what} conflicts: `{one}` and `{other}`")]
    Conflict {
        what: &'static str,
        one: String,
        other: String,
    },
    #[error("branch conflicts with tag")]
    BranchAndTag,
}

impl GitUrl {
    /// The repository that `text` names; `None` if it is something else.
    pub fn parse(text: &str) -> Result<Option<Self>, GitUrlError> {
        match split(text) {
            Some((remote, query, fragment)) => Self::of_parts(remote, query, fragment).map(Some),
            None => Ok(None),
        }
    }

    fn of_parts(remote: &str, query: &str, fragment: &str) -> Result<Self, GitUrlError> {
        let (reference, subdir) = fragment.split_once(':').unwrap_or((fragment, ""));
        let mut url = Self {
            remote: remote.to_owned(),
            reference: reference.to_owned(),
            subdir: paths::clean(subdir)[1..].to_owned(),
            ..Self::default()
        };
        url.take_query(query)?;
        Ok(url)
    }

    /// The repository that `text` names as a build context, where `github.com/owner/name` is one too.
    pub fn parse_context(text: &str) -> Result<Option<Self>, GitUrlError> {
        if !text.starts_with("github.com/") {
            return Self::parse(text);
        }
        let url = format!("https://{text}");
        let (rest, fragment) = url.split_once('#').unwrap_or((&url, ""));
        let (remote, query) = rest.split_once('?').unwrap_or((rest, ""));
        Self::of_parts(remote, query, fragment).map(Some)
    }

    /// The source, with the defaults for what was left open.
    pub fn source(self) -> GitSource {
        GitSource {
            remote: self.remote,
            reference: self.reference,
            subdir: self.subdir,
            checksum: self.checksum,
            keep_git_dir: self.keep_git_dir.unwrap_or(false),
            submodules: self.submodules.unwrap_or(true),
            commit_times: self.commit_times,
            fetch_by_commit: self.fetch_by_commit,
        }
    }

    fn take_query(&mut self, query: &str) -> Result<(), GitUrlError> {
        let mut seen: Vec<String> = Vec::new();
        let (mut tag, mut branch) = (None, None);
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            if seen.iter().any(|other| *other == key) {
                return Err(GitUrlError::Repeated(key.into_owned()));
            }
            seen.push(key.clone().into_owned());
            let value = value.into_owned();
            match &*key {
                "keep-git-dir" => self.keep_git_dir = Some(boolean(&key, &value)?),
                "submodules" => self.submodules = Some(boolean(&key, &value)?),
                "fetch-by-commit" => self.fetch_by_commit = boolean(&key, &value)?,
                _ if value.is_empty() => return Err(GitUrlError::NoValue(key.into_owned())),
                "ref" => agree("ref", &mut self.reference, value)?,
                "subdir" => agree("subdir", &mut self.subdir, value)?,
                "tag" => tag = Some(value),
                "branch" => branch = Some(value),
                "checksum" | "commit" => self.checksum = Some(value),
                "mtime" if value == "commit" => self.commit_times = true,
                "mtime" if value == "checkout" => {}
                "mtime" => return Err(invalid(&key, &value)),
                _ => return Err(GitUrlError::UnknownKey(key.into_owned())),
            }
        }
        match (tag, branch) {
            (Some(_), Some(_)) => Err(GitUrlError::BranchAndTag),
            (Some(tag), None) => agree("ref", &mut self.reference, full("refs/tags/", tag)),
            (None, Some(branch)) => agree("ref", &mut self.reference, full("refs/heads/", branch)),
            (None, None) => Ok(()),
        }
    }
}

fn full(prefix: &str, name: String) -> String {
    if name.starts_with(prefix) {
        name
    } else {
        format!("{prefix}{name}")
    }
}

fn agree(what: &'static str, place: &mut String, value: String) -> Result<(), GitUrlError> {
    if !place.is_empty() && *place != value {
        let one = std::mem::take(place);
        return Err(GitUrlError::Conflict {
            what,
            one,
            other: value,
        });
    }
    *place = value;
    Ok(())
}

/// Go's `strconv.ParseBool`; no value is yes.
fn boolean(key: &str, value: &str) -> Result<bool, GitUrlError> {
    match value {
        "" | "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(invalid(key, value)),
    }
}

fn invalid(key: &str, value: &str) -> GitUrlError {
    GitUrlError::InvalidValue {
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

/// Remote, query and fragment of what is a repository. Over http it is one only if the path ends with `.git`.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    if text.starts_with("./") || text.starts_with("../") {
        return None;
    }
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (remote, query) = rest.split_once('?').unwrap_or((rest, ""));
    let is_git = match scheme(remote) {
        Some(("http" | "https", after)) => after
            .split_once('/')
            .is_some_and(|(_, path)| path.as_bytes().ends_with(b".git")),
        Some(("ssh" | "git", _)) => true,
        Some(_) => false,
        None => is_scp(remote),
    };
    is_git.then_some((remote, query, fragment))
}

fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, after) = text.split_once("://")?;
    let is_scheme = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_scheme.then_some((scheme, after))
}

/// `user@host:path`.
fn is_scp(text: &str) -> bool {
    let is_user = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let Some((user, (host, _))) = text
        .split_once('@')
        .and_then(|(user, rest)| Some((user, rest.split_once(':')?)))
    else {
        return false;
    };
    !user.is_empty() && user.bytes().all(is_user) && !host.is_empty() && host.bytes().all(is_host)
}

/// Whether `text` is a URL of a file: http or https, and no repository.
pub(super) fn is_http(text: &str) -> bool {
    (text.starts_with("http://") || text.starts_with("https://")) && split(text).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises() {
        for (text, expected) in [
            ("https://example.com/foo", None),
            (
                "https://example.com/foo.git",
                Some(("https://example.com/foo.git", "", "")),
            ),
            ("https://example.com/foo.git/", None),
            ("https://example.com/foo.git.bar", None),
            ("http://example.com/foo.git:#branch", None),
            ("git://example.com/foo", Some(("git://example.com/foo", "", ""))),
            ("ftp://example.com/foo.git", None),
            (
                "git@example.com:a/b.git",
                Some(("git@example.com:a/b.git", "", "")),
            ),
            (
                "user_x@example.com:a#v1:c",
                Some(("user_x@example.com:a", "v1", "c")),
            ),
            ("example.com/foo.git", None),
            ("github.com/a/b", None),
            ("./.git", None),
            (".git", None),
            ("a@b", None),
            (
                "https://example.com/b.git#x/y:q/../r/",
                Some(("https://example.com/b.git", "x/y", "r")),
            ),
            (
                "https://example.com/b.git#:docs",
                Some(("https://example.com/b.git", "", "docs")),
            ),
            (
                "https://example.com/b.git?subdir=/s#v1",
                Some(("https://example.com/b.git", "v1", "/s")),
            ),
            (
                "https://example.com/b.git?tag=v1",
                Some(("https://example.com/b.git", "refs/tags/v1", "")),
            ),
            (
                "https://example.com/b.git?branch=refs/heads/x",
                Some(("https://example.com/b.git", "refs/heads/x", "")),
            ),
        ] {
            let url = GitUrl::parse(text).unwrap();
            let parts = url
                .as_ref()
                .map(|url| (url.remote.as_str(), url.reference.as_str(), url.subdir.as_str()));
            assert_eq!(parts, expected, "{text}");
        }
    }

    #[test]
    fn queries() {
        let parse = |query: &str| GitUrl::parse(&format!("https://example.com/b.git?{query}"));
        let url = parse("keep-git-dir&submodules=false&commit=abc&mtime=commit")
            .unwrap()
            .unwrap();
        assert_eq!((url.keep_git_dir, url.submodules), (Some(true), Some(false)));
        assert_eq!((url.checksum.as_deref(), url.commit_times), (Some("abc"), true));
        for bad in [
            "ref",
            "ref=a&ref=b",
            "x=1",
            "submodules=maybe",
            "tag=a&branch=b",
            "ref=a&tag=b",
            "mtime=now",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
