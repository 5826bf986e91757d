//! What people see while a build works: readers of the event stream, one for each `--progress`.

mod line_buffer;
mod plain;
mod raw;
mod reason;
mod running;
mod screen;
mod steps;
mod summary;
mod terminal;
mod warning;

use std::{
    env,
    io::{self, IsTerminal as _, Write},
};

use wharf_graph::event::Record;

use crate::args::build::ProgressMode;

pub(crate) use reason::{because, cached, changed};
pub(crate) use steps::StepTitles;
pub(crate) use summary::Summary;
pub(crate) use warning::lines_of as warning_lines;

/// Shows records as they come. Called from several threads at once, in no particular order between steps.
pub(crate) trait Display: Send + Sync {
    /// Shows one record.
    fn show(&self, record: &Record);

    /// Leaves the screen as it is to stay.
    fn finish(&self) {}
}

/// The display that `mode` asks for; it writes to standard error, and `rawjson` too, as buildx does.
pub(crate) fn display(mode: ProgressMode) -> Box<dyn Display> {
    // What is redrawn needs a terminal that can move its cursor.
    let is_terminal = io::stderr().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb");
    match mode {
        ProgressMode::Quiet => Box::new(Silent),
        ProgressMode::Rawjson => Box::new(raw::RawJson::new(stderr())),
        ProgressMode::Auto | ProgressMode::Tty if is_terminal => Box::new(terminal::Terminal::new()),
        ProgressMode::Auto | ProgressMode::Tty | ProgressMode::Plain => Box::new(plain::Plain::new(stderr())),
    }
}

type Sink = Box<dyn Write + Send>;

fn stderr() -> Sink {
    Box::new(io::stderr())
}

/// Shows nothing.
struct Silent;

impl Display for Silent {
    fn show(&self, _: &Record) {}
}
