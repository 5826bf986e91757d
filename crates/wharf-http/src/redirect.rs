//! Redirects: which are followed, with which method, and what stays behind.
//!
//! RFC 9110, section 15.4. Followed here and not by the library beneath, because credentials must not reach another
//! origin, loops and limits are different errors, and https must not fall back to http.

use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, LOCATION, PROXY_AUTHORIZATION},
};
use url::Url;

use crate::{Body, Error, Request, ShownUrl, request::is_web};

/// The way of one request through its redirects.
pub(crate) struct Trail {
    seen: Vec<(Method, Url)>,
    limit: usize,
}

impl Trail {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            seen: Vec::new(),
            limit,
        }
    }

    /// The request that follows `request`'s redirecting answer, or `None` when the answer is not a redirect.
    pub(crate) fn next(
        &mut self,
        request: &Request,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<Option<Request>, Error> {
        if !request.follow || !redirects(status) {
            return Ok(None);
        }
        let target = target(&request.url, headers)?;
        self.seen.push((request.method.clone(), request.url.clone()));
        let next = redirected(request, status, target);
        if self
            .seen
            .iter()
            .any(|(method, url)| (method, url) == (&next.method, &next.url))
        {
            return Err(Error::RedirectLoop { url: next.shown() });
        }
        if self.seen.len() > self.limit {
            let (_, first) = &self.seen[0];
            return Err(Error::TooManyRedirects {
                url: ShownUrl::new(first),
                limit: self.limit,
            });
        }
        Ok(Some(next))
    }
}

const fn redirects(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn target(from: &Url, headers: &HeaderMap) -> Result<Url, Error> {
    let location = headers
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let target = if location.is_empty() {
        None
    } else {
        from.join(location).ok()
    };
    target
        .filter(|target| is_web(target) && !(from.scheme() == "https" && target.scheme() == "http"))
        .ok_or_else(|| Error::BadRedirect {
            url: ShownUrl::new(from),
            location: shown(from, location),
        })
}

/// A location as messages may show it.
fn shown(from: &Url, location: &str) -> String {
    from.join(location)
        .map_or_else(|_| String::new(), |target| ShownUrl::new(&target).to_string())
}

fn redirected(request: &Request, status: StatusCode, target: Url) -> Request {
    let mut next = request.clone();
    if request.url.origin() != target.origin() {
        for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
            next.headers.remove(name);
        }
    }
    let becomes_get = match status {
        StatusCode::SEE_OTHER => next.method != Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => next.method == Method::POST,
        _ => false,
    };
    if becomes_get {
        next.method = Method::GET;
        next.body = Body::default();
        next.headers.remove(CONTENT_TYPE);
        next.headers.remove(CONTENT_LENGTH);
    }
    next.url = target;
    next
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn follow(method: Method, from: &str, status: u16, to: &str) -> Result<Option<Request>, Error> {
        let request = Request::new(method, Url::parse(from).unwrap())
            .body(Body::bytes("body"))
            .authorization("Basic secret")
            .unwrap();
        let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_str(to).unwrap())]);
        Trail::new(10).next(&request, StatusCode::from_u16(status).unwrap(), &headers)
    }

    fn followed(method: Method, from: &str, status: u16, to: &str) -> String {
        let next = follow(method, from, status, to).unwrap().unwrap();
        let secret = if next.headers.contains_key(AUTHORIZATION) {
            " +auth"
        } else {
            ""
        };
        format!("{} {} {}{secret}", next.method, next.url, next.body.size())
    }

    #[test]
    fn method_body_and_credentials() {
        let home = "https://example.com/a/b";
        for (method, status, to, expected) in [
            (
                Method::GET,
                302,
                "c?x=1",
                "GET https://example.com/a/c?x=1 4 +auth",
            ),
            (
                Method::GET,
                307,
                "https://example.com:8443/",
                "GET https://example.com:8443/ 4",
            ),
            (
                Method::GET,
                301,
                "https://cdn.example.test/b",
                "GET https://cdn.example.test/b 4",
            ),
            (Method::POST, 303, "/done", "GET https://example.com/done 0 +auth"),
            (Method::POST, 302, "/done", "GET https://example.com/done 0 +auth"),
            (
                Method::POST,
                308,
                "/there",
                "POST https://example.com/there 4 +auth",
            ),
            (
                Method::PUT,
                302,
                "/there",
                "PUT https://example.com/there 4 +auth",
            ),
            (
                Method::HEAD,
                303,
                "/there",
                "HEAD https://example.com/there 4 +auth",
            ),
        ] {
            assert_eq!(followed(method, home, status, to), expected);
        }
    }

    #[test]
    fn what_is_not_followed() {
        for to in ["http://example.com/", "file:///etc/passwd", "", "https://"] {
            let error = follow(Method::GET, "https://example.com/", 302, to).unwrap_err();
            assert!(matches!(error, Error::BadRedirect { .. }), "{to}: {error}");
        }
        let upgraded = followed(Method::GET, "http://example.com/", 302, "https://example.com/");
        assert_eq!(upgraded, "GET https://example.com/ 4");
        assert!(
            follow(Method::GET, "https://example.com/", 304, "/x")
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn loops_and_limits_are_told_apart() {
        let headers = |to: &str| HeaderMap::from_iter([(LOCATION, HeaderValue::from_str(to).unwrap())]);
        let first = Request::get(Url::parse("http://example.com/0").unwrap());
        let mut trail = Trail::new(3);
        let mut request = first.clone();
        for n in 1..=3 {
            request = trail
                .next(&request, StatusCode::FOUND, &headers(&format!("/{n}")))
                .unwrap()
                .unwrap();
        }
        let back = Trail::new(3).next(&first, StatusCode::FOUND, &headers("/0"));
        assert!(matches!(back, Err(Error::RedirectLoop { .. })));
        let back = trail.next(&request, StatusCode::FOUND, &headers("/1"));
        assert!(matches!(back, Err(Error::RedirectLoop { .. })));
        let further = trail.next(&request, StatusCode::FOUND, &headers("/4"));
        assert!(matches!(further, Err(Error::TooManyRedirects { limit: 3, .. })));
    }
}
