//! The store from outside: what its users rely on, with several processes, crashes and full disks.

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
