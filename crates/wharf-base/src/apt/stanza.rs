//! The paragraphs in which Debian writes everything down: control files, indexes, sources.
//!
//! deb822(5): `Name: value` lines, continuation lines that begin with a blank, paragraphs separated by empty lines, comments
//! that begin with `#`.

/// A paragraph.
#[derive(Debug, Clone, Copy)]
pub struct Stanza<'a>(&'a str);

/// The paragraphs of a text, in order; empty ones are left out.
pub fn stanzas(text: &str) -> impl Iterator<Item = Stanza<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (stanza, after) = split_stanza(rest)?;
            rest = after;
            if stanza
                .lines()
                .any(|line| !line.trim().is_empty() && !line.starts_with('#'))
            {
                return Some(Stanza(stanza));
            }
        }
    })
}

fn split_stanza(text: &str) -> Option<(&str, &str)> {
    if text.is_empty() {
        return None;
    }
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() {
            return Some((&text[..end], &text[end + line.len()..]));
        }
        end += line.len();
    }
    Some((text, ""))
}

impl<'a> Stanza<'a> {
    /// The fields in order: name, and value with its continuation lines (each still begun by its blank), without comments'
    /// lines being taken for either. Lines that are no field are left out.
    pub fn fields(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            while !rest.is_empty() {
                let end = field_end(rest);
                let (field, after) = rest.split_at(end);
                rest = after;
                if let Some((name, value)) = field.split_once(':')
                    && !name.starts_with(['#', ' ', '\t'])
                {
                    return Some((name, value.trim()));
                }
            }
            None
        })
    }

    /// The paragraph as it stands, without the empty line after it.
    pub const fn text(self) -> &'a str {
        self.0
    }

    /// The value of a field, whatever the case of its name. A continuation's lines are part of it.
    pub fn get(self, name: &str) -> Option<&'a str> {
        self.fields()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The words of a field, none if it is not there.
    pub fn words(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.get(name).unwrap_or_default().split_whitespace()
    }

    /// Whether a field says yes, in one of the words that apt takes for it.
    pub fn says_yes(self, name: &str) -> Option<bool> {
        self.get(name)
            .map(|value| ["yes", "true", "with", "on", "enable", "1"].contains(&value))
    }
}

/// Where the first field of `text` ends: before the first line that does not continue it.
fn field_end(text: &str) -> usize {
    let mut end = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if number > 0 && !line.starts_with([' ', '\t']) {
            break;
        }
        end += line.len();
    }
    end
}

/// The lines of a continued value: of each, what stands after its blank, with ` .` for an empty line.
pub fn continued_lines(value: &str) -> impl Iterator<Item = &str> {
    value
        .lines()
        .map(|line| match line.strip_prefix([' ', '\t']).unwrap_or(line) {
            "." => "",
            line => line,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "\n# leading\nPackage: a\nDescription: short\n long\n .\n more\n\n\nPackage: b\n# note\nsize: 3\n";

    #[test]
    fn splits_paragraphs_and_fields() {
        let all: Vec<_> = stanzas(TEXT).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].get("package"), Some("a"));
        let description = all[0].get("Description").unwrap();
        assert_eq!(
            continued_lines(description).collect::<Vec<_>>(),
            ["short", "long", "", "more"]
        );
        assert_eq!(all[1].get("Size"), Some("3"));
        assert_eq!(all[1].fields().count(), 2);
    }

    #[test]
    fn odd_texts_are_no_fields() {
        for text in ["", "\n\n", "# only\n", " lost\n", "no colon"] {
            assert_eq!(stanzas(text).flat_map(Stanza::fields).count(), 0, "{text:?}");
        }
    }
}
