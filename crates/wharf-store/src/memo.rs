//! Memos: small answers that are dear to compute, by a key that says the whole question.

use serde::{Serialize, de::DeserializeOwned};
use wharf_oci::Digest;

use crate::{error::StoreError, root::Root, store::Store};

/// Names a question: its kind and everything that its answer depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemoKey(Digest);

impl MemoKey {
    /// The key of a question of this `kind` (`layer-blob`, `diff-id`) about these parts, in this order.
    pub fn new(_kind: &str, _parts: &[&[u8]]) -> Self {
        unimplemented!()
    }
}

impl Store {
    /// The answer under `key`; one that is damaged or of another shape is none. What it holds stays until this handle is dropped.
    pub fn memo<T: DeserializeOwned>(&self, _key: &MemoKey) -> Result<Option<T>, StoreError> {
        unimplemented!()
    }

    /// Keeps an answer, together with the objects that it names: they are kept as long as the memo is.
    pub fn set_memo<T: Serialize>(
        &self,
        _key: &MemoKey,
        _answer: &T,
        _roots: &[Root],
    ) -> Result<(), StoreError> {
        unimplemented!()
    }
}
