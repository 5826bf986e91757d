//! Credentials in URLs: they are no part of what a statement may say.

use url::Url;

/// What stands for a user or password, as BuildKit writes it.
const MASK: &str = "xxxxx";

/// The text, if it is a URL with user or password, without them.
pub(super) fn redacted(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return text.to_owned();
    };
    if url.username().is_empty() && url.password().is_none() {
        return text.to_owned();
    }
    // Both fail only for URLs that cannot have a user, and those have none.
    if !url.username().is_empty() {
        let _ = url.set_username(MASK);
    }
    if url.password().is_some() {
        let _ = url.set_password(Some(MASK));
    }
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_passwords_go() {
        for (text, expected) in [
            ("https://a:b@example.com/x", "https://xxxxx:xxxxx@example.com/x"),
            (
                "https://token@example.com/x#main",
                "https://xxxxx@example.com/x#main",
            ),
            ("http://:pw@proxy:3128/", "http://:xxxxx@proxy:3128/"),
            ("https://example.com", "https://example.com"),
            ("git@example.com:a/b", "git@example.com:a/b"),
            ("moon", "moon"),
        ] {
            assert_eq!(redacted(text), expected);
        }
    }
}
