//! Blobs into a registry: only those that it lacks, mounted from a neighbour where it can.
//!
//! OCI distribution specification, "Pushing blobs" and "Mounting a blob from another repository".

use std::sync::Arc;

use url::Url;
use wharf_http::{Body, Method, Request, StatusCode};
use wharf_oci::{Descriptor, Digest, Reference};

use crate::{Error, Registry, blob::named, peer::Purpose, registry::Source, scope::Scope, upload::Session};

/// How a blob got into a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It was there.
    Existed,
    /// The registry took it from another of its repositories.
    Mounted,
    /// It was sent.
    Uploaded,
}

/// After so many repositories that turn out not to have the blob, it is sent.
const MAX_MOUNTS: usize = 3;

impl Registry {
    /// Sees to it that the repository of `to` has what `descriptor` names; `body` has its bytes.
    ///
    /// `from` are repositories that perhaps have it; those of other registries do not count. Waits until the
    /// registry's limit of transfers allows one more.
    pub async fn push_blob(
        &self,
        to: &Reference,
        descriptor: &Descriptor,
        body: &Body,
        from: &[Reference],
    ) -> Result<Pushed, Error> {
        let target = self.target(to, &named(to, &descriptor.digest))?;
        let _permit = target.peer.transfer().await;
        if target.has_blob(&descriptor.digest).await? {
            return Ok(Pushed::Existed);
        }
        let mut session = None;
        for neighbour in self.neighbours(&target, from).into_iter().take(MAX_MOUNTS) {
            if let Some(unused) = session.take() {
                target.cancel(unused).await;
            }
            session = match target.mount(&descriptor.digest, &neighbour).await {
                Ok(Mount::Done) => return Ok(Pushed::Mounted),
                Ok(Mount::Session(session)) => Some(session),
                // A repository that this account may not read is no reason not to send the blob.
                Err(_) => None,
            };
        }
        target.upload(session, descriptor, body, self.options()).await?;
        Ok(Pushed::Uploaded)
    }

    /// The repositories of `from` on the same host, the target's own left out.
    fn neighbours(&self, target: &Source, from: &[Reference]) -> Vec<String> {
        let sources = from
            .iter()
            .filter_map(|reference| self.target(reference, &target.name).ok());
        sources
            .filter(|source| {
                Arc::ptr_eq(&source.peer, &target.peer) && source.repository != target.repository
            })
            .map(|source| source.repository)
            .collect()
    }
}

/// What a registry made of the wish to mount.
enum Mount {
    Done,
    /// It does not have the blob there, and began an upload instead.
    Session(Session),
}

impl Source {
    async fn mount(&self, digest: &Digest, from: &str) -> Result<Mount, Error> {
        let purpose = self.purpose(Scope::push(&self.repository).and_pull(from));
        let mut url = self.uploads().await?;
        url.query_pairs_mut()
            .append_pair("mount", &digest.to_string())
            .append_pair("from", from);
        let response = self.send(&Request::new(Method::POST, url), purpose).await?;
        if response.status() == StatusCode::CREATED {
            return Ok(Mount::Done);
        }
        Session::of(self, &response).await.map(Mount::Session)
    }

    /// The uploads of the repository.
    pub(crate) async fn uploads(&self) -> Result<Url, Error> {
        // The slash at the end is the specification's.
        self.url("blobs/uploads/").await
    }

    /// Ends an upload that is not wanted; registries throw them away by themselves after a while.
    async fn cancel(&self, session: Session) {
        let purpose: Purpose = self.push();
        let _ = session
            .send(self, Request::new(Method::DELETE, session.url.clone()), purpose)
            .await;
    }
}
