//! Who the sandbox's root is outside: nobody else, a user with subordinate ids, or a user alone.

mod map;
mod newmap;
mod ranges;

pub use map::{IdMap, IdRange};
pub(crate) use newmap::{MapTools, Mapper, find};
pub(crate) use ranges::subordinate;

/// How ids inside relate to ids outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The caller is root and may mount: no user namespace, ids are the same on both sides.
    Root,
    /// A user namespace whose root is the caller and whose other ids are the caller's subordinate ones (subuid(5)).
    Subordinate(IdMap),
    /// A user namespace with the caller's own id as the only one. Programs are told that changing owners and ids worked.
    OneId(IdMap),
}

impl Identity {
    /// The map of its user namespace; none without one.
    pub fn map(&self) -> Option<&IdMap> {
        match self {
            Identity::Root => None,
            Identity::Subordinate(map) | Identity::OneId(map) => Some(map),
        }
    }
}
