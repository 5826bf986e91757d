//! The store: what wharf keeps on disk, shared by all its processes without a daemon.
//!
//! Blobs, trees and times objects are named by the digest of their bytes; action results, memos and path-set slots by a
//! key. Everything but heads is written aside and renamed, nothing waits for the disk, and `kill -9` at any point leaves a store
//! that the next process opens without repair. The format is drawn in `docs/formats.md`, section "The store on disk".
//!
//! This crate knows no Dockerfile and no network: a missing blob comes from a [`Source`].

mod error;
mod source;
mod store;

mod boot;
mod disk;
mod idle;
mod layout;
mod lease;
mod record;
mod remove;
mod stamp;
mod sync;
mod work;

mod adopt;
mod blob;
mod damage;
mod fetch;
mod writer;

mod entries;
mod head;
mod image;
mod memo;
mod paths;
mod pin;
mod result;
mod root;
mod tree;

mod cache_mount;
mod checked;
mod history;
mod lock;
mod stat;

mod df;
mod gc;
mod verify;

#[cfg(test)]
mod testing;

pub use adopt::Stored;
pub use cache_mount::{CacheMount, Sharing};
pub use df::{CacheUsage, DfReport, Usage};
pub use error::{BlobError, OpenError, StoreError, TreeError};
pub use gc::{GcError, GcPolicy, GcReport};
pub use history::{RecordId, RecordWriter};
pub use image::{ImageRecord, PlatformRecord};
pub use lock::{Lock, Wait, Waiting};
pub use memo::MemoKey;
pub use result::{ActionKey, ActionResult, Recorder};
pub use root::{LayerId, ParseRootError, Root};
pub use source::{Source, SourceError};
pub use stat::{FileStat, StatCache};
pub use store::{BootId, RemoveTree, Store, StoreOptions};
pub use verify::{Damage, VerifyReport};
pub use work::WorkDir;
pub use writer::BlobWriter;
