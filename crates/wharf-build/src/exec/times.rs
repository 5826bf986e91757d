//! File times: no key has them, but some files remember those of others (bytecode, make's targets, cargo's fingerprints).
//!
//! So an entry that a COPY makes again unchanged takes the time it had in the last result of the same place; and a RUN is only
//! reused on a root whose files have the times that its result remembers. Where they have others, and come from a COPY that
//! nobody else relies on, the COPY's layer gets the remembered times; else the step runs again, as it does for a file that it
//! did not read and that has another content as well.
//!
//! A RUN that makes again what it made keeps its earlier layer, which is older than the files that had changed. Those become as old as
//! the step that made it, so that nothing is older than what it was made of; but not older, for they may have been edited after
//! another file that the next step compares them with.

use std::collections::{BTreeMap, btree_map::Entry};

use wharf_graph::Op;
use wharf_oci::Digest;
use wharf_solver::Task;
use wharf_store::{ActionResult, LayerId, MemoKey, Root as Kept};
use wharf_tree::{
    Layer, Mtime, Node, TreePath,
    readset::{OtherTime, ReadSet},
};

use super::{
    Engine, StepFailure, StepOutput,
    maker::{Maker, Work},
};
use crate::root::{Layers, Root};

impl Engine {
    /// `layer` with the times of what the same COPY, ADD or WORKDIR made last.
    pub(super) fn with_last_times(
        &self,
        task: &Task<'_, StepOutput>,
        layer: Layer,
    ) -> Result<Layer, StepFailure> {
        let last = self.head(task.step)?.and_then(|result| result.layer);
        Ok(match last {
            // One that is lost or damaged has no times to give.
            Some(last) => match self.store.layer(&last) {
                Ok(last) => layer.with_times_of(&last),
                Err(_) => layer,
            },
            None => layer,
        })
    }

    /// The root on which `result` may stand: `parent`'s, or that with times of copied files put back. `None` when its times
    /// cannot be had.
    pub(super) fn parent_for(
        &self,
        parent: &StepOutput,
        result: &ActionResult,
    ) -> Result<Option<Root>, StepFailure> {
        if result.ran_on == Some(parent.root.layers_digest()) {
            return Ok(Some(parent.root.clone()));
        }
        let Some(reads) = &result.read_set else {
            // Nobody knows what it saw: as with the exact key alone, times do not count.
            return Ok(Some(parent.root.clone()));
        };
        let question = standing_question(parent, reads);
        if let Some(question) = &question
            && let Some(layers) = self.store.memo::<Vec<LayerId>>(question)?
            && self.has_layers(&layers)?
        {
            return Ok(Some(Root {
                layers: Layers::Stored(layers),
                tree: parent.root.tree,
            }));
        }
        // What it saw is lost: it may have been other times.
        let Some(reads) = self.read_set(reads)? else {
            return Ok(None);
        };
        let tree = self.roots.tree(&parent.root)?;
        let others: Vec<OtherTime> = reads.other_times(&[&tree]).collect();
        if others.iter().any(|other| other.edited.is_some()) {
            return Ok(None);
        }
        let stands_on = self.put_back(parent, &others)?;
        if let (Some(question), Some(root)) = (&question, &stands_on) {
            let layers = root.stored();
            let kept: Vec<Kept> = layers.iter().copied().map(Kept::Layer).collect();
            self.store.set_memo(question, &layers, &kept)?;
        }
        Ok(stands_on)
    }

    /// `result`, whose step made what it made for `earlier`, with the layer of that, and the root on which it stands. The files that it
    /// read get the times that they had then; where they cannot be put back, they stay.
    pub(super) fn in_place_of(
        &self,
        task: &Task<'_, StepOutput>,
        result: ActionResult,
        earlier: &ActionResult,
    ) -> Result<(ActionResult, Root), StepFailure> {
        let parent = &task.inputs[0];
        let result = ActionResult {
            layer: earlier.layer,
            ran_at: earlier.ran_at,
            ..result
        };
        if let (Op::Run(_), Some(reads), Some(before)) =
            (&task.step.op, self.reads_of(&result)?, self.reads_of(earlier)?)
        {
            let reads = reads.with_times_of(&before, self.made_files(earlier)?);
            let tree = self.roots.tree(&parent.root)?;
            let others: Vec<OtherTime> = reads.other_times(&[&tree]).collect();
            if let Some(root) = self.put_back(parent, &others)? {
                let result = ActionResult {
                    read_set: Some(self.store.put_path_set(&reads.to_bytes())?),
                    ran_on: Some(root.layers_digest()),
                    ..result
                };
                return Ok((result, root));
            }
        }
        Ok((result, parent.root.clone()))
    }

