//! Surroundings that are made before it is known what runs in them.

use crate::{Limits, Mount, Network, Running, Spec};

/// Surroundings of a process that is not known yet. Dropped, they are gone.
#[derive(Debug)]
pub struct Ahead {
    pub(crate) running: Running,
    /// What they were made for.
    pub(crate) spec: Spec,
}

impl Ahead {
    /// Whether a process can have surroundings that are made ahead: not those that go by what it is.
    pub fn may_be_for(spec: &Spec) -> bool {
        spec.network == Network::Host && spec.emulators.is_empty() && spec.limits == Limits::default()
    }

    /// Whether these are what `spec` says.
    pub fn fits(&self, spec: &Spec) -> bool {
        Self::may_be_for(spec)
            && (&self.spec.root, &self.spec.hostname) == (&spec.root, &spec.hostname)
            && (self.spec.devices, self.spec.shm_size) == (spec.devices, spec.shm_size)
    }

    /// Which of the directories that were made each mount is, if any; their files need not be sent again.
    pub(crate) fn leave_out(&self, mounts: &mut [Mount]) -> Vec<Option<usize>> {
        let mut made: Vec<_> = self
            .spec
            .mounts
            .iter()
            .filter_map(Mount::files)
            .map(Some)
            .collect();
        let mut which = |mount: &mut Mount| {
            let Mount::Directory { files, .. } = mount else {
                return None;
            };
            let found = made.iter().position(|made| *made == Some(&*files))?;
            // Each is mounted once.
            made[found] = None;
            files.clear();
            Some(found)
        };
        mounts.iter_mut().map(&mut which).collect()
    }

    /// As what was started, to be waited for or ended.
    pub fn into_running(self) -> Running {
        self.running
    }

    /// What is served and is to be told when.
    pub fn running(&mut self) -> &mut Running {
        &mut self.running
    }
}
