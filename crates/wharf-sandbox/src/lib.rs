//! One process in a root: namespaces, mounts, capabilities, seccomp.
