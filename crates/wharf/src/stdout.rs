//! Standard output: data for people and scripts. A reader that goes away early ends the command, quietly.

use std::{
    fmt,
    io::{self, Write as _},
    process,
};

/// Writes one line. `println!` would panic when a pipe's reader is gone (`wharf inspect x | head`).
pub(crate) fn line(text: fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "{text}") {
        process::exit(i32::from(error.kind() != io::ErrorKind::BrokenPipe));
    }
}

/// `println!` by way of [`line()`].
macro_rules! out {
    ($($text:tt)*) => {
        crate::stdout::line(format_args!($($text)*))
    };
}

pub(crate) use out;
