//! Ctrl-C: the first stops the build in good order, the second at once.

use std::{process, thread};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use wharf_solver::Cancel;

/// Stops the build on SIGINT, SIGTERM and SIGHUP.
pub(crate) fn on_signal(cancel: &Cancel) {
    let cancel = cancel.clone();
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else {
        return;
    };
    thread::spawn(move || {
        let mut again = false;
        for signal in signals.forever() {
            if again {
                process::exit(128 + signal);
            }
            again = true;
            cancel.cancel();
        }
    });
}
