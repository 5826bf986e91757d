//! The ways to make a root, best first.

use std::str::FromStr;

use serde::Serialize;

/// A way to make a root for a process, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// A tree served by FUSE, below an overlay.
    Fuse,
    /// An overlay over a checkout of the tree.
    Overlay,
    /// A private copy of the tree, in namespaces.
    Copy,
    /// A private copy of the tree, in nothing but a chroot.
    Chroot,
}

/// The name is none of fuse, overlay, copy, chroot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown sandbox `{0}`: fuse, overlay, copy or chroot")]
pub struct UnknownRung(String);

impl FromStr for Rung {
    type Err = UnknownRung;

    fn from_str(name: &str) -> Result<Self, UnknownRung> {
        match name {
            "fuse" => Ok(Rung::Fuse),
            "overlay" => Ok(Rung::Overlay),
            "copy" => Ok(Rung::Copy),
            "chroot" => Ok(Rung::Chroot),
            other => Err(UnknownRung(other.to_owned())),
        }
    }
}
