//! A tree as a root filesystem: served by FUSE and recorded, written to through overlayfs, committed as a layer.
//!
//! Read from top to bottom: what is served ([`mounts`], [`survey`], [`server`]), who writes down what was asked
//! ([`record`]), a running server ([`session`]); then the other side of the overlay: the [`upper`] directory before the step
//! and its [`commit`] after it; and [`checkout`] for machines without FUSE. Mounting is the sandbox's affair: this crate gets
//! an open `/dev/fuse` and paths.

pub mod blobs;
pub mod checkout;
pub mod commit;
pub mod mounts;
pub mod overlay;
pub mod owners;
pub mod session;
pub mod upper;

pub use blobs::{BlobAdopt, BlobOpen};
pub use checkout::{CheckoutError, checkout};
pub use commit::{Commit, CommitError, CommitOptions, commit};
pub use mounts::{MountError, MountKind, MountPoint};
pub use overlay::Markers;
pub use owners::{IdRange, Owners};
pub use session::{Abort, ServeError, ServeOptions, Server, Session};
pub use upper::{UpperError, prepare_upper};
