//! A tree as a root filesystem: FUSE server, recorder, overlay, commit.
