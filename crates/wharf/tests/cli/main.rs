//! The command as its users meet it: each test starts the binary in a place of its own and looks at exit code, output and what was made.
//!
//! Steps really run, on a base that is one static busybox; registries, archives and layouts are read back with other people's tools.
//! What a machine lacks is said aloud and skipped.
#![allow(
    clippy::needless_pass_by_value,
    clippy::unused_self,
    reason = "tests read better so"
)]

mod attest;
mod busybox;
mod context;
mod foreign;
mod outcome;
mod programs;
mod pty;
mod user;

mod caches;
mod certificates;
mod concurrency;
mod config;
mod contexts;
mod copy;
mod engines;
mod errors;
mod explain;
mod faults;
mod full_disk;
mod hostile;
mod images;
mod interruption;
mod mounts;
mod odd_files;
mod outputs;
mod platforms;
mod quickstart;
mod registry;
mod remote_contexts;
mod reproducible;
mod reuse;
mod rootless;
mod run;
mod slots;
mod ssh;
mod sshd;
mod stages;
mod steps;
mod store;
mod table;
mod terminal;
mod times;
mod traced;
