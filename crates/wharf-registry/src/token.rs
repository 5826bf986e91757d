//! Tokens: asked of the server that a registry names, kept for as long as they are good.
//!
//! Distribution's token authentication and OAuth2 specifications: GET with the account's password or without any, or
//! POST with a refresh token.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use tokio::sync::Mutex as AsyncMutex;
use url::{Url, form_urlencoded};
use wharf_http::{Body, Client, Method, Request, Response, RetryPolicy, header::CONTENT_TYPE};

use crate::{Credential, Error, Secret, answer, scope::Scope, settings::Account};

/// A token's answer is at most this large, bytes. Tokens of a few KiB are common.
const ANSWER_LIMIT: u64 = 1 << 20;

/// How long a token is good when the server does not say, and at least.
const MIN_LIFE: Duration = Duration::from_mins(1);

/// A token that is good for longer is asked for again after this.
const MAX_LIFE: Duration = Duration::from_hours(24);

/// A token is not used in the last seconds of its life: the request takes its time, too.
const MARGIN: Duration = Duration::from_secs(5);

/// What we call ourselves at token servers.
const CLIENT_ID: &str = "wharf";

/// The tokens of one registry.
#[derive(Default)]
pub(crate) struct Tokens {
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
}

/// Held while a token is fetched, so that parallel downloads fetch one and not each its own.
type Slot = AsyncMutex<Option<Token>>;

#[derive(PartialEq, Eq, Hash)]
struct Key {
    realm: String,
    service: String,
    scope: Scope,
}

struct Token {
    text: Secret,
    good_until: Instant,
}

/// What a token is wanted for.
pub(crate) struct Wanted<'a> {
    pub(crate) realm: &'a Url,
    pub(crate) service: &'a str,
    pub(crate) scope: &'a Scope,
    pub(crate) account: &'a Account,
    /// What the token is for, as messages call it.
    pub(crate) name: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    expires_in: Option<u64>,
}

impl Tokens {
    /// A token for what is wanted: a kept one, unless it is `refused`, else a new one.
    pub(crate) async fn get(
        &self,
        http: &Client,
        wanted: &Wanted<'_>,
        refused: Option<&str>,
    ) -> Result<Secret, Error> {
        let slot = self.slot(wanted);
        let mut slot = slot.lock().await;
        if let Some(token) = &*slot
            && token.good_until > Instant::now()
            && Some(token.text.reveal()) != refused
        {
            return Ok(token.text.clone());
        }
        let token = fetch(http, wanted).await?;
        let text = token.text.clone();
        *slot = Some(token);
        Ok(text)
    }

    fn slot(&self, wanted: &Wanted<'_>) -> Arc<Slot> {
        let key = Key {
            realm: wanted.realm.to_string(),
            service: wanted.service.to_owned(),
            scope: wanted.scope.clone(),
        };
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(key).or_default())
    }
}

async fn fetch(http: &Client, wanted: &Wanted<'_>) -> Result<Token, Error> {
    let asked_at = Instant::now();
    let fail = |error| Error::of_http(wanted.name, error);
    let request = match &wanted.account.credential {
        Some(Credential::Identity(refresh)) => post(http, wanted, refresh),
        credential => get(wanted, credential.as_ref()),
    };
    let response = http.send(&request.map_err(fail)?).await.map_err(fail)?;
    let answer = read(response, wanted).await?;
    let text = if answer.token.is_empty() {
        answer.access_token
    } else {
        answer.token
    };
    if text.is_empty() {
        return Err(not_understood(wanted));
    }
    // The specification: at least a minute, whatever the server says.
    let life = answer
        .expires_in
        .map_or(MIN_LIFE, Duration::from_secs)
        .clamp(MIN_LIFE, MAX_LIFE);
    Ok(Token {
        text: Secret::new(text),
        good_until: asked_at + life.saturating_sub(MARGIN),
    })
}

async fn read(response: Response, wanted: &Wanted<'_>) -> Result<Answer, Error> {
    let response = answer::ok(response, wanted.name, wanted.account).await?;
    let body = response
        .bytes(ANSWER_LIMIT)
        .await
        .map_err(|error| Error::of_http(wanted.name, error))?;
    // Never the parser's own message: it could quote the token.
    serde_json::from_slice(&body).map_err(|_| not_understood(wanted))
}

fn not_understood(wanted: &Wanted<'_>) -> Error {
    Error::Protocol {
        name: wanted.name.to_owned(),
        what: "the token server gave no token",
    }
}

fn get(wanted: &Wanted<'_>, credential: Option<&Credential>) -> Result<Request, wharf_http::Error> {
    let mut url = wanted.realm.clone();
    {
        let mut query = url.query_pairs_mut();
        if !wanted.service.is_empty() {
            query.append_pair("service", wanted.service);
        }
        for part in wanted.scope.parts() {
            query.append_pair("scope", part);
        }
        if let Some(Credential::Password { user, .. }) = credential {
            query.append_pair("account", user);
        }
    }
    match credential {
        Some(Credential::Password { user, password }) => {
            Request::get(url).authorization(&basic(user, password))
        }
        _ => Ok(Request::get(url)),
    }
}

fn post(http: &Client, wanted: &Wanted<'_>, refresh: &Secret) -> Result<Request, wharf_http::Error> {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "refresh_token")
        .append_pair("service", wanted.service)
        .append_pair("client_id", CLIENT_ID)
        .append_pair("scope", &wanted.scope.parts().join(" "))
        .append_pair("refresh_token", refresh.reveal())
        .finish();
    // Asking for a token twice gives two tokens and harms nobody.
    let retry: RetryPolicy = http.options().retry;
    Request::new(Method::POST, wanted.realm.clone())
        .body(Body::bytes(form))
        .retry(retry)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
}

/// The value of `Authorization` for a password.
pub(crate) fn basic(user: &str, password: &Secret) -> String {
    format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{user}:{}", password.reveal()))
    )
}