    /// When the step of a result began to make files; `None` if it made none.
    fn made_files(&self, result: &ActionResult) -> Result<Option<Mtime>, StepFailure> {
        let Some(layer) = &result.layer else {
            return Ok(None);
        };
        let began = Mtime {
            secs: result.ran_at,
            nanos: 0,
        };
        Ok(has_file(&self.store.layer(layer)?.root.node).then_some(began))
    }

    /// Whether all of them are here: what is lost or damaged is made anew.
    pub(super) fn has_layers(&self, layers: &[LayerId]) -> Result<bool, StepFailure> {
        for layer in layers {
            if !self.store.has_layer(layer)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn put_back(&self, parent: &StepOutput, times: &[OtherTime]) -> Result<Option<Root>, StepFailure> {
        if times.is_empty() {
            return Ok(Some(parent.root.clone()));
        }
        let Layers::Stored(layers) = &parent.root.layers else {
            return Ok(None);
        };
        let mut plan: BTreeMap<usize, Vec<(TreePath, Mtime)>> = BTreeMap::new();
        let mut remembered = Remembered::default();
        for OtherTime {
            place, was: mtime, ..
        } in times
        {
            let path = &place.path;
            let Some(index) = self.topmost(layers, path)? else {
                return Ok(None);
            };
            let copied = matches!(
                parent.makers.get(index),
                Some(Maker {
                    work: Work::Copied,
                    ..
                })
            );
            if !copied || remembered.otherwise(self, &parent.makers[index + 1..], path, *mtime)? {
                return Ok(None);
            }
            plan.entry(index).or_default().push((path.clone(), *mtime));
        }
        let layers = self.retimed(layers, plan)?;
        Ok(Some(Root {
            layers: Layers::Stored(layers),
            tree: parent.root.tree,
        }))
    }

    fn retimed(
        &self,
        layers: &[LayerId],
        plan: BTreeMap<usize, Vec<(TreePath, Mtime)>>,
    ) -> Result<Vec<LayerId>, StepFailure> {
        let mut layers = layers.to_vec();
        for (index, times) in plan {
            let layer = (*self.store.layer(&layers[index])?).clone();
            layers[index] = self.store.put_layer(&layer.with_times(&times))?;
        }
        Ok(layers)
    }
}

fn has_file(node: &Node) -> bool {
    match node {
        Node::File { .. } => true,
        Node::Dir(dir, _) => dir.entries().values().any(|entry| has_file(&entry.node)),
        _ => false,
    }
}

/// What the answer of [`Engine::parent_for`] depends on: the layers with their times, what their makers remember, and what the
/// step read. The trees need not be loaded to give it again. A tree that is only in memory has times that nothing names.
fn standing_question(parent: &StepOutput, reads: &Digest) -> Option<MemoKey> {
    if matches!(parent.root.layers, Layers::InMemory(_)) {
        return None;
    }
    let layers = parent.root.layers_digest();
    let mut parts: Vec<&[u8]> = vec![layers.as_bytes(), reads.as_bytes()];
    parts.extend(parent.makers.iter().map(|maker| match &maker.work {
        Work::Brought => b"brought".as_slice(),
        Work::Copied => b"copied",
        Work::Ran(None) => b"ran",
        Work::Ran(Some(reads)) => reads.as_bytes(),
    }));
    Some(MemoKey::new("times put back 2", &parts))
}

/// The remembered times of the step's own root. What lies behind bind mounts is in no image.
fn own_times(reads: &ReadSet) -> impl Iterator<Item = (TreePath, Mtime)> {
    let own = reads.places().take_while(|(place, _)| place.root == 0);
    own.filter_map(|(place, told)| Some((place.path, told.seen?.mtime)))
}

/// What the steps above a layer remember, read once.
#[derive(Default)]
struct Remembered(BTreeMap<Digest, Option<BTreeMap<TreePath, Mtime>>>);

impl Remembered {
    /// Whether one of `makers` saw `path` with another time. One that made no file keeps no time: a linter, a test.
    fn otherwise(
        &mut self,
        engine: &Engine,
        makers: &[Maker],
        path: &TreePath,
        mtime: Mtime,
    ) -> Result<bool, StepFailure> {
        for maker in makers {
            let Work::Ran(read_set) = maker.work else {
                continue;
            };
            if !has_file(&engine.store.layer(&maker.made)?.root.node) {
                continue;
            }
            let Some(digest) = read_set else {
                return Ok(true);
            };
            let reads = match self.0.entry(digest) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let reads = engine.read_set(&digest)?;
                    new.insert(reads.map(|reads| own_times(&reads).collect()))
                }
            };
            match reads.as_ref().map(|times| times.get(path)) {
                // What it saw is lost: it may have been this.
                None => return Ok(true),
                Some(Some(seen)) if *seen != mtime => return Ok(true),
                Some(_) => {}
            }
        }
        Ok(false)
    }
}
