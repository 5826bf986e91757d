//! Splitting into words while expanding.

/// Collects words: white space parts them unless it was quoted.
#[derive(Default)]
pub(super) struct Words {
    done: Vec<String>,
    current: String,
}

impl Words {
    /// A character that parts words if it is white space.
    pub(super) fn push(&mut self, c: char) {
        if c.is_whitespace() {
            self.close();
        } else {
            self.current.push(c);
        }
    }

    /// A character of a word, whatever it is.
    pub(super) fn push_quoted(&mut self, c: char) {
        self.current.push(c);
    }

    /// Text that may part words: a variable's value.
    pub(super) fn extend(&mut self, text: &str) {
        text.chars().for_each(|c| self.push(c));
    }

    /// Text of a word, whatever is in it.
    pub(super) fn extend_quoted(&mut self, text: &str) {
        self.current.push_str(text);
    }

    pub(super) fn finish(mut self) -> Vec<String> {
        self.close();
        self.done
    }

    /// Empty words vanish, quoted or not.
    fn close(&mut self) {
        if !self.current.is_empty() {
            self.done.push(std::mem::take(&mut self.current));
        }
    }
}
