//! The time by which a request, with its retries, must be through.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, timeout_at};

use crate::{Error, Phase, ShownUrl};

/// A point in time and the duration it was made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    total: Duration,
}

impl Deadline {
    /// `total` from now.
    pub(crate) fn after(total: Duration) -> Self {
        Self {
            at: Instant::now() + total,
            total,
        }
    }

    /// Waits for `future`, at most until `limit` from now or the deadline, whichever is first.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        phase: Phase,
        url: &ShownUrl,
        future: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let idle = Instant::now() + limit;
        timeout_at(idle.min(self.at), future).await.map_err(|_| {
            if idle < self.at {
                Error::Timeout {
                    url: url.clone(),
                    phase,
                    after: limit,
                }
            } else {
                self.missed(url)
            }
        })
    }

    /// Waits `delay`, unless the deadline comes first: then there is nothing to wait for.
    pub(crate) async fn sleep(&self, delay: Duration) -> bool {
        if Instant::now() + delay >= self.at {
            return false;
        }
        tokio::time::sleep(delay).await;
        true
    }

    /// The error of a missed deadline.
    pub(crate) fn missed(&self, url: &ShownUrl) -> Error {
        Error::Timeout {
            url: url.clone(),
            phase: Phase::Total,
            after: self.total,
        }
    }
}
