//! One module a verb.

pub(crate) mod base;
pub(crate) mod build;
mod call;
pub(crate) mod check;
pub(crate) mod explain;
pub(crate) mod history;
pub(crate) mod host;
pub(crate) mod images;
pub(crate) mod run;
pub(crate) mod store;
pub(crate) mod transfer;
