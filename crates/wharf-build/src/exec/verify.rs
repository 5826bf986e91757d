//! `--verify-cache`: reused steps run again, and what they give is compared with what was reused.

use std::str::FromStr;

use super::{Engine, StepFailure, differing::differing};
use crate::root::Root;

/// Files in which package managers write when they ran, or the times and inode numbers of others. Two runs of one step differ in
/// them, and they are left out of the comparison. A test fails when one of them is not needed any more.
pub const SELF_DATED: &[&str] = &[
    "/var/cache/apt/pkgcache.bin",
    "/var/cache/apt/srcpkgcache.bin",
    "/var/cache/ldconfig/aux-cache",
    "/var/log/alternatives.log",
    "/var/log/apt/history.log",
    "/var/log/apt/term.log",
    "/var/log/dpkg.log",
];

/// Enough paths to see what happened.
const SHOWN: usize = 10;

/// A share of the reused steps: 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(u8);

/// Not a percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a number from 1 to 100")]
pub struct NotAPercentage;

impl FromStr for Percent {
    type Err = NotAPercentage;

    fn from_str(text: &str) -> Result<Self, NotAPercentage> {
        match text.strip_suffix('%').unwrap_or(text).parse() {
            Ok(percent @ 1..=100) => Ok(Self(percent)),
            _ => Err(NotAPercentage),
        }
    }
}

impl Percent {
    /// Whether the next step is one of them.
    pub(super) fn draws(self) -> bool {
        fastrand::u8(0..100) < self.0
    }
}

impl Engine {
    /// Fails with the paths in which two roots differ, times aside.
    pub(super) fn compare_roots(&self, reused: &Root, ran: &Root) -> Result<(), StepFailure> {
        if reused.tree == ran.tree {
            return Ok(());
        }
        let (reused, ran) = (self.roots.tree(reused)?, self.roots.tree(ran)?);
        let mut paths: Vec<String> = differing(&reused.root, &ran.root)
            .iter()
            .map(|(path, _)| path.to_string())
            .collect();
        if paths.is_empty() {
            let links = reused.links.0.iter().chain(&ran.links.0);
            paths.extend(links.flatten().map(ToString::to_string));
        }
        paths.retain(|path| !SELF_DATED.contains(&&path[..]));
        if paths.is_empty() {
            return Ok(());
        }
        Err(StepFailure::CacheDiffers {
            count: paths.len(),
            paths: paths.into_iter().take(SHOWN).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages() {
        for (text, expected) in [
            ("1", Some(1)),
            ("100", Some(100)),
            ("50%", Some(50)),
            ("0", None),
            ("101", None),
            ("x", None),
        ] {
            assert_eq!(text.parse().ok(), expected.map(Percent), "{text}");
        }
        assert!((0..1000).all(|_| Percent(100).draws()));
    }
}
