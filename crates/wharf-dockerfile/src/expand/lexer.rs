//! The reader of words: one pass, no look-ahead but one character.

use super::cursor::Cursor;
use super::error::{ExpandError, ExpandReason};
use super::pattern::{Greed, Pattern};
use super::words::Words;
use super::{Environment, ExpandOptions, Expansion, Quotes, Variables};

/// Deeper nesting of `${…}` than anybody writes, and less than a thread's stack holds.
const MAX_DEPTH: usize = 100;

pub(super) fn run(
    word: &str,
    environment: &Environment<'_>,
    options: ExpandOptions,
) -> Result<Expansion, ExpandError> {
    if !word.contains(['$', '\'', '"', '<', options.escape]) {
        return Ok(literal(word));
    }
    let mut lexer = Lexer {
        cursor: Cursor::new(word),
        environment,
        options,
        variables: Variables::default(),
        depth: 0,
    };
    let mut words = Words::default();
    match lexer.read_until(None, options.keep_escapes, Some(&mut words)) {
        Ok(text) => Ok(Expansion {
            text,
            words: words.finish(),
            variables: lexer.variables,
        }),
        Err(reason) => Err(ExpandError {
            word: word.to_owned(),
            at: lexer.cursor.at(),
            reason,
        }),
    }
}

/// Most words hold nothing to expand.
fn literal(word: &str) -> Expansion {
    let words = word.split_whitespace().map(str::to_owned).collect();
    Expansion {
        text: word.to_owned(),
        words,
        variables: Variables::default(),
    }
}

struct Lexer<'a> {
    cursor: Cursor<'a>,
    environment: &'a Environment<'a>,
    options: ExpandOptions,
    variables: Variables,
    depth: usize,
}

