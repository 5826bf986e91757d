//! How many layers come from one registry at once: a limit that all processes on the store share.

use std::ops::ControlFlow;

use wharf_oci::Reference;
use wharf_store::{Lock, StoreError};

use super::Images;

/// Enough to fill a line; more only shares it. Registries answer a crowd with "too many requests".
const CONNECTIONS: usize = 4;

impl Images {
    /// Waits until fewer than [`CONNECTIONS`] layers are being fetched from the registry of `reference`; none when the build is stopped.
    pub(super) fn connection(&self, reference: &Reference) -> Result<Option<Lock>, StoreError> {
        let cancel = self.project().cancel.clone();
        let name = format!("registry-{}", reference.registry());
        self.store.lock_slot(&name, CONNECTIONS, &mut |_| {
            if cancel.is_cancelled() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
    }
}
