//! HTTP with deadlines, retries and verified bodies.
//!
//! A [`Client`] sends a [`Request`] and gives a [`Response`], or runs a [`Download`]: a body that is resumed when the
//! connection breaks and that is complete only when its digest and size are the expected ones. What may vary comes in
//! as [`Options`]; the environment is never read. What the bytes mean (registries, packages) is for others to know.
//!
//! Invariants: no wait without a deadline; no body without a cap; no credential in an error, and none carried to
//! another origin by a redirect; no `getaddrinfo` (the program is linked statically).

mod body;
mod client;
mod deadline;
mod dns;
mod download;
mod error;
mod expect;
mod failure;
mod options;
mod range;
mod redirect;
mod repeated;
mod request;
mod response;
mod retry;
mod shown_url;
mod trust;

pub use body::Body;
pub use bytes::Bytes;
pub use client::Client;
pub use download::{Download, Received};
pub use error::{Error, Phase};
pub use expect::Expect;
pub use options::{Options, Proxies, Timeouts};
pub use request::Request;
pub use reqwest::{
    Method, StatusCode,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
pub use response::Response;
pub use retry::{RetryNotice, RetryObserver, RetryPolicy, retry_after};
pub use shown_url::ShownUrl;
pub use trust::{Identity, SystemRoots, Trust, TrustError, Verify};
pub use url::Url;
