//! One build from request to outputs: contexts, sources, ops, images, exporters.
//!
//! Read from top to bottom: what is asked ([`request`]); one build ([`build`]); where files come from ([`context`], [`image_source`], [`download`],
//! [`git`]); how steps work on them ([`root`], [`exec`], for other processors [`emulation`]); what is made of the result ([`image`], [`export`]).

pub mod request;

pub mod build;
pub mod call;
pub mod check;
pub mod emulation;
pub mod error;
mod lower_options;
mod phases;
pub mod read;

pub mod ca;
pub mod context;
pub mod context_source;
pub mod credentials;
pub mod download;
pub mod from_lock;
pub mod git;
pub mod image_source;
pub mod net;
pub mod project;
pub mod ssh_agent;

pub mod exec;
pub mod root;

pub mod attest;
mod destination;
pub mod export;
pub mod image;
pub mod output;
