//! Merkle trees: merge, graft, diff, look-up, tar and encoding.
