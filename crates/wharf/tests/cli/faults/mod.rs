//! What may go wrong at any moment: kills, a boot that ended unclean, full disks, a root that is taken away, damaged objects. After each of
//! them the next build makes what an undisturbed one makes.

mod damage;
mod kills;
mod machine;
mod world;

/// Whether there is time for the long versions.
pub(crate) fn is_heavy() -> bool {
    std::env::var_os("WHARF_TEST_HEAVY").is_some()
}
