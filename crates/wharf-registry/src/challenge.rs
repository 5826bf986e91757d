//! What a registry asks for in `WWW-Authenticate`.
//!
//! RFC 9110, section 11.6.1; distribution's token authentication specification. One header may hold several challenges
//! separated by the same commas that separate parameters, so this is read by a grammar and not by splitting.

use std::collections::BTreeMap;

use wharf_http::{HeaderMap, header::WWW_AUTHENTICATE};

/// How a registry wants to be shown who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// A token of the server `realm`.
    Bearer {
        /// The URL of the token server.
        realm: String,
        /// What the registry calls itself there; may be empty.
        service: String,
    },
    /// User name and password.
    Basic,
}

/// The challenge to answer: a token is liked better than a password. `None` if neither is asked for.
pub(crate) fn of(headers: &HeaderMap) -> Option<Challenge> {
    let texts = headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let all: Vec<Challenge> = texts.flat_map(parse).collect();
    let bearer = all
        .iter()
        .find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
    bearer.or(all.first()).cloned()
}

fn parse(text: &str) -> Vec<Challenge> {
    let mut reader = Reader(text);
    let mut found = Vec::new();
    while let Some(scheme) = reader.scheme() {
        let parameters = reader.parameters();
        found.extend(challenge(scheme, parameters));
    }
    found
}

fn challenge(scheme: &str, mut parameters: BTreeMap<String, String>) -> Option<Challenge> {
    let mut take = |name: &str| parameters.remove(name).unwrap_or_default();
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    let realm = take("realm");
    let is_bearer = scheme.eq_ignore_ascii_case("bearer") && !realm.is_empty();
    is_bearer.then(|| Challenge::Bearer {
        realm,
        service: take("service"),
    })
}

/// What is left of a header's text.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn skip_separators(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t', ',']);
    }

    fn token(&mut self) -> &'a str {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.0.find(|c| !is_token(c)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        token
    }

    fn scheme(&mut self) -> Option<&'a str> {
        self.skip_separators();
        let scheme = self.token();
        (!scheme.is_empty()).then_some(scheme)
    }

    /// The parameters up to the next scheme: a word that no `=` follows.
    fn parameters(&mut self) -> BTreeMap<String, String> {
        let mut parameters = BTreeMap::new();
        loop {
            self.skip_separators();
            let before = self.0;
            let name = self.token();
            let Some(value) = self.0.trim_start().strip_prefix('=') else {
                self.0 = before;
                return parameters;
            };
            self.0 = value.trim_start();
            let value = self.value();
            parameters.insert(name.to_ascii_lowercase(), value);
        }
    }

    fn value(&mut self) -> String {
        let Some(quoted) = self.0.strip_prefix('"') else {
            return self.token().to_owned();
        };
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.0 = &quoted[at + 1..];
                    return value;
                }
                '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
                c => value.push(c),
            }
        }
        self.0 = "";
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: &str) -> Challenge {
        let [realm, service] = [realm, service].map(str::to_owned);
        Challenge::Bearer { realm, service }
    }

    #[test]
    fn challenges_as_registries_write_them() {
        let token = "https://auth.example.test/token";
        for (text, expected) in [
            ("Basic realm=\"Registry\"", vec![Challenge::Basic]),
            (
                "Bearer realm=\"https://auth.example.test/token\",service=\"r.example.test\",scope=\"repository:a/b:pull,push\"",
                vec![bearer(token, "r.example.test")],
            ),
            (
                "bearer Realm = \"https://auth.example.test/token\" , error=\"invalid_token\"",
                vec![bearer(token, "")],
            ),
            (
                "Negotiate, Basic realm=\"a, b\", Bearer realm=x, service=\"say \\\"hi\\\"\"",
                vec![Challenge::Basic, bearer("x", "say \"hi\"")],
            ),
            ("Bearer service=x", vec![]),
            ("Bearer realm=\"unterminated", vec![bearer("unterminated", "")]),
            ("", vec![]),
            ("=,=", vec![]),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_token_is_preferred() {
        let mut headers = HeaderMap::new();
        for text in ["Basic realm=x", "Bearer realm=y"] {
            headers.append(WWW_AUTHENTICATE, text.parse().unwrap());
        }
        assert_eq!(of(&headers), Some(bearer("y", "")));
    }
}
