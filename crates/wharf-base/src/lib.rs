//! Base images from distribution packages.
//!
//! A base goes through four states, each plain data: *settings* ([`BaseSettings`], what a project asks for), *resolution*
//! (which exact packages, verified down from the archives' keys), *plan* ([`BasePlan`]: the packages unpacked and merged in
//! the store, and a RUN op that configures them) and *base* ([`Base`]: the finished layers). Where packages come from is a
//! trait; apt's archives are its first implementation.
//!
//! Nothing here runs a process: who runs the configure step is the caller's affair ([`Configurer`]). Nothing here reads the
//! environment; addresses of archives come from the caller or from the host's own configuration, and none is compiled in.

// Texts of a few lines are clearer as a `format!` a line than as a fold over a writer.
#![allow(clippy::format_collect)]

pub mod settings;
mod suggest;

pub mod apt;
pub mod lock;
pub mod resolution;

mod fetch;
mod source;

pub mod dpkg;
pub mod plan;

pub mod bases;
pub mod error;
pub mod observe;

pub use apt::origin::Mirrors;
pub use bases::{Bases, Context, Options, Prepared};
pub use error::BaseError;
pub use lock::{LockError, LockFile, LockedBase};
pub use observe::{Observer, Phase, Progress, Unobserved};
pub use plan::{Base, BaseKey, BasePlan, ConfigureError, ConfigureOp, Configurer, Package, Reason};
pub use resolution::{ArchiveState, Resolution};
pub use settings::{BaseSettings, Origin, SettingsError, Variant};
