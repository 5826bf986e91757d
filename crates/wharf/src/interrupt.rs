//! Ctrl-C: the first stops the build in good order, the second at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
    iterator::Signals,
};
use wharf_solver::Cancel;

const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Says so when SIGINT, SIGTERM or SIGHUP has come.
pub(crate) fn on_signal() -> Cancel {
    let came = Arc::new(AtomicBool::new(false));
    for signal in SIGNALS {
        // In this order: the first finds the flag unset, and sets it. One that cannot be caught ends the process, as it does by itself.
        let second = flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&came));
        drop(second.and_then(|_| flag::register(signal, Arc::clone(&came))));
    }
    Cancel::by_flag(Arc::clone(&came), |cancel| wait(came, cancel))
}

/// In a thread of its own, which a build that starts no process does not need.
fn wait(came: Arc<AtomicBool>, cancel: Cancel) {
    let Ok(mut signals) = Signals::new(SIGNALS) else {
        return;
    };
    thread::spawn(move || {
        if came.load(Ordering::Acquire) || signals.forever().next().is_some() {
            cancel.cancel();
        }
    });
}
