//! Files of `Name: value` fields: dpkg's status, Python's metadata, machine-readable copyright files.
//!
//! deb-control(5); Python's core metadata is the same but for the body after the first empty line.

/// The fields of one stanza, in order. Values keep their further lines, each without its first blank.
#[derive(Debug, Default)]
pub(crate) struct Stanza {
    fields: Vec<(String, String)>,
}

/// The most that is kept of a value: descriptions are long, and nothing here needs them.
const VALUE_LIMIT: usize = 64 << 10;

impl Stanza {
    /// The first field of this name, in any case of letters.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The first field of exactly this name.
    pub(crate) fn exact(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// All fields of this name, in any case of letters.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let same = move |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        self.fields.iter().filter(same).map(|(_, value)| value.as_str())
    }

    fn line(&mut self, line: &str) {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = self.fields.last_mut()
                && value.len() + line.len() < VALUE_LIMIT
            {
                value.push('\n');
                value.push_str(&line[1..]);
            }
            return;
        }
        if let Some((key, value)) = line.split_once(':') {
            self.fields.push((key.to_owned(), value.trim().to_owned()));
        }
    }
}

/// Calls `take` with each stanza.
pub(crate) fn each(text: &str, mut take: impl FnMut(&Stanza)) {
    let mut stanza = Stanza::default();
    for line in text.lines() {
        if line.trim_end().is_empty() {
            give(&mut stanza, &mut take);
        } else {
            stanza.line(line);
        }
    }
    give(&mut stanza, &mut take);
}

fn give(stanza: &mut Stanza, take: &mut impl FnMut(&Stanza)) {
    if !stanza.fields.is_empty() {
        take(stanza);
        stanza.fields.clear();
    }
}

/// The first stanza: the header of Python's metadata, whose body may hold anything.
pub(crate) fn first(text: &str) -> Stanza {
    let mut stanza = Stanza::default();
    for line in text.lines().take_while(|line| !line.trim_end().is_empty()) {
        stanza.line(line);
    }
    stanza
}
