//! The variables of a stage: what words are expanded with and what RUN is given.

use std::{collections::HashMap, sync::Arc};

/// Variables in the order in which they were last set.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables {
    /// When it was set, and to what.
    values: HashMap<String, (u64, String)>,
    clock: u64,
    /// What steps are given; made when the first one asks, shared until a variable is set.
    list: Option<VariableList>,
}

/// Names and values.
pub(super) type VariableList = Arc<[(String, String)]>;

impl Variables {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|(_, value)| value.as_str())
    }

    pub(super) fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.clock += 1;
        self.list = None;
        self.values.insert(name.into(), (self.clock, value.into()));
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.list = None;
        self.values.remove(name);
    }

    /// All of them, in the order in which they were last set.
    pub(super) fn list(&mut self) -> VariableList {
        if let Some(list) = &self.list {
            return Arc::clone(list);
        }
        let mut all: Vec<_> = self.values.iter().collect();
        all.sort_unstable_by_key(|(_, (when, _))| *when);
        let pair = |(name, (_, value)): (&String, &(u64, String))| (name.clone(), value.clone());
        let list: VariableList = all.into_iter().map(pair).collect();
        self.list = Some(Arc::clone(&list));
        list
    }
}
