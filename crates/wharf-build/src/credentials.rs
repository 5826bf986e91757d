//! What a build tells the servers of its sources: secrets by the names that BuildKit gives them, and the SSH agent that signs.
//!
//! `GIT_AUTH_HEADER` and `GIT_AUTH_TOKEN`, with `.HOST` or without, are for repositories; `HTTP_AUTH_HEADER_HOST` and
//! `HTTP_AUTH_TOKEN_HOST` for files.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use url::Url;

use crate::{exec::Agent, request::Secret};

/// The agent that repositories over SSH use.
const DEFAULT_AGENT: &str = "default";

/// The secrets and the agent of a build, for its sources.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    secrets: BTreeMap<String, Secret>,
    agent: Option<Agent>,
}

/// A secret that a server should be told cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// Its file cannot be read.
    #[error("cannot read the secret {id} from {path}")]
    Read {
        /// The secret.
        id: String,
        /// Its file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is no text.
    #[error("the secret {0} is no text of one line, and is to be sent in a header")]
    NoText(String),
}

/// The value of an `Authorization` header. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization(String);

impl Authorization {
    /// The value, for the one who sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorization(redacted)")
    }
}

/// What a secret is.
#[derive(Clone, Copy)]
enum Form {
    /// The whole value of the header.
    Header,
    /// A token, and how it becomes a header.
    Token(fn(&str) -> String),
}

impl Credentials {
    /// Those of a build.
    pub fn new(secrets: &BTreeMap<String, Secret>, agents: &BTreeMap<String, Agent>) -> Self {
        Self {
            secrets: secrets.clone(),
            agent: agents.get(DEFAULT_AGENT).cloned(),
        }
    }

    /// What the server of a repository over HTTP is told.
    pub fn of_repository(&self, remote: &str) -> Result<Option<Authorization>, CredentialError> {
        let token = Form::Token(|token| {
            let pair = format!("x-access-token:{token}");
            format!("basic {}", BASE64_STANDARD.encode(pair))
        });
        let Some(host) = host(remote) else {
            return Ok(None);
        };
        self.first(&[
            (format!("GIT_AUTH_HEADER.{host}"), Form::Header),
            (format!("GIT_AUTH_TOKEN.{host}"), token),
            ("GIT_AUTH_HEADER".to_owned(), Form::Header),
            ("GIT_AUTH_TOKEN".to_owned(), token),
        ])
    }

    /// What the server of a file is told.
    pub fn of_file(&self, url: &str) -> Result<Option<Authorization>, CredentialError> {
        let Some(host) = host(url) else {
            return Ok(None);
        };
        self.first(&[
            (format!("HTTP_AUTH_HEADER_{host}"), Form::Header),
            (
                format!("HTTP_AUTH_TOKEN_{host}"),
                Form::Token(|token| format!("Bearer {token}")),
            ),
        ])
    }

    /// The socket of the agent, in a form that means the same to a child process.
    pub fn agent(&self) -> Option<PathBuf> {
        let socket = self.agent.as_ref()?.socket();
        let own = socket.strip_prefix("/proc/self");
        Some(own.map_or_else(
            |_| socket.to_owned(),
            |own| Path::new("/proc").join(std::process::id().to_string()).join(own),
        ))
    }

    fn first(&self, names: &[(String, Form)]) -> Result<Option<Authorization>, CredentialError> {
        for (name, form) in names {
            let Some(secret) = self.secrets.get(name) else {
                continue;
            };
            let text = String::from_utf8(read(name, secret)?).ok();
            let text = text.as_deref().map(str::trim_end);
            let text = text.filter(|text| !text.contains(['\n', '\r', '\0']));
            let text = text.ok_or_else(|| CredentialError::NoText(name.clone()))?;
            return Ok(Some(Authorization(match form {
                Form::Header => text.to_owned(),
                Form::Token(header) => header(text),
            })));
        }
        Ok(None)
    }
}

fn read(id: &str, secret: &Secret) -> Result<Vec<u8>, CredentialError> {
    match secret {
        Secret::Value(value) => Ok(value.clone()),
        Secret::File(path) => fs::read(path).map_err(|source| CredentialError::Read {
            id: id.to_owned(),
            path: path.clone(),
            source,
        }),
    }
}

/// Host and port, as the names of secrets have them. Nobody is told anything over another scheme.
fn host(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let host = url.host_str()?;
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(secrets: &[(&str, &str)], url: &str) -> [Option<String>; 2] {
        let secrets = secrets
            .iter()
            .map(|(id, value)| ((*id).to_owned(), Secret::Value(value.as_bytes().to_vec())))
            .collect();
        let credentials = Credentials::new(&secrets, &BTreeMap::new());
        [credentials.of_repository(url), credentials.of_file(url)]
            .map(|told| told.unwrap().map(|told| told.reveal().to_owned()))
    }

    #[test]
    fn secrets_by_host() {
        let repository = "https://example.com/a.git";
        assert_eq!(told(&[], repository), [None, None]);
        assert_eq!(
            told(&[("GIT_AUTH_TOKEN", "t\n")], repository),
            [Some("basic eC1hY2Nlc3MtdG9rZW46dA==".to_owned()), None]
        );
        let both = [("GIT_AUTH_HEADER", "any"), ("GIT_AUTH_TOKEN.example.com", "t")];
        assert_eq!(
            told(&both, repository)[0].as_deref(),
            Some("basic eC1hY2Nlc3MtdG9rZW46dA==")
        );
        assert_eq!(told(&both, "http://localhost:8/a.git")[0].as_deref(), Some("any"));
        assert_eq!(told(&both, "ssh://git@example.com/a.git"), [None, None]);
        let token = [("HTTP_AUTH_TOKEN_localhost:8", "t")];
        assert_eq!(
            told(&token, "http://localhost:8/a")[1].as_deref(),
            Some("Bearer t")
        );
        assert_eq!(told(&token, "http://localhost/a"), [None, None]);
    }

    #[test]
    fn a_secret_of_two_lines_is_not_sent() {
        let secrets = BTreeMap::from([("GIT_AUTH_TOKEN".to_owned(), Secret::Value(b"a\nb".to_vec()))]);
        let credentials = Credentials::new(&secrets, &BTreeMap::new());
        assert!(credentials.of_repository("https://example.com/a.git").is_err());
    }
}
