//! Who made each layer of a root: what file times and explanations need to know.

use wharf_graph::{Op, StepId};
use wharf_oci::Digest;
use wharf_solver::Task;
use wharf_store::LayerId;
use wharf_tree::{Node, TreePath};

use super::{Engine, StepFailure, StepOutput};

/// The maker of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maker {
    /// The step.
    pub step: StepId,
    /// What sort of work it was.
    pub work: Work,
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
    makers.resize(output.root.stored().len(), Maker { step, work });
    makers
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
