//! Limits of resources, and sizes.

use std::fs;

use wharf_sandbox::{Exit, Io, Limits, Resource, Ulimit};

use crate::{Case, rig::Rig};

pub(crate) const CASES: &[Case] = &[
    ("ulimits", ulimits),
    ("shared_memory", shared_memory),
    ("cgroups_or_a_note", cgroups_or_a_note),
];

fn ulimits(rig: &Rig) {
    let mut spec = rig.script("ulimit -n; ulimit -Hn; ulimit -c");
    spec.ulimits = vec![
        Ulimit {
            resource: Resource::Nofile,
            soft: Some(100),
            hard: Some(200),
        },
        Ulimit {
            resource: Resource::Core,
            soft: Some(0),
            hard: Some(0),
        },
    ];
    assert_eq!(rig.run(&spec).output, "100\n200\n0\n");
    assert_eq!(Resource::parse("nofile"), Some(Resource::Nofile));
    assert_eq!(Resource::parse("files"), None);
}

fn shared_memory(rig: &Rig) {
    let mut spec = rig.script("df -k /dev/shm | awk 'END {print $2}'");
    spec.shm_size = 1 << 20;
    assert_eq!(rig.run(&spec).output, "1024\n");
}

/// With a cgroup the limit holds; without one it is said that it does not.
fn cgroups_or_a_note(rig: &Rig) {
    let mut spec = rig.script("exit 3");
    spec.limits = Limits {
        processes: Some(50),
        ..Limits::default()
    };
    let mut running = rig.sandbox.start(&spec, Io::null().unwrap()).unwrap();
    let notes = running.ready().unwrap().notes;
    let unified = fs::exists("/sys/fs/cgroup/cgroup.controllers").unwrap();
    assert!(
        unified || notes == ["limits are not kept: no cgroup v2 hierarchy at /sys/fs/cgroup"],
        "{notes:?}"
    );
    assert_eq!(running.wait().unwrap(), Exit::Code(3));
}
