//! The graph of a build: steps, their inputs, and what comes out at the end.

use serde::{Deserialize, Serialize};
use wharf_oci::{
    Platform,
    config::{History, ImageConfig},
};

use crate::op::Op;

/// All steps of a build, and its results.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Graph {
    /// The steps: every step comes after its inputs, and no two are equal in op, inputs and platform.
    pub steps: Vec<Step>,
    /// What the build is for: one a platform, in the order in which the platforms were asked for.
    pub targets: Vec<Target>,
}

/// A step's place in [`Graph::steps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);

/// A place in [`Step::inputs`]: ops name their inputs by it, so that an op's encoding does not depend on the graph around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Input(pub u32);

impl Input {
    /// The step's own root: what RUN runs on and what COPY and WORKDIR add to.
    pub const ROOT: Self = Self(0);
}

/// One node of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where it stands.
    pub id: StepId,
    /// What it does.
    pub op: Op,
    /// What it works on; ops refer to these by position ([`Input`]).
    pub inputs: Vec<StepId>,
    /// What it is for: for RUN, the platform whose programs run.
    pub platform: Platform,
    /// What people are shown: the instruction with its variables expanded, secrets masked, without `[stage 1/3]`.
    pub name: String,
    /// Where it was written; `None` for what nobody wrote (contexts, images of `COPY --from`).
    pub origin: Option<Origin>,
    /// Whether an earlier result may be taken.
    pub reuse: Reusable,
}

/// Whether an earlier result of a step may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Reusable {
    /// Yes.
    #[default]
    Yes,
    /// No: `--no-cache`, `--no-cache-filter`. What it makes may be kept for later builds.
    No,
}

/// Where a step was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Of a build for several platforms: the step's own, and behind `->` the one that it compiles for, when its stage asks for that
    /// (`linux/amd64->arm64`). Empty otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// The stage: its name, or `stage-<index>`; empty when the Dockerfile has one stage only.
    pub stage: String,
    /// The step's number in its stage, from 1.
    pub ordinal: u32,
    /// How many steps the stage has.
    pub total: u32,
    /// The instruction; of an ONBUILD trigger the FROM that brought it.
    pub span: SourceSpan,
    /// Whether the base image's ONBUILD wrote it.
    pub on_build: bool,
}

/// A range of the Dockerfile. Lines and columns (in characters) count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct SourceSpan {
    /// First line.
    pub start_line: u32,
    /// Column in the first line.
    pub start_column: u32,
    /// Last line.
    pub end_line: u32,
    /// Column after the range in the last line.
    pub end_column: u32,
}

/// A result of the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The platform it is for.
    pub platform: Platform,
    /// The stage: its name, or `stage-<index>`.
    pub stage: String,
    /// The step whose root is the image's.
    pub root: StepId,
    /// The image's configuration but for what only the steps' results know: `created`, `rootfs` and `history` are empty.
    pub config: ImageConfig,
    /// The history, oldest first.
    pub history: Vec<HistoryEntry>,
    /// SOURCE_DATE_EPOCH: seconds since 1970. No time in the image is to be later.
    pub epoch: Option<i64>,
    /// What else is looked at when the contents of the image are listed, sorted by name.
    pub scans: Vec<Scan>,
}

/// A stage or the context, whose contents are listed beside those of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The stage's name, or `context`.
    pub name: String,
    /// The step whose root is looked at.
    pub root: StepId,
}

/// One entry of a target's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The entry. Without `created` unless it is the base image's or SOURCE_DATE_EPOCH is set: an entry with a layer then
    /// takes the time at which its step ran.
    pub entry: History,
    /// The step that made the entry's layer; `None` for entries without one and for the base image's.
    pub step: Option<StepId>,
}

impl Graph {
    /// The step at `id`.
    pub fn step(&self, id: StepId) -> &Step {
        &self.steps[id.0 as usize]
    }
}

impl Step {
    /// The step's inputs of [`Input::ROOT`]: what it adds to. Sources have none.
    pub fn root(&self) -> Option<StepId> {
        self.inputs.first().copied()
    }

    /// The input at `input`.
    pub fn input(&self, input: Input) -> StepId {
        self.inputs[input.0 as usize]
    }
}
