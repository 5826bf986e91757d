//! What runs when the program is started as a sandbox's first process.

use std::process;

use crate::inside::Entry;

/// The name (argument 0) by which the program knows that it is a sandbox's first process.
pub(crate) const NAME: &str = "wharf-sandbox-init";

/// To be called first thing in `main`: returns at once, unless this process was started by a [`Sandbox`](crate::Sandbox), in
/// which case it never returns.
pub fn init_if_asked() {
    init_if_asked_with(&[]);
}

/// The same, with the parts of the program that [`Sandbox::inside`](crate::Sandbox::inside) may start.
pub fn init_if_asked_with(_entries: &[Entry]) {
    if std::env::args_os().next().is_some_and(|name| name == NAME) {
        process::exit(125);
    }
}
