//! What a registry's answer means.
//!
//! OCI distribution specification, "Error Codes": the body of an error is a list of codes and messages.

use serde::Deserialize;
use wharf_http::{Response, StatusCode};

use crate::{Error, settings::Account};

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    errors: Vec<Reason>,
    /// Token servers and gateways.
    #[serde(default)]
    details: String,
}

#[derive(Deserialize)]
struct Reason {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// The response if it is a success, else the error it means for a request about `name` by `account`.
pub(crate) async fn ok(response: Response, name: &str, account: &Account) -> Result<Response, Error> {
    if response.status().is_success() {
        return Ok(response);
    }
    Err(error(response, name, account).await)
}

/// The error that a response without success means.
pub(crate) async fn error(mut response: Response, name: &str, account: &Account) -> Error {
    let status = response.status();
    let retry_after = response.retry_after();
    let (code, message) = reason(&response.error_text().await);
    let name = name.to_owned();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Error::Unauthorized {
                name,
                message,
                with_account: account.credential.is_some(),
                helper: account.problem.clone().map(Box::new),
            }
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => Error::NotFound { name },
        _ if status == StatusCode::TOO_MANY_REQUESTS || code == "TOOMANYREQUESTS" => Error::RateLimited {
            name,
            message,
            retry_after,
        },
        _ => Error::Refused {
            name,
            status,
            message,
        },
    }
}

/// The first code and its message, in one line.
fn reason(body: &[u8]) -> (String, String) {
    let Ok(body) = serde_json::from_slice::<Body>(body) else {
        return (String::new(), String::new());
    };
    let Some(first) = body.errors.into_iter().next() else {
        return (String::new(), one_line(&body.details));
    };
    let message = if first.message.is_empty() {
        &first.code
    } else {
        &first.message
    };
    let message = one_line(message);
    (first.code, message)
}

/// Without control characters, which a terminal would obey, and not too long.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_as_registries_give_them() {
        for (body, code, message) in [
            (
                r#"{"errors":[{"code":"DENIED","message":"no\u001b[31m","detail":null}]}"#,
                "DENIED",
                "no[31m",
            ),
            (
                r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#,
                "NAME_UNKNOWN",
                "NAME_UNKNOWN",
            ),
            (
                r#"{"details":"incorrect username or password"}"#,
                "",
                "incorrect username or password",
            ),
            (r#"{"errors":[]}"#, "", ""),
            ("<html>", "", ""),
            ("", "", ""),
        ] {
            assert_eq!(
                reason(body.as_bytes()),
                (code.to_owned(), message.to_owned()),
                "{body}"
            );
        }
    }
}
