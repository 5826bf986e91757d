//! dpkg's side: package files, and the database of what is installed.

pub mod archive;
pub mod control;
pub mod sums;
mod tar_names;

pub mod database;
pub mod merge;
pub mod order;
pub mod skeleton;
pub mod status;

pub mod configure;
pub mod finish;
mod folder;
pub mod helper;

mod format;

pub(crate) use format::Dpkg;
