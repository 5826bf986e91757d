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
    /// The steps on the same inputs: few, so that comparing them is cheaper than hashing every op.
    known: HashMap<Vec<StepId>, Vec<StepId>>,
    contexts: BTreeMap<ContextName, (StepId, Paths)>,
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
        let known = self.known.get(&new.inputs).map_or(&[][..], Vec::as_slice);
        if let Some(id) = known.iter().find(|id| self.is_equal(**id, &new)) {
            return *id;
        }
        let id = StepId(self.steps.len() as u32);
        self.known.entry(new.inputs.clone()).or_default().push(id);
        self.steps.push(Step {
            id,
            op: new.op,
            inputs: new.inputs,
            platform: new.platform,
            name: new.name,
            origin: new.origin,
            reuse: new.reuse,
        });
        id
    }

    /// Whether a step on the same inputs is the same in all that counts.
    fn is_equal(&self, id: StepId, new: &NewStep) -> bool {
        let known = &self.steps[id.0 as usize];
        known.op == new.op && known.platform == new.platform && known.reuse == new.reuse
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
    pub(super) fn context(&mut self, name: &ContextName, path: &str) -> StepId {
        if !self.contexts.contains_key(name) {
            let step = self.new_context(name.clone());
            let nothing = Paths::These(BTreeSet::new());
            self.contexts.insert(name.clone(), (step, nothing));
        }
        let (step, paths) = self
            .contexts
            .get_mut(name)
            .expect("it was put there if it was missing");
        match path.trim_matches('/') {
            "" | "." => *paths = Paths::Everything,
            path => paths.need(path),
        }
        *step
    }

    fn new_context(&mut self, name: ContextName) -> StepId {
        let shown = match &name {
            ContextName::Main => "load build context".to_owned(),
            ContextName::Named(name) => format!("load context {name}"),
        };
        let paths = BTreeSet::new();
        self.add_source(Source::Context(ContextSource { name, paths }), shown, None)
    }

    /// The steps. What is needed of the contexts is known only now.
    pub(super) fn finish(mut self) -> Vec<Step> {
        for (id, paths) in self.contexts.into_values() {
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
