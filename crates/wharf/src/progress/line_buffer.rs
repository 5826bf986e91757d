//! A process's output cut into lines: chunks end anywhere, also inside a character.

/// Collects bytes and gives whole lines.
#[derive(Debug, Default)]
pub(super) struct LineBuffer(Vec<u8>);

/// A line longer than this is given in parts.
const LONGEST: usize = 16 << 10;

impl LineBuffer {
    /// Adds a chunk and gives the lines that are complete now, without their ends. What follows the last carriage return counts: a
    /// progress bar is its last state.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Vec<String> {
        self.0.extend_from_slice(chunk);
        let mut lines = Vec::new();
        while let Some(end) = self.end_of_line() {
            let line: Vec<u8> = self.0.drain(..end).collect();
            if self.0.first() == Some(&b'\n') {
                self.0.remove(0);
            }
            lines.push(text(&line));
        }
        lines
    }

    /// What is left when the output ends.
    pub(super) fn take_rest(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.0);
        (!rest.is_empty()).then(|| text(&rest))
    }

    /// What came of a line that has not ended yet.
    pub(super) fn rest(&self) -> Option<String> {
        let rest = text(&self.0);
        (!rest.is_empty()).then_some(rest)
    }

    fn end_of_line(&self) -> Option<usize> {
        let newline = self.0.iter().position(|byte| *byte == b'\n');
        newline.or_else(|| (self.0.len() >= LONGEST).then_some(LONGEST))
    }
}

fn text(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_end_matches('\r');
    line.rsplit('\r').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole() {
        let mut buffer = LineBuffer::default();
        assert_eq!(buffer.push(b"a\nb"), ["a"]);
        assert_eq!(buffer.push(b"c\r\n10%\r20%\n\n"), ["bc", "20%", ""]);
        assert_eq!(buffer.push(b"end"), [""; 0]);
        assert_eq!(buffer.rest().as_deref(), Some("end"));
        assert_eq!(buffer.take_rest().as_deref(), Some("end"));
        assert_eq!(buffer.take_rest(), None);
    }
}
