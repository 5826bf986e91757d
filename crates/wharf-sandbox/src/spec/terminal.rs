//! How large a terminal is.

use serde::{Deserialize, Serialize};

/// A terminal's size in characters, as the process finds it when it begins; zeros: nobody knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}
