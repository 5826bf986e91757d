//! Digests, references, platforms, media types and image documents.
