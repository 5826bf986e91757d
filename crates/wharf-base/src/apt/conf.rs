//! apt's own configuration, as far as it says something about archives.
//!
//! apt.conf(5): `Scope::Name "value";`, nested `Scope { Name "value"; };`, comments `//`, `#` and `/* */`. Lists (values
//! without a name) are read over. `#include` and `#clear` are not followed: distributions do not use them.

use std::collections::BTreeMap;

/// Settings by their full name in lower case (`acquire::check-valid-until`); a later one wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AptConf(BTreeMap<String, String>);

impl AptConf {
    /// Adds the settings of a file's text.
    pub fn read(&mut self, text: &str) {
        let mut scopes: Vec<String> = Vec::new();
        let mut words: Vec<String> = Vec::new();
        for token in tokens(text) {
            match token {
                Token::Word(word) => words.push(word),
                Token::Open => scopes.push(words.drain(..).next().unwrap_or_default()),
                Token::Close => drop(scopes.pop()),
                Token::End => self.assign(&scopes, &mut words),
            }
        }
    }

    fn assign(&mut self, scopes: &[String], words: &mut Vec<String>) {
        if let [name, value] = words.as_slice() {
            let full = scopes
                .iter()
                .chain([name])
                .map(|part| part.to_ascii_lowercase())
                .collect::<Vec<_>>();
            self.0.insert(full.join("::"), value.clone());
        }
        words.clear();
    }

    /// A setting by its full name, in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A setting that is true or false.
    pub fn is_on(&self, name: &str) -> Option<bool> {
        match self.get(name)?.to_ascii_lowercase().as_str() {
            "no" | "false" | "without" | "off" | "disable" | "0" => Some(false),
            "yes" | "true" | "with" | "on" | "enable" | "1" => Some(true),
            _ => None,
        }
    }
}

enum Token {
    Word(String),
    Open,
    Close,
    End,
}

fn tokens(text: &str) -> impl Iterator<Item = Token> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = skip_blanks(rest);
        let first = rest.chars().next()?;
        let (length, token) = match first {
            '{' => (1, Token::Open),
            '}' => (1, Token::Close),
            ';' => (1, Token::End),
            '"' => {
                let end = rest[1..].find('"').map_or(rest.len() - 1, |at| at);
                ((end + 2).min(rest.len()), Token::Word(rest[1..=end].to_owned()))
            }
            _ => {
                let end = rest.find(|letter: char| letter.is_whitespace() || "{};\"".contains(letter));
                let end = end.unwrap_or(rest.len());
                (end, Token::Word(rest[..end].to_owned()))
            }
        };
        rest = &rest[length..];
        Some(token)
    })
}

fn skip_blanks(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        text = if text.starts_with('#') || text.starts_with("//") {
            text.find('\n').map_or("", |end| &text[end..])
        } else if let Some(comment) = text.strip_prefix("/*") {
            comment.find("*/").map_or("", |end| &comment[end + 2..])
        } else {
            return text;
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_flat_and_nested_settings() {
        let mut conf = AptConf::default();
        conf.read("Acquire::Check-Valid-Until \"false\"; // why\n# no\nAPT { Update { Pre-Invoke { \"rm x;\"; }; }; };\n");
        conf.read("/* a */ Acquire { http { Proxy \"http://example.test:3128/\"; }; Retries \"3\"; };");
        assert_eq!(conf.is_on("acquire::check-valid-until"), Some(false));
        assert_eq!(
            conf.get("acquire::http::proxy"),
            Some("http://example.test:3128/")
        );
        assert_eq!(conf.get("acquire::retries"), Some("3"));
    }

    #[test]
    fn broken_text_ends() {
        for text in ["\"", "a \"b", "{{{", "}}", "/*", "a b c;", ";;"] {
            AptConf::default().read(text);
        }
    }
}
