//! The characters of paths and patterns.

/// A character, or a byte that belongs to none: those count as characters of their own.
pub(super) type Unit = u32;

/// Bytes that are not UTF-8 stand above all characters.
const INVALID: Unit = 0x11_0000;

/// Characters in order.
pub(super) trait Units: Iterator<Item = Unit> {}

impl<I: Iterator<Item = Unit>> Units for I {}

/// The characters of a path.
pub(super) fn units(bytes: &[u8]) -> impl Units {
    bytes.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid().chars().map(Unit::from);
        valid.chain(chunk.invalid().iter().map(|byte| INVALID + Unit::from(*byte)))
    })
}