impl Lexer<'_> {
    /// Reads up to the character `stop` and over it; without one, to the end.
    fn read_until(
        &mut self,
        stop: Option<char>,
        keep_escapes: bool,
        mut words: Option<&mut Words>,
    ) -> Result<String, ExpandReason> {
        let outer = std::mem::replace(&mut self.options.keep_escapes, keep_escapes);
        let mut result = String::new();
        let end = loop {
            match self.cursor.peek() {
                None if stop.is_some() => break Err(ExpandReason::MissingBrace),
                None => break Ok(()),
                next if next == stop => {
                    self.cursor.next();
                    break Ok(());
                }
                Some(next) => {
                    if let Err(reason) = self.read_piece(next, &mut result, words.as_deref_mut()) {
                        break Err(reason);
                    }
                }
            }
        };
        self.options.keep_escapes = outer;
        end.map(|()| result)
    }

    /// Reads a quoted part, a variable, or one character.
    fn read_piece(
        &mut self,
        next: char,
        result: &mut String,
        words: Option<&mut Words>,
    ) -> Result<(), ExpandReason> {
        let quotes = self.options.quotes != Quotes::Literal;
        let piece = match next {
            '$' => self.read_dollar()?,
            '<' => self.read_less_than(),
            '\'' if quotes => self.read_single_quoted()?,
            '"' if quotes => self.read_double_quoted()?,
            _ => {
                self.read_plain(result, words);
                return Ok(());
            }
        };
        result.push_str(&piece);
        match words {
            Some(words) if next == '$' => words.extend(&piece),
            Some(words) => words.extend_quoted(&piece),
            None => {}
        }
        Ok(())
    }

    /// One character, or an escaped one. An escape character at the very end vanishes.
    fn read_plain(&mut self, result: &mut String, mut words: Option<&mut Words>) {
        let Some(mut c) = self.cursor.next() else { return };
        let escaped = c == self.options.escape;
        if escaped {
            if self.options.keep_escapes {
                result.push(c);
                if let Some(words) = words.as_deref_mut() {
                    words.push_quoted(c);
                }
            }
            match self.cursor.next() {
                Some(next) => c = next,
                None => return,
            }
        }
        result.push(c);
        match words {
            Some(words) if escaped => words.push_quoted(c),
            Some(words) => words.push(c),
            None => {}
        }
    }

    /// Everything between single quotes is as it is.
    fn read_single_quoted(&mut self) -> Result<String, ExpandReason> {
        self.cursor.next();
        let inner = self.cursor.take_while(|c| c != '\'');
        if !self.cursor.eat('\'') {
            return Err(ExpandReason::UnclosedSingleQuote);
        }
        Ok(if self.options.quotes == Quotes::Keep {
            format!("'{inner}'")
        } else {
            inner.to_owned()
        })
    }

    /// Between double quotes, variables count, and escapes of `"`, `$` and the escape character; other escapes stay.
    fn read_double_quoted(&mut self) -> Result<String, ExpandReason> {
        let escape = self.options.escape;
        let keep_quotes = self.options.quotes == Quotes::Keep;
        let mut result = String::new();
        self.cursor.next();
        if keep_quotes {
            result.push('"');
        }
        loop {
            match self.cursor.peek() {
                None => return Err(ExpandReason::UnclosedDoubleQuote),
                Some('"') => break,
                Some('$') => result.push_str(&self.read_dollar()?),
                Some(c) if c == escape => self.read_escape_in_quotes(&mut result),
                Some(c) => {
                    self.cursor.next();
                    result.push(c);
                }
            }
        }
        self.cursor.next();
        if keep_quotes {
            result.push('"');
        }
        Ok(result)
    }

    fn read_escape_in_quotes(&mut self, result: &mut String) {
        let escape = self.options.escape;
        self.cursor.next();
        if self.options.keep_escapes {
            result.push(escape);
        }
        match self.cursor.peek() {
            None => {}
            Some(c) if c == '"' || c == '$' || c == escape => {
                self.cursor.next();
                result.push(c);
            }
            Some(_) => result.push(escape),
        }
    }

    /// `<<` keeps the white space after it: the name of a heredoc belongs to the operator.
    fn read_less_than(&mut self) -> String {
        self.cursor.next();
        if !self.cursor.eat('<') {
            return "<".to_owned();
        }
        let space = self.cursor.take_while(|c| matches!(c, '\t' | '\r' | ' '));
        format!("<<{space}")
    }

    /// `$name`, `${name}` or `${name…}`.
    fn read_dollar(&mut self) -> Result<String, ExpandReason> {
        self.cursor.next();
        if !self.cursor.eat('{') {
            let name = self.read_name();
            return Ok(match name.as_str() {
                "" => "$".to_owned(),
                name => self.plain_value(name, &format!("${name}")),
            });
        }
        match self.cursor.peek() {
            None => return Err(ExpandReason::MissingBrace),
            Some('{' | '}' | ':') => return Err(ExpandReason::BadSubstitution),
            Some(_) => {}
        }
        if self.depth == MAX_DEPTH {
            return Err(ExpandReason::TooDeep(MAX_DEPTH));
        }
        self.depth += 1;
        let result = self.read_braced();
        self.depth -= 1;
        result
    }

    /// What follows `${`.
    fn read_braced(&mut self) -> Result<String, ExpandReason> {
        let name = self.read_name();
        match self.cursor.next() {
            Some('}') => Ok(self.plain_value(&name, &format!("${{{name}}}"))),
            Some(':') => match self.cursor.next() {
                Some(operator @ ('#' | '%')) => {
                    Err(ExpandReason::UnsupportedModifier(format!(":{operator}")))
                }
                operator => self.read_modified(&name, operator, true),
            },
            Some(operator @ ('+' | '-' | '?' | '#' | '%')) => {
                self.read_modified(&name, Some(operator), false)
            }
            Some('/') => self.read_replaced(&name),
            operator => Err(unsupported(operator, false)),
        }
    }

    /// `${name-word}` and its kin; `colon`: an empty value counts as unset.
    fn read_modified(
        &mut self,
        name: &str,
        operator: Option<char>,
        colon: bool,
    ) -> Result<String, ExpandReason> {
        let is_pattern = matches!(operator, Some('#' | '%'));
        let word = self.read_operand('}', is_pattern, ExpandReason::MissingBrace)?;
        let value = self.look_up(name);
        if self.options.keep_unset && value.is_none() {
            let colon = if colon { ":" } else { "" };
            let operator = operator.map(String::from).unwrap_or_default();
            return Ok(format!("${{{name}{colon}{operator}{word}}}"));
        }
        let given = value.as_ref().is_some_and(|value| !(colon && value.is_empty()));
        let was_set = value.is_some();
        let value = value.unwrap_or_default();
        match operator {
            Some('-') => Ok(if given { value } else { word }),
            Some('+') => Ok(if given { word } else { String::new() }),
            Some('?') if given => Ok(value),
            Some('?') => Err(required(name, word, was_set)),
            Some('#') => strip(&word, '#', |pattern, greed| pattern.strip_prefix(&value, greed)),
            Some('%') => strip(&word, '%', |pattern, greed| pattern.strip_suffix(&value, greed)),
            operator => Err(unsupported(operator, colon)),
        }
    }

    /// `${name/pattern/replacement}` and `${name//pattern/replacement}`.
    fn read_replaced(&mut self, name: &str) -> Result<String, ExpandReason> {
        let all = self.cursor.eat('/');
        let pattern = self.read_operand('/', true, ExpandReason::MissingSlash)?;
        let replacement = self.read_operand('}', true, ExpandReason::MissingBrace)?;
        let value = self.look_up(name);
        if self.options.keep_unset && value.is_none() {
            return Ok(format!("${{{name}/{pattern}/{replacement}}}"));
        }
        let value = value.unwrap_or_default();
        Ok(Pattern::parse(&pattern)?.replace(&value, &replacement, all))
    }

    /// Reads to `stop`. Whatever is wrong at the very end, what is missing is `missing`.
    fn read_operand(
        &mut self,
        stop: char,
        keep_escapes: bool,
        missing: ExpandReason,
    ) -> Result<String, ExpandReason> {
        self.read_until(Some(stop), keep_escapes, None)
            .map_err(|reason| if self.cursor.at_end() { missing } else { reason })
    }

    /// The name of a variable: digits, one special character, or letters, digits and underscores.
    fn read_name(&mut self) -> String {
        match self.cursor.peek() {
            Some(c) if c.is_ascii_digit() => self.cursor.take_while(|c| c.is_ascii_digit()).to_owned(),
            Some(c @ ('@' | '*' | '#' | '?' | '-' | '$' | '!')) => {
                self.cursor.next();
                c.to_string()
            }
            _ => self
                .cursor
                .take_while(|c| c.is_alphabetic() || c.is_ascii_digit() || c == '_')
                .to_owned(),
        }
    }

    /// The value of a variable; if it has none, nothing, or what was written.
    fn plain_value(&mut self, name: &str, written: &str) -> String {
        match self.look_up(name) {
            Some(value) => value,
            None if self.options.keep_unset => written.to_owned(),
            None => String::new(),
        }
    }

    fn look_up(&mut self, name: &str) -> Option<String> {
        let value = (self.environment)(name);
        let names = if value.is_some() {
            &mut self.variables.set
        } else {
            &mut self.variables.unset
        };
        names.insert(name.to_owned());
        value
    }
}

fn unsupported(operator: Option<char>, colon: bool) -> ExpandReason {
    let operator = operator.unwrap_or(char::REPLACEMENT_CHARACTER);
    let colon = if colon { ":" } else { "" };
    ExpandReason::UnsupportedModifier(format!("{colon}{operator}"))
}

fn required(name: &str, word: String, was_set: bool) -> ExpandReason {
    let message = match (word.is_empty(), was_set) {
        (false, _) => word,
        (true, true) => "is not allowed to be empty".to_owned(),
        (true, false) => "is not allowed to be unset".to_owned(),
    };
    ExpandReason::Required {
        name: name.to_owned(),
        message,
    }
}

/// A doubled operator (`##`, `%%`) strips the longest match.
fn strip(
    word: &str,
    operator: char,
    apply: impl FnOnce(&Pattern, Greed) -> String,
) -> Result<String, ExpandReason> {
    let (pattern, greed) = match word.strip_prefix(operator) {
        Some(pattern) => (pattern, Greed::Longest),
        None => (word, Greed::Shortest),
    };
    Ok(apply(&Pattern::parse(pattern)?, greed))
}
