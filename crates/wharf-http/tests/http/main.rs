//! The client against servers that answer, and against servers that misbehave.

#![allow(clippy::unwrap_used)]

mod downloads;
mod errors;
mod retries;
mod tls;
mod uploads;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use wharf_http::{Client, Options, Request, RetryObserver, RetryPolicy, SystemRoots, Timeouts, Trust};

/// Options that fail fast.
fn options() -> Options {
    Options {
        retry: RetryPolicy {
            attempts: 3,
            base: Duration::from_millis(5),
            cap: Duration::from_millis(20),
            max_retry_after: Duration::from_secs(2),
        },
        timeouts: Timeouts {
            connect: Duration::from_secs(2),
            response: Duration::from_millis(500),
            idle: Duration::from_millis(500),
            total: Duration::from_secs(10),
        },
        trust: Trust {
            system: SystemRoots::none(),
            ..Trust::default()
        },
        ..Options::default()
    }
}

fn client() -> Client {
    Client::new(options())
}

fn get(url: &str) -> Request {
    Request::get_text(url).unwrap()
}

/// A client and the reasons of its retries.
fn observed() -> (Client, Arc<Mutex<Vec<String>>>) {
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&reasons);
    let observer = RetryObserver::new(move |notice| seen.lock().unwrap().push(notice.reason.to_string()));
    (
        Client::new(Options {
            on_retry: Some(observer),
            ..options()
        }),
        reasons,
    )
}
