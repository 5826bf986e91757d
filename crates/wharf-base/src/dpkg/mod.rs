//! dpkg's side: package files, and the database of what is installed.

pub mod archive;
pub mod control;
pub mod merge;
pub mod status;
pub mod configure;
pub mod database;
pub mod finish;
pub mod helper;
pub mod order;
pub mod skeleton;
pub mod sums;
mod tar_names;
