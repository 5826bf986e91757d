//! When a failed request is sent again: exponential back-off with full jitter, and `Retry-After`.
//!
//! RFC 9110, sections 10.2.3 (`Retry-After`) and 15. Full jitter: a uniform draw from zero to the back-off, so that
//! the agents of a farm that failed together do not come back together.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use reqwest::{
    StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};

use crate::ShownUrl;

/// How often and when a failed request is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included. Zero means one.
    pub attempts: u32,
    /// The upper bound of the first delay; it doubles with each attempt.
    pub base: Duration,
    /// The upper bound of every delay.
    pub cap: Duration,
    /// A server that asks for a longer pause than this is not waited for.
    pub max_retry_after: Duration,
}

impl Default for RetryPolicy {
    /// Five attempts, about two seconds of waiting on average, and up to two minutes where the server asks for it.
    fn default() -> Self {
        Self {
            attempts: 5,
            base: Duration::from_millis(250),
            cap: Duration::from_secs(20),
            max_retry_after: Duration::from_mins(2),
        }
    }
}

impl RetryPolicy {
    /// One attempt.
    pub const NEVER: Self = Self {
        attempts: 1,
        base: Duration::ZERO,
        cap: Duration::ZERO,
        max_retry_after: Duration::ZERO,
    };

    /// How long to wait after `failed` attempts, or `None` to give up. `jitter` is in 0..1.
    pub fn delay(&self, failed: u32, asked: Option<Duration>, jitter: f64) -> Option<Duration> {
        if failed >= self.attempts.max(1) {
            return None;
        }
        let bound = self
            .base
            .saturating_mul(2_u32.saturating_pow(failed.saturating_sub(1)))
            .min(self.cap);
        let backoff = bound.mul_f64(jitter.clamp(0.0, 1.0));
        match asked {
            Some(asked) if asked > self.max_retry_after => None,
            // The server's pause, and the jitter on top: it told all its clients the same moment.
            Some(asked) => Some(asked + backoff),
            None => Some(backoff),
        }
    }
}

/// A retry that is about to happen.
pub struct RetryNotice<'a> {
    /// Where the request is for.
    pub url: &'a ShownUrl,
    /// What went wrong, in one line.
    pub reason: &'a (dyn fmt::Display + Sync),
    /// How many attempts failed so far.
    pub failed: u32,
    /// How long is waited now.
    pub delay: Duration,
}

/// Told of every retry.
#[derive(Clone)]
pub struct RetryObserver(Arc<dyn Fn(&RetryNotice<'_>) + Send + Sync>);

impl fmt::Debug for RetryNotice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            url,
            reason,
            failed,
            delay,
        } = self;
        write!(f, "{url}: {reason}, failed {failed} times, again in {delay:?}")
    }
}

impl fmt::Debug for RetryObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RetryObserver")
    }
}

impl RetryObserver {
    /// Calls `told` before each delay.
    pub fn new(told: impl Fn(&RetryNotice<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }

    pub(crate) fn tell(&self, notice: &RetryNotice<'_>) {
        (self.0)(notice);
    }
}

/// Whether a status says "not now" rather than "no".
pub(crate) fn is_transient(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        )
}

/// How long `Retry-After` asks to wait from `now`: seconds or a date; a date in the past is no wait.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn asked(text: &'static str) -> Option<u64> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 90);
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
        retry_after(&headers, now).map(|delay| delay.as_secs())
    }

    #[test]
    fn both_forms_of_retry_after() {
        assert_eq!(asked("120"), Some(120));
        assert_eq!(asked(" 0 "), Some(0));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT"), Some(90));
        assert_eq!(asked("Sunday, 06-Nov-94 08:49:37 GMT"), Some(90));
        assert_eq!(
            asked("Sun, 06 Nov 1993 08:49:37 GMT"),
            None,
            "a date that does not exist"
        );
        assert_eq!(asked("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(asked("-1"), None);
        assert_eq!(asked("soon"), None);
    }

    #[test]
    fn delays_double_up_to_the_cap_and_end() {
        let policy = RetryPolicy {
            attempts: 4,
            cap: Duration::from_millis(800),
            ..RetryPolicy::default()
        };
        let at_most = |failed| policy.delay(failed, None, 1.0).map(|delay| delay.as_millis());
        assert_eq!([1, 2, 3, 4].map(at_most), [Some(250), Some(500), Some(800), None]);
        assert_eq!(policy.delay(2, None, 0.0), Some(Duration::ZERO));
    }

    #[test]
    fn the_servers_pause_counts_unless_it_is_too_long() {
        let policy = RetryPolicy::default();
        let asked = |seconds| policy.delay(1, Some(Duration::from_secs(seconds)), 0.0);
        assert_eq!(asked(7), Some(Duration::from_secs(7)));
        assert_eq!(asked(3600), None);
    }

    #[test]
    fn not_now_and_no() {
        for (status, transient) in [
            (408, true),
            (429, true),
            (500, true),
            (503, true),
            (501, false),
            (404, false),
        ] {
            assert_eq!(
                is_transient(StatusCode::from_u16(status).unwrap()),
                transient,
                "{status}"
            );
        }
    }
}
