//! A root may be mounted before it is known what is served there.

use std::sync::{Arc, OnceLock, atomic::Ordering};

use crate::{inodes::ROOT, server::Shared};

/// What is served: one tree, or one until another one takes its place.
pub(crate) struct Served {
    first: Arc<Shared>,
    then: OnceLock<Arc<Shared>>,
}

impl Served {
    pub(crate) const fn new(first: Arc<Shared>) -> Self {
        Self {
            first,
            then: OnceLock::new(),
        }
    }

    pub(crate) fn now(&self) -> &Arc<Shared> {
        self.then.get().unwrap_or(&self.first)
    }

    /// Serves `then` from now on, of which all holds that the kernel has asked of the first: no more than mounting asks. Gives it back
    /// where that is not so.
    pub(crate) fn change_to(&self, then: Arc<Shared>) -> Result<(), Arc<Shared>> {
        let first = &self.first;
        let root = |shared: &Shared| shared.nodes.get(ROOT).map(|node| node.entry().attrs.clone());
        let told = |shared: &Shared| {
            let survey = &shared.survey;
            (
                survey.xattrs,
                survey.acls,
                survey.large.is_empty(),
                shared.markers,
            )
        };
        let alike = root(first) == root(&then)
            && told(first) == told(&then)
            && first.owners == then.owners
            && first.nodes.are_root_alone();
        if !alike || first.health.verdict().is_err() {
            return Err(then);
        }
        then.apart
            .store(first.apart.load(Ordering::Relaxed), Ordering::Relaxed);
        then.nodes.root_was_asked(&first.nodes);
        self.then.set(then)
    }
}
