//! The one runtime and the one HTTP client of a build, both made when the first byte is wanted from a network.

use std::{fmt, sync::OnceLock};

use tokio::runtime::Runtime;
use wharf_http::{Client, Options};
use wharf_solver::Cancel;

use crate::git::Patience;

/// What talks to networks.
pub struct Network {
    client: Client,
    runtime: OnceLock<Runtime>,
}

impl Network {
    /// Nothing is read or started yet.
    pub fn new(options: Options) -> Self {
        Self {
            client: Client::new(options),
            runtime: OnceLock::new(),
        }
    }

    /// The client. Clones share connections.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// How long another program that asks a server for something may take.
    pub fn patience(&self, cancel: &Cancel) -> Patience {
        Patience {
            silence: self.client.options().timeouts.response,
            cancel: cancel.clone(),
        }
    }

    /// Waits for `work`. Not to be called from inside the runtime.
    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime().block_on(work)
    }

    /// The runtime, for work that goes on in the background.
    pub fn runtime(&self) -> &Runtime {
        self.runtime.get_or_init(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .thread_name("wharf-net")
                .enable_all()
                .build()
                .expect("the process may start threads and open an epoll instance")
        })
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}
