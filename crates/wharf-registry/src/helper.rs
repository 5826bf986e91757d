//! Credential helpers: programs named `docker-credential-…` that keep passwords elsewhere.
//!
//! The protocol of docker-credential-helpers: `get`, the registry's name on stdin, a JSON document on stdout.

use std::{io, path::PathBuf, process::Stdio, time::Duration};

use serde::Deserialize;
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use crate::{Credential, Secret};

/// Why a helper gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum HelperError {
    /// It is not installed.
    #[error("the credential helper `docker-credential-{0}` is not installed")]
    Missing(String),
    /// It could not be run.
    #[error("the credential helper `docker-credential-{helper}` cannot be run: {reason}")]
    Run {
        /// Its name, without the prefix.
        helper: String,
        /// What the system said.
        reason: String,
    },
    /// It failed.
    #[error("the credential helper `docker-credential-{helper}` failed: {message}")]
    Failed {
        /// Its name, without the prefix.
        helper: String,
        /// The first line it said.
        message: String,
    },
    /// It did not answer, perhaps because it waits for somebody to unlock a keychain.
    #[error("the credential helper `docker-credential-{0}` gave no answer in {LIMIT:?}")]
    Silent(String),
}

/// Long enough to type a pass phrase, short enough for an agent without a keyboard.
const LIMIT: Duration = Duration::from_mins(1);

/// What helpers say, on stdout and with a failure, when they know no account.
const UNKNOWN: &str = "credentials not found";

/// The user name that stands for an identity token.
const TOKEN_USER: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Asks `helper` for the account of `registry`. `dirs` is where programs are looked for.
pub(crate) async fn get(
    helper: &str,
    registry: &str,
    dirs: &[PathBuf],
) -> Result<Option<Credential>, HelperError> {
    let missing = || HelperError::Missing(helper.to_owned());
    // A name with a slash would run any program that a file names.
    if helper.contains('/') {
        return Err(missing());
    }
    let program = format!("docker-credential-{helper}");
    let program = dirs
        .iter()
        .map(|dir| dir.join(&program))
        .find(|path| path.is_file())
        .ok_or_else(missing)?;
    let ran = timeout(LIMIT, run(program, registry)).await;
    let output = ran
        .map_err(|_| HelperError::Silent(helper.to_owned()))?
        .map_err(|error| HelperError::Run {
            helper: helper.to_owned(),
            reason: error.to_string(),
        })?;
    understand(helper, output.status.success(), &output.stdout)
}

async fn run(program: PathBuf, registry: &str) -> io::Result<std::process::Output> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read its input may still answer.
        let _ = stdin.write_all(registry.as_bytes()).await;
    }
    child.wait_with_output().await
}

fn understand(helper: &str, succeeded: bool, stdout: &[u8]) -> Result<Option<Credential>, HelperError> {
    let failed = |message: String| HelperError::Failed {
        helper: helper.to_owned(),
        message,
    };
    if !succeeded {
        let text = String::from_utf8_lossy(stdout);
        let message = text.lines().next().unwrap_or_default().trim();
        return if message.starts_with(UNKNOWN) {
            Ok(None)
        } else {
            Err(failed(message.to_owned()))
        };
    }
    // Never the parser's own message: it could quote the secret.
    let answer: Answer =
        serde_json::from_slice(stdout).map_err(|_| failed("its answer is not understood".to_owned()))?;
    let secret = Secret::new(answer.secret);
    Ok(match answer.username.as_str() {
        "" => None,
        TOKEN_USER => Some(Credential::Identity(secret)),
        _ => Some(Credential::Password {
            user: answer.username,
            password: secret,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let answer = br#"{"ServerURL":"x","Username":"me","Secret":"pw"}"#;
        let password = Credential::Password {
            user: "me".into(),
            password: Secret::new("pw"),
        };
        assert_eq!(understand("x", true, answer).unwrap(), Some(password));
        let token = br#"{"Username":"<token>","Secret":"t"}"#;
        assert_eq!(
            understand("x", true, token).unwrap(),
            Some(Credential::Identity(Secret::new("t")))
        );
        let unknown = b"credentials not found in native keychain\n";
        assert_eq!(understand("x", false, unknown).unwrap(), None);
        let error = understand("x", false, b"keychain is locked\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the credential helper `docker-credential-x` failed: keychain is locked"
        );
    }

    #[tokio::test]
    async fn helpers_that_are_not_there() {
        for name in ["nowhere", "../../bin/true"] {
            assert!(matches!(
                get(name, "r", &["/usr/bin".into()]).await,
                Err(HelperError::Missing(_))
            ));
        }
    }
}
