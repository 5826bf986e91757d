//! Roots that have answered a path set before: where the new ones differ from them in nothing that was asked about, the answers are
//! the same, and so are the times that the result remembers. Nothing has to be looked up in the part that did not change, which is
//! nearly all of it.

use serde::{Deserialize, Serialize};
use wharf_oci::Digest;
use wharf_store::{ActionKey, ActionResult, LayerId, MemoKey, TreeError};
use wharf_tree::readset::{self, Changes};

use super::{Engine, StepFailure, traced::Family};
use crate::root::{Layers, Root};

/// What is remembered of a path set of a family in a lane.
#[derive(Debug, Serialize, Deserialize)]
struct Answered {
    /// The layers of each root that was asked.
    roots: Vec<Vec<LayerId>>,
    /// The strong key that their answers make.
    key: ActionKey,
    /// What the result under it remembers, times included: those that these roots have.
    reads: Digest,
}

impl Engine {
    /// The result that stands on the family's roots as they are, because those do not differ from roots on which it stands in anything
    /// that its step asked about.
    pub(super) fn answered_before(
        &self,
        family: &Family,
        set: Digest,
    ) -> Result<Option<ActionResult>, StepFailure> {
        let Some(before) = self.store.memo::<Answered>(&question(family, &set))? else {
            return Ok(None);
        };
        let result = self.store.result(&before.key)?;
        let Some(result) = result.filter(|result| result.read_set == Some(before.reads)) else {
            return Ok(None);
        };
        let (Some(changes), Some(bytes)) = (
            self.changes_since(&before.roots, family)?,
            self.store.path_set(&set)?,
        ) else {
            return Ok(None);
        };
        let untouched = readset::touched(&bytes, &changes) == Ok(false);
        Ok(untouched.then_some(result))
    }

    /// Remembers that these roots answered the set as `result`, under its strong key, says, and have the times that it remembers.
    pub(super) fn remember_answers(
        &self,
        family: &Family,
        set: Digest,
        result: &ActionResult,
        roots: Vec<Root>,
    ) -> Result<(), StepFailure> {
        let layers = roots.into_iter().map(|root| match root.layers {
            Layers::Stored(layers) => Some(layers),
            Layers::InMemory(_) => None,
        });
        if let (Some(roots), Some(reads)) = (layers.collect(), result.read_set) {
            let key = result.key;
            let answered = Answered { roots, key, reads };
            // The layers are not kept for it: without them everything is looked up again.
            self.store.set_memo(&question(family, &set), &answered, &[])?;
        }
        Ok(())
    }

    /// What differs between roots of these layers and the family's. `None` when that cannot be said, or is too much.
    fn changes_since(
        &self,
        before: &[Vec<LayerId>],
        family: &Family,
    ) -> Result<Option<Vec<Changes>>, StepFailure> {
        let trees = family.trees();
        if trees.len() != before.len() {
            return Ok(None);
        }
        let mut changes = Vec::new();
        for (layers, tree) in before.iter().zip(trees) {
            if !self.has_layers(layers)? {
                return Ok(None);
            }
            let before = match self.roots.of_layers(layers) {
                Ok(before) => before,
                Err(TreeError::Store(error)) => return Err(error.into()),
                Err(_) => return Ok(None),
            };
            match Changes::between(&before, tree) {
                Some(between) => changes.push(between),
                None => return Ok(None),
            }
        }
        Ok(Some(changes))
    }
}

fn question(family: &Family, set: &Digest) -> MemoKey {
    let parts = [family.key().0, family.lane().0, *set];
    MemoKey::new(
        "answered 1",
        &parts.each_ref().map(|part| part.as_bytes().as_slice()),
    )
}
