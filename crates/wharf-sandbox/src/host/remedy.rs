//! What to do about what is missing.

use std::fs;

use super::Feature;

/// A kernel setting that shuts user namespaces, the value that does, and what to do.
const SWITCHES: &[(&str, &str, &str)] = &[
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor keeps user namespaces from programs without a profile; as root: sysctl \
         kernel.apparmor_restrict_unprivileged_userns=0, or give this program a profile with `userns,`",
    ),
    (
        "/proc/sys/kernel/unprivileged_userns_clone",
        "0",
        "as root: sysctl kernel.unprivileged_userns_clone=1",
    ),
    (
        "/proc/sys/user/max_user_namespaces",
        "0",
        "as root: sysctl user.max_user_namespaces=15000",
    ),
];

/// What to do about a missing feature.
pub(super) fn of(feature: Feature) -> String {
    let text = match feature {
        Feature::UserNamespace | Feature::Namespaces => return namespaces(),
        Feature::SubordinateIds => return subordinate(true),
        Feature::NetworkNamespace => {
            "steps with --network=none need it; in a container: --security-opt seccomp=unconfined"
        }
        Feature::Procfs => {
            "in a container: --security-opt systempaths=unconfined; without it processes of a step are seen outside and \
             the other way round"
        }
        Feature::Overlay => {
            "put the store on a file system that can carry an overlay's upper directory (ext4, xfs, btrfs, tmpfs; not overlayfs \
             itself), with a kernel of 5.12 or newer"
        }
        Feature::Fuse => {
            "load the module fuse and let this user open /dev/fuse (as root: modprobe fuse; chmod 0666 /dev/fuse; in a \
             container: --device /dev/fuse)"
        }
        Feature::Seccomp => "needs a kernel with CONFIG_SECCOMP_FILTER",
        Feature::Cgroups => {
            "limits on memory and processors need a cgroup of one's own: systemd-run --user --scope -p Delegate=yes"
        }
        Feature::Egress => {
            "install the package passt, and let this user open /dev/net/tun (as root: chmod 0666 /dev/net/tun)"
        }
    };
    text.to_owned()
}

fn namespaces() -> String {
    let shut = |(path, value, _): &&(&str, &str, &str)| {
        fs::read_to_string(path).is_ok_and(|now| now.trim() == *value)
    };
    SWITCHES.iter().find(shut).map_or_else(
        || {
            "in a container: --security-opt seccomp=unconfined --security-opt apparmor=unconfined; in a chroot no user \
             namespace can be made"
                .to_owned()
        },
        |(_, _, remedy)| (*remedy).to_owned(),
    )
}

/// What to do to have subordinate ids, with the tools installed or without.
pub(super) fn subordinate(tools: bool) -> String {
    let install = if tools {
        ""
    } else {
        "install the package uidmap; then "
    };
    format!("{install}as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER")
}
