//! A tree as a root filesystem: served by FUSE and recorded, written to through overlayfs, committed as a layer.
//!
//! Read from top to bottom: the words ([`blobs`], [`mounts`], [`overlay`], [`owners`]); the server, which answers from the
//! tree and writes down what was asked, and its life as a [`session`]; then the other side of the overlay: the [`upper`]
//! directory before the step and its [`mod@commit`] after it; and [`mod@checkout`] for machines without FUSE. Mounting is the
//! sandbox's affair: this crate gets an open `/dev/fuse` and paths.

pub mod blobs;
pub mod mounts;
pub mod overlay;
pub mod owners;

mod aside;
mod attributes;
pub mod beside;
mod contents;
mod follow;
mod health;
mod inodes;
mod large;
mod line;
mod listing;
mod memory;
mod nodes;
mod served;
mod server;
mod slots;
mod survey;

pub mod session;

mod place;
mod workers;
mod xattr;

pub mod checkout;
pub mod commit;
pub mod upper;

pub use blobs::{Adopted, BlobAdopt, BlobOpen};
pub use checkout::{Checkout, CheckoutError, CheckoutOptions, checkout};
pub use commit::{Commit, CommitError, CommitOptions, Found, commit};
pub use follow::Background;
pub use large::LARGE;
pub use mounts::{MountError, MountKind, MountPoint};
pub use overlay::Markers;
pub use owners::{IdRange, Owners};
pub use session::{Abort, ServeError, ServeOptions, Server, Session};
pub use survey::Surveys;
pub use upper::{UpperError, date_upper, prepare_upper};
