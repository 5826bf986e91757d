//! `--chmod`: octal and symbolic modes.

/// A change of permissions, parsed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModeChange(String);

/// Text that is no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a mode (octal like 0755, or symbolic like u+x,go-w)")]
pub struct ModeError(pub String);

impl std::str::FromStr for ModeChange {
    type Err = ModeError;
    fn from_str(text: &str) -> Result<Self, ModeError> {
        Ok(Self(text.to_owned()))
    }
}

impl ModeChange {
    /// The mode (twelve bits) that a file or directory of mode `mode` gets.
    pub fn apply(&self, mode: u16, is_dir: bool) -> u16 {
        let _ = (mode, is_dir);
        unimplemented!()
    }
}
