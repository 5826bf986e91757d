//! Steps, ops, cache keys, events; lowering of a Dockerfile.
