//! What a failure of the transport means: the cause is looked for along the chain of sources.

use std::{error::Error as StdError, io, time::Duration};

use crate::{Error, Phase, ShownUrl, body::ReadBodyError, dns::NoSuchHost, error::Source};

/// The error of an attempt that got no response head.
pub(crate) fn of_sending(url: &ShownUrl, error: reqwest::Error, connect_limit: Duration) -> Error {
    let url = url.clone();
    if find::<NoSuchHost>(&error).is_some() {
        return Error::UnknownHost {
            url,
            source: bare(error),
        };
    }
    if let Some(ReadBodyError(cause)) = find::<ReadBodyError>(&error) {
        return Error::Local {
            url,
            what: "reading",
            source: io::Error::new(cause.kind(), cause.to_string()),
        };
    }
    if find::<rustls::Error>(&error).is_some() {
        return Error::Tls {
            url,
            source: bare(error),
        };
    }
    if error.is_timeout() {
        return Error::Timeout {
            url,
            phase: Phase::Connect,
            after: connect_limit,
        };
    }
    if error.is_connect() {
        return Error::Unreachable {
            url,
            source: bare(error),
        };
    }
    if find::<io::Error>(&error).is_some() || ended(&error) {
        return Error::Interrupted {
            url,
            received: 0,
            source: bare(error),
        };
    }
    Error::Protocol {
        url,
        source: bare(error),
    }
}

/// The error of a body that broke after `received` bytes.
pub(crate) fn of_receiving(url: &ShownUrl, error: reqwest::Error, received: u64) -> Error {
    Error::Interrupted {
        url: url.clone(),
        received,
        source: bare(error),
    }
}

/// The first cause of type `E`, looking into `io::Error`s too, which hide what they wrap from `source`.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

/// Whether the peer hung up instead of answering. Neither `reqwest` nor its errors give a name to that.
fn ended(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if text.contains("connection closed") || text.contains("connection error") || text.contains("GO_AWAY")
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// The error without its URL, which may hold credentials and which our own error names already.
fn bare(error: reqwest::Error) -> Source {
    Box::new(error.without_url())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_through_io_errors() {
        let inner = io::Error::other(rustls::Error::HandshakeNotComplete);
        let outer = io::Error::other(inner);
        assert!(find::<rustls::Error>(&outer).is_some());
        assert!(find::<NoSuchHost>(&outer).is_none());
    }
}
