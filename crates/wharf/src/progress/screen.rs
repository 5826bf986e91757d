//! The lines at the bottom of a terminal that change: one for each piece of work, the total below; and the lines above that stay.

use std::time::Duration;

use console::{Term, strip_ansi_codes, truncate_str};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How often clocks and spinners move.
const TICK: Duration = Duration::from_millis(120);

/// Cells that stay free beside a title, for spinner and clock.
const BESIDE: usize = 10;

/// What is drawn again and again.
pub(super) struct Screen {
    lines: MultiProgress,
    total: ProgressBar,
}

impl Screen {
    pub(super) fn new() -> Self {
        let lines = MultiProgress::new();
        let total = lines.add(bar("{msg} {elapsed:.dim}"));
        total.set_message("building");
        total.enable_steady_tick(TICK);
        Self { lines, total }
    }

    /// A line for work that goes on, with a clock.
    pub(super) fn work(&self, title: &str) -> Work {
        let bar = self
            .lines
            .insert_before(&self.total, bar("{spinner:.blue} {prefix} {elapsed:.dim}{msg}"));
        let work = Work(bar);
        work.set(title, &[]);
        work.0.enable_steady_tick(TICK);
        work
    }

    /// A line that stays.
    pub(super) fn line(&self, text: &str) {
        // A terminal that went away is no reason to stop a build.
        let _ = self.lines.println(fit(text, width()));
    }

    /// What is said of the whole build.
    pub(super) fn total(&self, text: String) {
        self.total.set_message(text);
    }

    /// Takes away what is not to stay.
    pub(super) fn clear(&self) {
        self.total.finish_and_clear();
        let _ = self.lines.clear();
    }
}

/// A piece of work's line, gone when dropped.
pub(super) struct Work(ProgressBar);

impl Work {
    /// Shows a title, and below it lines of output.
    pub(super) fn set(&self, title: &str, output: &[String]) {
        let width = width();
        self.0.set_prefix(fit(title, width.saturating_sub(BESIDE)));
        let lines = output
            .iter()
            .map(|line| format!("\n    {}", fit(line, width.saturating_sub(5))));
        self.0.set_message(lines.collect::<String>());
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn bar(template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    ProgressBar::new_spinner().with_style(style)
}

/// Cells in a line of the terminal as it is now.
fn width() -> usize {
    usize::from(Term::stderr().size().1)
}

/// A text on one line of so many cells, without anything that a terminal obeys.
fn fit(text: &str, cells: usize) -> String {
    let text = strip_ansi_codes(text);
    let shown: String = text
        .chars()
        .map(|c| if c == '\t' { ' ' } else { c })
        .filter(|c| !c.is_control())
        .collect();
    truncate_str(&shown, cells, "…").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_that_the_terminal_does_not_obey() {
        for (text, cells, shown) in [
            ("short", 10, "short"),
            ("a longer one", 6, "a lon…"),
            ("한국어", 5, "한국…"),
            ("\x1b[31mred\x1b[0m \x1b[2Jcleared\x07", 20, "red cleared"),
            ("a\tb\x08c", 10, "a bc"),
        ] {
            assert_eq!(fit(text, cells), shown, "{text:?}");
        }
    }
}
