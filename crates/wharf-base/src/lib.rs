//! Base images from distribution packages.
