//! Credentials in files: Docker's `config.json` and containers' `auth.json`, which share a format.
//!
//! containers-auth.json(5); Docker's `docker login` reference. Pure: text → data, and who has an account where.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;

use crate::Secret;

/// How to show a registry who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// User name and password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A refresh token, which a token server trades for tokens.
    Identity(Secret),
    /// A token for the registry itself.
    Token(Secret),
}

/// The part of such a file that is of interest.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AuthFile {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<SecretText>,
    username: Option<String>,
    password: Option<SecretText>,
    identitytoken: Option<SecretText>,
    registrytoken: Option<SecretText>,
}

#[derive(Clone, Deserialize)]
#[serde(transparent)]
struct SecretText(String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("****")
    }
}

impl AuthFile {
    /// Reads the text of such a file.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// The helper program (its name without `docker-credential-`) that knows the accounts of `registry`.
    pub(crate) fn helper(&self, registry: &str) -> Option<&str> {
        let own = wharf_oci::account_names(registry).into_iter().find_map(|name| {
            let mut helpers = self.cred_helpers.iter();
            helpers
                .find(|(key, _)| host_of(key) == name)
                .map(|(_, helper)| helper)
        });
        own.or(Some(&self.creds_store))
            .map(String::as_str)
            .filter(|helper| !helper.is_empty())
    }

    /// The credential for `repository` of `registry`: the longest path that has one, then the host.
    pub(crate) fn credential(&self, registry: &str, repository: &str) -> Option<Credential> {
        for name in wharf_oci::account_names(registry) {
            let mut path = format!("{name}/{repository}");
            loop {
                let exact = self.auths.get(&path).and_then(Entry::credential);
                if exact.is_some() {
                    return exact;
                }
                match path.rfind('/') {
                    Some(end) => path.truncate(end),
                    None => break,
                }
            }
            // Docker's older keys are URLs; their paths name an API, not a repository.
            let by_host = self
                .auths
                .iter()
                .find(|(key, _)| is_url(key) && host_of(key) == name);
            if let Some(credential) = by_host.and_then(|(_, entry)| entry.credential()) {
                return Some(credential);
            }
        }
        None
    }
}

fn is_url(key: &str) -> bool {
    key.starts_with("https://") || key.starts_with("http://")
}

fn host_of(key: &str) -> &str {
    let key = key
        .strip_prefix("https://")
        .or(key.strip_prefix("http://"))
        .unwrap_or(key);
    key.split('/').next().unwrap_or_default()
}

impl Entry {
    fn credential(&self) -> Option<Credential> {
        let text = |field: &Option<SecretText>| {
            field
                .as_ref()
                .map(|secret| secret.0.clone())
                .filter(|secret| !secret.is_empty())
        };
        if let Some(token) = text(&self.identitytoken) {
            return Some(Credential::Identity(Secret::new(token)));
        }
        if let Some(token) = text(&self.registrytoken) {
            return Some(Credential::Token(Secret::new(token)));
        }
        let (user, password) = match text(&self.auth) {
            Some(auth) => decode(&auth)?,
            None => (
                self.username.clone().filter(|user| !user.is_empty())?,
                text(&self.password)?,
            ),
        };
        Some(Credential::Password {
            user,
            password: Secret::new(password),
        })
    }
}

/// Base64 of `user:password`. Docker pads passwords with NUL bytes.
fn decode(auth: &str) -> Option<(String, String)> {
    let text = String::from_utf8(BASE64_STANDARD.decode(auth.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.trim_end_matches('\0').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{
        "auths": {
            "example.test": {"auth": "aG9zdDpwOnc="},
            "example.test/team": {"auth": "dGVhbTpwdwA="},
            "https://old.example.test/v1/": {"username": "old", "password": "pw"},
            "token.example.test": {"auth": "eDp5", "identitytoken": "refresh"},
            "direct.example.test": {"registrytoken": "jwt"},
            "stored.example.test": {},
            "broken.example.test": {"auth": "???"}
        },
        "credHelpers": {"helped.example.test": "cloud", "https://url.example.test/v2/": "url"},
        "HttpHeaders": {"User-Agent": "x"}
    }"#;

    fn known(registry: &str, repository: &str) -> String {
        let file = AuthFile::parse(FILE.as_bytes()).unwrap();
        match file.credential(registry, repository) {
            Some(Credential::Password { user, password }) => format!("{user} {}", password.reveal()),
            Some(Credential::Identity(token)) => format!("identity {}", token.reveal()),
            Some(Credential::Token(token)) => format!("token {}", token.reveal()),
            None => "-".to_owned(),
        }
    }

    #[test]
    fn the_most_specific_entry_counts() {
        for (registry, repository, expected) in [
            ("example.test", "app", "host p:w"),
            ("example.test", "team/app", "team pw"),
            ("example.test", "teams/app", "host p:w"),
            ("example.test:5000", "app", "-"),
            ("old.example.test", "app", "old pw"),
            ("token.example.test", "app", "identity refresh"),
            ("direct.example.test", "app", "token jwt"),
            ("stored.example.test", "app", "-"),
            ("broken.example.test", "app", "-"),
        ] {
            assert_eq!(known(registry, repository), expected, "{registry}/{repository}");
        }
    }

    #[test]
    fn helpers_by_host_then_the_store() {
        let mut file = AuthFile::parse(FILE.as_bytes()).unwrap();
        assert_eq!(file.helper("helped.example.test"), Some("cloud"));
        assert_eq!(file.helper("url.example.test"), Some("url"));
        assert_eq!(file.helper("example.test"), None);
        file.creds_store = "pass".into();
        assert_eq!(file.helper("example.test"), Some("pass"));
    }

    #[test]
    fn nothing_is_shown() {
        let file = AuthFile::parse(FILE.as_bytes()).unwrap();
        let credential = file.credential("token.example.test", "a").unwrap();
        let shown = format!("{file:?} {credential:?}");
        assert!(!shown.contains("refresh") && !shown.contains("aG9zd"), "{shown}");
    }
}
