//! Contents on their way out: what the store has is checked once more, since nobody will do so where it goes.

use std::io::{self, BufReader, Read, Write};

use wharf_store::BlobError;

/// How much is read at a time.
const PIECE: usize = 128 << 10;

/// Copies a content to its end. `failed` names what cannot be written.
pub(super) fn copy<E: From<BlobError>>(
    content: &mut dyn Read,
    out: &mut dyn Write,
    failed: impl FnOnce(io::Error) -> E,
) -> Result<(), E> {
    match io::copy(&mut BufReader::with_capacity(PIECE, content), out) {
        Ok(_) => Ok(()),
        Err(error) => Err(told(error, failed)),
    }
}

/// What reading a blob says is wrong with it, or else what `failed` says of the other end.
pub(super) fn told<E: From<BlobError>>(error: io::Error, failed: impl FnOnce(io::Error) -> E) -> E {
    match error.downcast::<BlobError>() {
        Ok(error) => error.into(),
        Err(error) => failed(error),
    }
}
