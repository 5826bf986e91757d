//! Which way of making roots this machine offers: tried once a boot, when the first step runs.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use wharf_sandbox::{
    Sandbox, SandboxError,
    host::{self, Rung},
};
use wharf_store::{BootId, MemoKey, Store, StoreError};

/// The rung that steps run on.
#[derive(Debug)]
pub struct RungChoice {
    forced: Option<Rung>,
    boot: Option<BootId>,
    found: OnceLock<Rung>,
}

/// No rung can be had.
#[derive(Debug, thiserror::Error)]
pub enum RungError {
    /// The machine could not be tried.
    #[error("cannot find out how steps can be isolated on this machine")]
    Probe(#[from] SandboxError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing works.
    #[error("this machine offers no way to isolate steps")]
    None,
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    rung: String,
}

impl RungChoice {
    /// The forced rung, or the best one that works. What was found holds until the machine boots again.
    pub const fn new(forced: Option<Rung>, boot: Option<BootId>) -> Self {
        Self {
            forced,
            boot,
            found: OnceLock::new(),
        }
    }

    /// The rung.
    pub fn get(&self, sandbox: &Arc<Sandbox>, store: &Store) -> Result<Rung, RungError> {
        if let Some(rung) = self.forced.or_else(|| self.found.get().copied()) {
            return Ok(rung);
        }
        let key = self.memo_key();
        let known = key
            .as_ref()
            .map(|key| store.memo::<Remembered>(key))
            .transpose()?
            .flatten();
        if let Some(rung) = known.and_then(|known| known.rung.parse().ok()) {
            return Ok(*self.found.get_or_init(|| rung));
        }
        let scratch = store.work_dir()?;
        let rung = host::probe(sandbox, scratch.path())?
            .rung
            .ok_or(RungError::None)?;
        if let Some(key) = &key {
            store.set_memo(
                key,
                &Remembered {
                    rung: format!("{rung:?}").to_lowercase(),
                },
                &[],
            )?;
        }
        Ok(*self.found.get_or_init(|| rung))
    }

    /// Everything that decides it: the boot, who we are, and whether the device may be opened.
    fn memo_key(&self) -> Option<MemoKey> {
        let boot = self.boot.as_ref()?;
        let uid = rustix::process::geteuid().as_raw().to_le_bytes();
        let fuse = rustix::fs::access(
            "/dev/fuse",
            rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK,
        )
        .is_ok();
        Some(MemoKey::new(
            "rung",
            &[
                boot.0.as_bytes(),
                &uid,
                &[u8::from(fuse)],
                env!("CARGO_PKG_VERSION").as_bytes(),
            ],
        ))
    }
}
