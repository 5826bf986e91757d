//! HTTP with deadlines, retries and verified bodies.
