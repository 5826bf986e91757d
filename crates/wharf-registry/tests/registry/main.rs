//! The client against a real registry on loopback, and against one that misbehaves.

#![allow(clippy::unwrap_used)]

mod auth;
mod fake;
mod faults;
mod image;
mod mirrors;
mod real;
mod uploads;

use std::time::Duration;

use wharf_http::{RetryPolicy, SystemRoots, Timeouts, Trust};
use wharf_oci::Reference;
use wharf_registry::{Options, Registry, Settings, SettingsFiles};

/// Options that fail fast and trust nobody but who is named.
fn options(files: &SettingsFiles) -> Options {
    Options {
        http: wharf_http::Options {
            retry: RetryPolicy {
                attempts: 3,
                base: Duration::from_millis(5),
                cap: Duration::from_millis(20),
                max_retry_after: Duration::from_secs(2),
            },
            timeouts: Timeouts {
                connect: Duration::from_secs(2),
                response: Duration::from_secs(2),
                idle: Duration::from_secs(2),
                total: Duration::from_secs(20),
            },
            trust: Trust {
                system: SystemRoots::none(),
                ..Trust::default()
            },
            ..wharf_http::Options::default()
        },
        settings: Settings::read(files).unwrap(),
        ..Options::default()
    }
}

/// A client without any settings.
fn registry() -> Registry {
    Registry::new(options(&SettingsFiles::default()))
}

fn reference(authority: &str, rest: &str) -> Reference {
    format!("{authority}/{rest}").parse().unwrap()
}
