//! What a token shall allow: `repository:team/app:pull,push`.
//!
//! Distribution's token scope documentation.

/// One or more things to allow.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Scope(Vec<String>);

impl Scope {
    /// Reading `repository`.
    pub(crate) fn pull(repository: &str) -> Self {
        Self(vec![format!("repository:{repository}:pull")])
    }

    /// Reading and writing `repository`.
    pub(crate) fn push(repository: &str) -> Self {
        Self(vec![format!("repository:{repository}:pull,push")])
    }

    /// This, and reading `repository`: what mounting a blob from there needs.
    pub(crate) fn and_pull(mut self, repository: &str) -> Self {
        self.0.extend(Self::pull(repository).0);
        self
    }

    /// One text for each thing.
    pub(crate) fn parts(&self) -> &[String] {
        &self.0
    }
}
