//! Blobs, trees, action results, pins, leases and their garbage collection.
