//! Byte ranges: RFC 9110, section 14.

use std::ops::Range;

use reqwest::header::{CONTENT_RANGE, HeaderMap};

/// The value of `Range` that asks for the bytes from `start` up to, not including, `end`, or to the end.
pub(crate) fn ask(start: u64, end: Option<u64>) -> String {
    match end {
        Some(end) => format!("bytes={start}-{}", end.saturating_sub(1)),
        None => format!("bytes={start}-"),
    }
}

/// What a 206 says it holds: the bytes, and the size of the whole where it is known.
pub(crate) fn answered(headers: &HeaderMap) -> Option<(Range<u64>, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, whole) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let range = first..last.checked_add(1)?;
    (first <= last).then(|| (range, whole.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn asks() {
        assert_eq!(ask(10, None), "bytes=10-");
        assert_eq!(ask(0, Some(1)), "bytes=0-0");
    }

    #[test]
    fn answers() {
        for (text, expected) in [
            ("bytes 0-0/5", Some((0..1, Some(5)))),
            ("bytes 7-9/*", Some((7..10, None))),
            ("bytes 9-7/20", None),
            ("bytes */20", None),
            ("lines 1-2/3", None),
            ("bytes 0-18446744073709551615/*", None),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_RANGE, HeaderValue::from_static(text))]);
            assert_eq!(answered(&headers), expected, "{text}");
        }
    }
}
