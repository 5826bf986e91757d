//! Wildcards of COPY and ADD sources: Go's `filepath.Match` over a tree.

use crate::{path::TreePath, tree::Tree};

/// A pattern that cannot match anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid pattern")]
pub struct GlobError(pub String);

/// Whether `name` matches `pattern`, by Go's `filepath.Match`: `*`, `?`, `[…]`, `\`; no wildcard matches `/`.
pub fn matches(pattern: &[u8], name: &[u8]) -> Result<bool, GlobError> {
    let _ = (pattern, name);
    unimplemented!()
}

/// Paths in `tree` that match `pattern`, sorted; links in the components above the last are resolved.
pub fn expand(tree: &Tree, pattern: &[u8]) -> Result<Vec<TreePath>, GlobError> {
    let _ = (tree, pattern);
    unimplemented!()
}
