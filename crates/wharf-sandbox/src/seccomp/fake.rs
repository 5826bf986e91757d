//! The filter of a user namespace with one id only: programs that change owners or ids, or make devices, are told that it worked.
//!
//! dpkg, tar and useradd then go on; the files stay what they are. It is installed *before* a profile, so that what the
//! profile denies stays denied: of two errors the kernel returns that of the newer filter.

use super::{
    Arch, Program,
    compile::compile,
    profile::ProfileError,
    rule::{Action, Condition, Filter, Rule, Test},
};

/// Calls that change an owner or the ids of the process.
const IDS: &[&str] = &[
    "chown",
    "chown32",
    "fchown",
    "fchown32",
    "fchownat",
    "lchown",
    "lchown32",
    "setfsgid",
    "setfsgid32",
    "setfsuid",
    "setfsuid32",
    "setgid",
    "setgid32",
    "setgroups",
    "setgroups32",
    "setregid",
    "setregid32",
    "setresgid",
    "setresgid32",
    "setresuid",
    "setresuid32",
    "setreuid",
    "setreuid32",
    "setuid",
    "setuid32",
];

/// The calls that make a node, and which argument is the mode.
const NODES: &[(&str, u8)] = &[("mknod", 1), ("mknodat", 2)];

/// The type bits of a mode, and those of devices. FIFOs, sockets and plain files are really made.
const TYPE: u64 = 0o170_000;
const DEVICES: [u64; 2] = [0o020_000, 0o060_000];

/// The program for a process on a machine of that architecture, for all calling conventions that it has.
///
/// # Errors
/// Never on the architectures that there are; the compiler's limits are the reason for the type.
pub fn ids_and_devices(native: Arch) -> Result<Program, ProfileError> {
    let success = Action::errno(0);
    let mut rules = vec![Rule {
        calls: IDS.iter().map(ToString::to_string).collect(),
        conditions: Vec::new(),
        action: success,
    }];
    for (call, argument) in NODES {
        rules.extend(DEVICES.map(|device| Rule {
            calls: vec![(*call).to_owned()],
            conditions: vec![Condition {
                argument: *argument,
                test: Test::Masked {
                    mask: TYPE,
                    value: device,
                },
            }],
            action: success,
        }));
    }
    compile(&Filter {
        arches: family(native),
        default: Action::ALLOW,
        rules,
    })
}

fn family(native: Arch) -> Vec<Arch> {
    match native {
        Arch::Aarch64 | Arch::Arm => vec![Arch::Aarch64, Arch::Arm],
        Arch::X86_64 | Arch::X86 | Arch::X32 => vec![Arch::X86_64, Arch::X86, Arch::X32],
    }
}
