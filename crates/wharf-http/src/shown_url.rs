//! A URL as messages may show it: without user name, password and query values.
//!
//! Queries are dropped as a whole: pre-signed URLs of object stores carry their signature there.

use std::fmt;

use url::Url;

/// The text of a URL without anything that could be a credential.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ShownUrl(String);

impl ShownUrl {
    /// What of `url` may be shown.
    pub fn new(url: &Url) -> Self {
        let mut shown = url.clone();
        // Both fail only for URLs that cannot have a user name, and those have none to hide.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        shown.set_fragment(None);
        let query = shown.query().is_some();
        shown.set_query(None);
        Self(format!("{shown}{}", if query { "?…" } else { "" }))
    }

    /// What of the URL `text` may be shown; all of it if it is none.
    pub fn of_text(text: &str) -> String {
        Url::parse(text).map_or_else(|_| text.to_owned(), |url| Self::new(&url).to_string())
    }
}

impl From<&Url> for ShownUrl {
    fn from(url: &Url) -> Self {
        Self::new(url)
    }
}

impl fmt::Display for ShownUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ShownUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_user_password_query_and_fragment() {
        for (url, shown) in [
            ("https://example.com/a/b", "https://example.com/a/b"),
            (
                "https://me:secret@example.com:8443/a",
                "https://example.com:8443/a",
            ),
            (
                "http://example.com/blob?X-Signature=abc&n=1#top",
                "http://example.com/blob?…",
            ),
            ("http://[::1]:5000/v2/", "http://[::1]:5000/v2/"),
        ] {
            assert_eq!(ShownUrl::new(&Url::parse(url).unwrap()).to_string(), shown);
        }
    }
}
