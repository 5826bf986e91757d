//! Memos: small answers that are dear to compute, by a key that says the whole question.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use wharf_oci::{Digest, Hasher};

use crate::{
    error::StoreError,
    layout::{self, MEMO},
    root::Root,
    store::Store,
};

/// Names a question: its kind and everything that its answer depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemoKey(Digest);

impl MemoKey {
    /// The key of a question of this `kind` (`layer-blob`, `diff-id`) about these parts, in this order.
    pub fn new(kind: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = Hasher::new();
        for part in [kind.as_bytes()].iter().chain(parts) {
            // The length keeps apart what lies on either side of a boundary.
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(hasher.finish())
    }
}

/// What `memo/<key>` holds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Memo<T> {
    pub(crate) answer: T,
    pub(crate) roots: Vec<Root>,
}

impl Store {
    /// The answer under `key`; one that is damaged or of another shape is none. What it names stays until this handle is
    /// dropped.
    pub fn memo<T: DeserializeOwned>(&self, key: &MemoKey) -> Result<Option<T>, StoreError> {
        let found: Option<Memo<T>> = self.look_up(&layout::object(MEMO, &key.0))?;
        Ok(found.map(|memo| memo.answer))
    }

    /// Keeps an answer, together with the objects that it names: they are kept as long as the memo is.
    pub fn set_memo<T: Serialize>(
        &self,
        key: &MemoKey,
        answer: &T,
        roots: &[Root],
    ) -> Result<(), StoreError> {
        self.write_record(
            &layout::object(MEMO, &key.0),
            &Memo {
                answer,
                roots: roots.to_vec(),
            },
        )
    }
}
