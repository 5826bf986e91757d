//! The store from outside: what its users rely on, with several processes, crashes and full disks.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

mod blobs;
mod boots;
mod caches;
mod child;
mod context;
mod crash;
mod damage;
mod full;
mod gc;
mod locks;
mod names;
mod objects;
