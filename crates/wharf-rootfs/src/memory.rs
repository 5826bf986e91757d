//! One setting of the C library's allocator.

use std::sync::Once;

/// Larger than anything that is allocated often, smaller than the 16 MiB that fuser's threads read requests into.
#[cfg(target_env = "gnu")]
const APART: i32 = 4 << 20;

/// Keeps large buffers in mappings of their own, where untouched pages cost nothing.
///
/// glibc starts so, but after the first large buffer is freed it takes the next ones from the heap, and zeroes them: each
/// session would touch 16 MiB a thread and keep them resident, of which a read-only tree's requests use a few KiB.
#[allow(unsafe_code)]
pub(crate) fn keep_large_buffers_apart() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: mallopt only sets parameters of the allocator, under its own lock.
        #[cfg(target_env = "gnu")]
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, APART);
        }
    });
}
