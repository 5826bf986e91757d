//! The Dockerfile parser and linter from outside: cases as folders, and what holds for any text.

mod cases;
mod dump;
mod lint;
mod lossless;
