//! Collects steps; equal ones become one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use wharf_oci::Platform;

use crate::{
    op::Op,
    source::{ContextName, ContextSource, Source},
    step::{Origin, Reusable, Step, StepId},
};

/// A graph that grows.
pub(super) struct GraphBuilder {
    steps: Vec<Step>,
    known: HashMap<(Op, Vec<StepId>, Platform, Reusable), StepId>,
    contexts: BTreeMap<StepId, Paths>,
    build_platform: Platform,
}

/// What of a context is needed.
enum Paths {
    These(BTreeSet<String>),
    Everything,
}

/// A step that has no number yet.
pub(super) struct NewStep {
    pub(super) op: Op,
    pub(super) inputs: Vec<StepId>,
    pub(super) platform: Platform,
    pub(super) name: String,
    pub(super) origin: Option<Origin>,
    pub(super) reuse: Reusable,
}

impl GraphBuilder {
    pub(super) fn new(build_platform: Platform) -> Self {
        Self {
            steps: Vec::new(),
            known: HashMap::new(),
            contexts: BTreeMap::new(),
            build_platform,
        }
    }

    /// The step, or the equal one that is there.
    pub(super) fn add(&mut self, new: NewStep) -> StepId {
        let key = (new.op, new.inputs, new.platform, new.reuse);
        if let Some(id) = self.known.get(&key) {
            return *id;
        }
        let id = StepId(self.steps.len() as u32);
        let (op, inputs, platform, reuse) = key.clone();
        self.known.insert(key, id);
        self.steps.push(Step {
            id,
            op,
            inputs,
            platform,
            name: new.name,
            origin: new.origin,
            reuse,
        });
        id
    }

    /// A source that is the same for all platforms.
    pub(super) fn add_source(&mut self, source: Source, name: String, origin: Option<Origin>) -> StepId {
        self.add(NewStep {
            op: Op::Source(source),
            inputs: Vec::new(),
            platform: self.build_platform.clone(),
            name,
            origin,
            reuse: Reusable::Yes,
        })
    }

    pub(super) fn scratch(&mut self) -> StepId {
        self.add_source(Source::Scratch, "FROM scratch".to_owned(), None)
    }

    /// A context of which `path` (absolute, with wildcards) is needed.
    pub(super) fn context(&mut self, name: ContextName, path: &str) -> StepId {
        let shown = match &name {
            ContextName::Main => "load build context".to_owned(),
            ContextName::Named(name) => format!("load context {name}"),
        };
        let source = ContextSource {
            name,
            paths: BTreeSet::new(),
        };
        let id = self.add_source(Source::Context(source), shown, None);
        let paths = self
            .contexts
            .entry(id)
            .or_insert_with(|| Paths::These(BTreeSet::new()));
        match path.trim_matches('/') {
            "" | "." => *paths = Paths::Everything,
            path => paths.need(path),
        }
        id
    }

    /// The steps. What is needed of the contexts is known only now.
    pub(super) fn finish(mut self) -> Vec<Step> {
        for (id, paths) in self.contexts {
            if let (Op::Source(Source::Context(context)), Paths::These(paths)) =
                (&mut self.steps[id.0 as usize].op, paths)
            {
                context.paths = paths;
            }
        }
        self.steps
    }
}

impl Paths {
    fn need(&mut self, path: &str) {
        if let Self::These(paths) = self {
            paths.insert(path.to_owned());
        }
    }
}
