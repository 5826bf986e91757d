//! Bases made from this machine's own archives, and the same ones made by mmdebstrap.

mod chroot;
mod compare;
mod differential;
mod disk;
mod made;
mod setup;
