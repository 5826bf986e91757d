//! Bases made from this machine's own archives, and the same ones made by mmdebstrap.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod chroot;
mod compare;
mod differential;
mod disk;
mod made;
mod setup;
mod trust;
