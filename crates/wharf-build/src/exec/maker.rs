//! Who made each layer of a root: what file times and explanations need to know.

use wharf_graph::{Op, StepId};
use wharf_oci::Digest;
use wharf_solver::Task;
use wharf_store::LayerId;
use wharf_tree::{Node, TreePath};

use super::{Engine, StepFailure, StepOutput};
use crate::root::{Layers, Root};

/// The maker of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maker {
    /// The step.
    pub step: StepId,
    /// What sort of work it was.
    pub work: Work,
    /// The layer as it was made. That of a root may have got other times since.
    pub made: LayerId,
}

/// How a layer came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// It is an image's or a base's.
    Brought,
    /// COPY, ADD or WORKDIR: its times are this build's affair.
    Copied,
    /// RUN, with what it read, if somebody saw it.
    Ran(Option<Digest>),
}

/// The makers of an output's layers, base layer first: those of the step's root, and the step itself for what lies above.
pub(super) fn makers_of(task: &Task<'_, StepOutput>, output: &StepOutput) -> Vec<Maker> {
    let work = match &task.step.op {
        Op::Source(_) => Work::Brought,
        Op::Run(_) => Work::Ran(output.read_set),
        Op::Copy(_) | Op::Mkdir(_) | Op::Merge => Work::Copied,
    };
    let inputs = match &task.step.op {
        Op::Merge => task.inputs,
        _ => &task.inputs[..task.inputs.len().min(1)],
    };
    let mut makers: Vec<Maker> = inputs.iter().flat_map(|input| input.makers.clone()).collect();
    let step = task.step.id;
    let own = output.root.stored().iter().skip(makers.len());
    makers.extend(own.map(|&made| Maker { step, work, made }));
    makers.truncate(output.root.stored().len());
    makers
}

/// The root of `output` with the times that its files had when they were copied into it. Times that are put back suit what an image
/// holds; what a cache mount holds may be of any build since, and of another content.
pub(super) fn as_copied(output: &StepOutput) -> Root {
    let Layers::Stored(layers) = &output.root.layers else {
        return output.root.clone();
    };
    let mut layers = layers.clone();
    for (layer, maker) in layers.iter_mut().zip(&output.makers) {
        if maker.work == Work::Copied {
            *layer = maker.made;
        }
    }
    Root {
        layers: Layers::Stored(layers),
        tree: output.root.tree,
    }
}

impl Engine {
    /// The place in `layers` of the topmost one that has a file at `path`.
    pub(super) fn topmost(&self, layers: &[LayerId], path: &TreePath) -> Result<Option<usize>, StepFailure> {
        for (index, id) in layers.iter().enumerate().rev() {
            let layer = self.store.layer(id)?;
            match layer.root.below(path).map(|entry| &entry.node) {
                None | Some(Node::Dir(..)) => {}
                Some(_) => return Ok(Some(index)),
            }
        }
        Ok(None)
    }
}
