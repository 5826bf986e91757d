//! The patterns of `${x#p}`, `${x%p}` and `${x/p/r}`: `*` and `?`, and escapes of `*`, `?` and `\`.

use super::error::ExpandReason;

/// How much a `*` takes when there is a choice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Greed {
    Shortest,
    Longest,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Item {
    Literal(char),
    AnyChar,
    /// A `*`, and how many stand before it.
    AnyText(usize),
}

/// A compiled pattern.
pub(super) struct Pattern {
    items: Vec<Item>,
}

impl Pattern {
    pub(super) fn parse(pattern: &str) -> Result<Self, ExpandReason> {
        let mut items = Vec::with_capacity(pattern.len());
        let mut stars = 0;
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            items.push(match c {
                '*' if matches!(items.last(), Some(Item::AnyText(_))) => continue,
                '*' => {
                    stars += 1;
                    Item::AnyText(stars - 1)
                }
                '?' => Item::AnyChar,
                // These two are escaped because of the substitution around the pattern, not within it.
                '\\' if matches!(chars.peek(), Some('}' | '/')) => continue,
                '\\' => match chars.next() {
                    Some(escaped @ ('*' | '?' | '\\')) => Item::Literal(escaped),
                    escaped => return Err(invalid(pattern, escaped)),
                },
                _ => Item::Literal(c),
            });
        }
        Ok(Self { items })
    }

    /// `value` without the prefix that matches.
    pub(super) fn strip_prefix(&self, value: &str, greed: Greed) -> String {
        let chars: Vec<char> = value.chars().collect();
        let end = Match::new(&self.items, &chars, greed).end_from(0).unwrap_or(0);
        chars[end..].iter().collect()
    }

    /// `value` without the suffix that matches.
    pub(super) fn strip_suffix(&self, value: &str, greed: Greed) -> String {
        let items: Vec<Item> = self.items.iter().rev().copied().collect();
        let chars: Vec<char> = value.chars().rev().collect();
        let end = Match::new(&items, &chars, greed).end_from(0).unwrap_or(0);
        chars[end..].iter().rev().collect()
    }

    /// `value` with the first match, or every match, replaced. An empty match right after another match does not count.
    pub(super) fn replace(&self, value: &str, replacement: &str, all: bool) -> String {
        let chars: Vec<char> = value.chars().collect();
        let mut matcher = Match::new(&self.items, &chars, Greed::Longest);
        let mut result = String::with_capacity(value.len());
        let mut copied = 0;
        let mut from = 0;
        let mut last_end = None;
        while let Some((start, end)) = matcher.find(from) {
            result.extend(&chars[copied..start]);
            if start != end || last_end != Some(end) {
                result.push_str(replacement);
            }
            copied = end;
            last_end = Some(end);
            from = if start == end { end + 1 } else { end };
            if !all {
                break;
            }
        }
        result.extend(&chars[copied..]);
        result
    }
}

fn invalid(pattern: &str, escaped: Option<char>) -> ExpandReason {
    let escaped = escaped.unwrap_or(char::REPLACEMENT_CHARACTER);
    ExpandReason::InvalidPattern {
        pattern: pattern.to_owned(),
        escaped,
    }
}

/// One search. Remembers from where each `*` was tried, so that it takes time items × characters at most.
struct Match<'a> {
    items: &'a [Item],
    chars: &'a [char],
    greed: Greed,
    tried: Vec<bool>,
}

impl<'a> Match<'a> {
    fn new(items: &'a [Item], chars: &'a [char], greed: Greed) -> Self {
        let stars = items
            .iter()
            .filter(|item| matches!(item, Item::AnyText(_)))
            .count();
        Self {
            items,
            chars,
            greed,
            tried: vec![false; stars * (chars.len() + 1)],
        }
    }

    /// The leftmost match that starts at `from` or later.
    fn find(&mut self, from: usize) -> Option<(usize, usize)> {
        self.tried.fill(false);
        (from..=self.chars.len()).find_map(|start| Some((start, self.end_from(start)?)))
    }

    /// Where the match that starts at `start` ends. Alternatives are tried in the order that a backtracking regular
    /// expression tries them, on a stack of its own.
    fn end_from(&mut self, start: usize) -> Option<usize> {
        let mut untried = vec![(0, start)];
        while let Some((item, at)) = untried.pop() {
            if item == self.items.len() {
                return Some(at);
            }
            let next = self.chars.get(at).copied();
            match (self.items[item], next) {
                (Item::Literal(wanted), Some(c)) if c == wanted => untried.push((item + 1, at + 1)),
                // As in a regular expression, a wildcard is not a line end.
                (Item::AnyChar, Some(c)) if c != '\n' => untried.push((item + 1, at + 1)),
                (Item::AnyText(star), next) => {
                    let mark = star * (self.chars.len() + 1) + at;
                    if std::mem::replace(&mut self.tried[mark], true) {
                        continue;
                    }
                    let stop = Some((item + 1, at));
                    let go_on = next.filter(|&c| c != '\n').map(|_| (item, at + 1));
                    match self.greed {
                        Greed::Longest => untried.extend([stop, go_on].into_iter().flatten()),
                        Greed::Shortest => untried.extend([go_on, stop].into_iter().flatten()),
                    }
                }
                _ => {}
            }
        }
        None
    }
}
