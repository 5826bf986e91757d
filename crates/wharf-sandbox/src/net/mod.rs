//! Ways into a network namespace, and to sockets of the caller.

mod links;
mod pump;

pub(crate) use links::Links;
