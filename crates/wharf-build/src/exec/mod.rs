//! Steps at work: what each kind of op does, and where its results are looked up.

mod ahead;
mod answered;
mod attached;
mod cache;
mod checkout;
mod commit;
mod configure;
mod copy;
mod differing;
mod environment;
mod error;
mod exchange;
mod identity;
mod lanes;
mod maker;
mod mounts;
mod part;
mod process;
mod reason;
mod remove;
mod run;
mod rung;
mod served;
mod slot;
mod source;
mod times;
mod traced;
mod undertaker;
mod verify;

use std::sync::Arc;

use wharf_graph::{Op, Resolved, key::ExactKey};
use wharf_oci::Digest;
use wharf_sandbox::Identity;
use wharf_solver::{Executor, Task};
use wharf_store::{Recorder, Store};

pub use ahead::Ahead;
pub use attached::Attached;
pub use checkout::CheckoutJobError;
pub use configure::StepConfigurer;
pub use environment::{Agent, SeccompChoice, StepEnvironment};
pub use error::StepFailure;
pub use identity::{IdentityError, resolve_owner, resolve_user};
pub use lanes::Lanes;
pub use maker::{Maker, Work};
pub use mounts::{MountPlanError, StepMounts, public_file};
pub use process::{Finished, LogSink, Process, ProcessError, Processes};
pub use remove::remove_inside;
pub use rung::{RungChoice, RungError};
pub use source::{SourceFailure, SourceRoots};
pub use undertaker::Undertaker;
pub use verify::{Percent, SELF_DATED};

use crate::{
    emulation::Emulation,
    root::{Root, Roots},
};

/// What `wharf_sandbox::init_if_asked_with` has to know: parts of steps that run inside user namespaces.
pub const ENTRIES: &[wharf_sandbox::Entry] = &[
    checkout::CHECKOUT_ENTRY,
    commit::COMMIT_ENTRY,
    remove::REMOVE_ENTRY,
];

/// What a step gives to those that use it.
#[derive(Debug, Clone)]
pub struct StepOutput {
    /// The root filesystem.
    pub root: Root,
    /// Who made each of its layers, base layer first.
    pub makers: Vec<Maker>,
    /// When the step ran, in seconds since the epoch; `None` for sources.
    pub ran_at: Option<i64>,
    /// Who saw what it read.
    pub recorder: Recorder,
    /// What it read: a path set object of the store.
    pub read_set: Option<Digest>,
    /// The commit that a repository's reference stood for.
    pub commit: Option<String>,
}

/// Runs the steps of one build.
#[derive(Debug)]
pub struct Engine {
    /// Where everything is kept.
    pub store: Store,
    /// Merged trees.
    pub roots: Arc<Roots>,
    /// Runs processes.
    pub processes: Processes,
    /// Says how programs of other processors are run.
    pub emulation: Arc<Emulation>,
    /// What steps see besides their root.
    pub environment: StepEnvironment,
    /// Brings files from outside.
    pub sources: SourceRoots,
    /// Where each step of the graph stands.
    pub lanes: Lanes,
    /// How many of the reused steps run all the same, to be compared.
    pub verify: Option<Percent>,
}

impl Executor for Engine {
    type Output = StepOutput;
    type Error = StepFailure;

    /// Sources are cheap to ask for or are found under keys of their own; all others are looked up by what they do and the
    /// trees they work on.
    fn key(&self, task: &Task<'_, StepOutput>) -> Result<Option<ExactKey>, StepFailure> {
        let trees = match &task.step.op {
            Op::Source(_) => return Ok(None),
            Op::Copy(copy) => part::trees(copy, task.inputs),
            Op::Run(run) => {
                self.environment.allowed(run)?;
                task.inputs.iter().map(|input| input.root.tree).collect()
            }
            _ => task.inputs.iter().map(|input| input.root.tree).collect(),
        };
        Ok(Some(ExactKey::new(task.step, &self.resolved(), &trees)))
    }

    fn run(&self, task: &Task<'_, StepOutput>) -> Result<StepOutput, StepFailure> {
        let mut output = match &task.step.op {
            Op::Source(source) => self.sources.root(source, task)?,
            Op::Run(run) => self.run_process(run, task)?,
            Op::Copy(copy) => self.copy(copy, task)?,
            Op::Mkdir(mkdir) => self.mkdir(mkdir, task)?,
            Op::Merge => self.merge(task)?,
        };
        output.makers = maker::makers_of(task, &output);
        Ok(output)
    }

    fn at_hand(&self, task: &Task<'_, StepOutput>) -> Result<Option<StepOutput>, StepFailure> {
        let Op::Source(source) = &task.step.op else {
            return Ok(None);
        };
        let root = self.sources.at_hand(source, &task.step.platform)?;
        Ok(root.map(|root| {
            let mut output = StepOutput {
                root,
                ..StepOutput::default()
            };
            output.makers = maker::makers_of(task, &output);
            output
        }))
    }
}

impl Engine {
    /// What of the machine and its settings counts in keys.
    pub fn resolved(&self) -> Resolved {
        Resolved {
            one_owner: matches!(self.processes.sandbox.identity(), Identity::OneId(_)),
            ..self.environment.resolved()
        }
    }

    /// The layers of all inputs on each other.
    fn merge(&self, task: &Task<'_, StepOutput>) -> Result<StepOutput, StepFailure> {
        let mut root = Root::empty();
        for input in task.inputs {
            for id in input.root.stored() {
                let layer = self.store.layer(id)?;
                root = self.roots.push(&root, &layer)?.1;
            }
        }
        Ok(StepOutput {
            root,
            ran_at: Some(now()),
            ..StepOutput::default()
        })
    }
}

/// Seconds since the epoch.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
