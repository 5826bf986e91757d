//! Ways into a network namespace and out of it, and to sockets of the caller.

mod egress;
mod links;
mod pump;

pub(crate) use egress::Egress;
pub(crate) use links::Links;
