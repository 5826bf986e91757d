//! The client: options, and from a name to the hosts that may have it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use wharf_oci::Reference;

use crate::{
    Error, Settings,
    peer::{Peer, Purpose},
    registries_conf::{Place, Use},
    scope::Scope,
};

/// What may vary from one [`Registry`] to another.
#[derive(Clone, Debug)]
pub struct Options {
    /// For all hosts: user agent, trust, proxies, timeouts, retries. What `certs.d` has is added host by host.
    pub http: wharf_http::Options,
    /// The user's settings.
    pub settings: Settings,
    /// How many blobs are transferred at once with one registry. Six is what browsers allow a host.
    pub transfers: usize,
    /// Blobs larger than this many bytes are sent in chunks of this size, so that a broken connection costs one
    /// chunk. `None` sends every blob in one piece, which every registry takes; not all take chunks.
    pub upload_chunk: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            http: wharf_http::Options::default(),
            settings: Settings::default(),
            transfers: 6,
            upload_chunk: None,
        }
    }
}

/// Speaks with registries. Clones share connections, tokens and limits.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    options: Options,
    settings: Arc<Settings>,
    peers: Mutex<HashMap<(String, bool), Arc<Peer>>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

/// A place that may have what is asked for.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) peer: Arc<Peer>,
    pub(crate) repository: String,
    /// As messages call what is asked for.
    pub(crate) name: String,
}

impl Registry {
    /// A client. Nothing is connected before the first call.
    pub fn new(options: Options) -> Self {
        let settings = Arc::new(options.settings.clone());
        Self(Arc::new(Inner {
            options,
            settings,
            peers: Mutex::default(),
        }))
    }

    /// What it was made with.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// The places for what `reference` names, mirrors first; never empty. `what` is how messages call it.
    pub(crate) fn sources(&self, reference: &Reference, wanted: Use, what: &str) -> Result<Sources, Error> {
        let places = self.0.settings.conf.places(&reference.name(), wanted);
        let places = places.map_err(|blocked| Error::Blocked {
            name: what.to_owned(),
            prefix: blocked.prefix,
        })?;
        let sources: Result<Vec<Source>, Error> =
            places.iter().map(|place| self.source(place, what)).collect();
        Ok(Sources {
            left: sources?.into_iter().collect(),
        })
    }

    /// The one place to write to.
    pub(crate) fn target(&self, reference: &Reference, what: &str) -> Result<Source, Error> {
        let mut sources = self.sources(reference, Use::Push, what)?;
        sources.left.pop_back().ok_or_else(|| Error::Blocked {
            name: what.to_owned(),
            prefix: reference.name(),
        })
    }

    fn source(&self, place: &Place, what: &str) -> Result<Source, Error> {
        let (peer, repository, name) = (self.peer(place)?, place.repository.clone(), what.to_owned());
        Ok(Source {
            peer,
            repository,
            name,
        })
    }

    fn peer(&self, place: &Place) -> Result<Arc<Peer>, Error> {
        let key = (place.registry.clone(), place.insecure);
        let mut peers = self.0.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = peers.get(&key) {
            return Ok(Arc::clone(peer));
        }
        let peer = Peer::new(&place.registry, place.insecure, &self.0.options, &self.0.settings)?;
        Ok(Arc::clone(peers.entry(key).or_insert(Arc::new(peer))))
    }
}

/// The places that are left to ask, in order.
pub(crate) struct Sources {
    left: std::collections::VecDeque<Source>,
}

impl Sources {
    /// The next place. Mirrors that could not be reached a short while ago are passed over; the last place never is.
    pub(crate) fn next(&mut self) -> Option<Source> {
        loop {
            let source = self.left.pop_front()?;
            if self.left.is_empty() || !source.peer.is_down() {
                return Some(source);
            }
        }
    }

    /// Takes note of a failure; it is the result if no place is left.
    pub(crate) fn failed(&self, source: &Source, error: Error) -> Result<(), Error> {
        if matches!(error, Error::Unreachable { .. }) {
            source.peer.mark_down();
        }
        if self.left.is_empty() { Err(error) } else { Ok(()) }
    }
}

impl Source {
    /// Reading from here.
    pub(crate) fn pull(&self) -> Purpose {
        self.purpose(Scope::pull(&self.repository))
    }

    /// Reading and writing here.
    pub(crate) fn push(&self) -> Purpose {
        self.purpose(Scope::push(&self.repository))
    }

    pub(crate) fn purpose(&self, scope: Scope) -> Purpose {
        Purpose {
            repository: self.repository.clone(),
            scope,
            name: self.name.clone(),
        }
    }

    /// The URL of `rest` in the repository.
    pub(crate) async fn url(&self, rest: &str) -> Result<url::Url, Error> {
        self.peer
            .url(&format!("{}/{rest}", self.repository), &self.name)
            .await
    }
}
