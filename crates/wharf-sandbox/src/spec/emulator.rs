//! Programs that run the programs of other processors.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::raw;

/// An emulator and the files that it is for, as binfmt_misc knows them (Documentation/admin-guide/binfmt-misc.rst).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emulator {
    /// A name that no other has: letters, digits, `-` and `_`.
    pub name: String,
    /// How such a file begins.
    pub magic: Vec<u8>,
    /// The bits of it that count; as long as the magic.
    pub mask: Vec<u8>,
    /// The emulator outside: one static program, since nothing else of the machine is seen inside.
    #[serde(with = "raw")]
    pub program: PathBuf,
}
