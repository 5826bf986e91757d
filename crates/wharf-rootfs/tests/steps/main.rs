//! Real steps: what they leave behind, and what they are seen to have asked.
//!
//! Each is a small tree with a static busybox, served by FUSE under an overlay as root, and a shell script run in it.

mod reads;
mod reuse;
mod robust;
mod rungs;
mod support;
mod writes;
