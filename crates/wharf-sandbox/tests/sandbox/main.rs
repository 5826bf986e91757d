//! Real processes in real sandboxes: each case as root, as an ordinary user with subordinate ids, and as one without.
//!
//! `main` is the test's own, since a sandbox's first processes are this program started again. Started as root, the cases of
//! ordinary users start it once more as the user `wharf-test`; started by an ordinary user, those of root are skipped.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod fuse;
mod host;
mod limits;
mod mounts;
mod network;
mod process;
mod rig;
mod roots;
mod seccomp;
mod terminal;
mod user;

use libtest_mimic::{Arguments, Trial};
use rig::{Rig, Who};
use wharf_sandbox::init_if_asked_with;

/// A case: its name and what it does.
type Case = (&'static str, fn(&Rig));

fn main() {
    init_if_asked_with(&[rig::REMOVE, roots::UPPERCASE]);
    if mounts::talk_if_asked() || process::be_victim_if_asked() {
        return;
    }
    let arguments = Arguments::from_args();
    let groups = [
        process::CASES,
        roots::CASES,
        mounts::CASES,
        limits::CASES,
        seccomp::CASES,
        network::CASES,
        terminal::CASES,
        fuse::CASES,
        host::CASES,
    ];
    let cases = || groups.iter().copied().flatten();
    // Root gets a procfs wherever it may mount.
    let applies = |who: Who, case: &Case| who != Who::Root || case.0 != process::MASKED;
    let trials = Who::ALL.iter().flat_map(|who| {
        cases()
            .filter(|case| applies(*who, case))
            .map(|case| trial(*who, *case))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    user::clean_up();
    conclusion.exit();
}

fn trial(who: Who, (name, case): Case) -> Trial {
    let full = format!("{}::{name}", who.name());
    Trial::test(full.clone(), move || {
        if user::is_here(who) {
            Rig::new(who).map_or_else(|reason| wharf_testkit::skip(&reason), |rig| case(&rig));
            Ok(())
        } else {
            user::run_as_other(who, &full)
        }
    })
}
