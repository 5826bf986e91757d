//! For tests: the kernel's BPF machine, as far as filters here use it, and what filters say to calls.

use super::{
    Arch, Program,
    bpf::{AND, IF_AT_LEAST, IF_EQUAL, IF_GREATER, JUMP, LOAD, RETURN},
    profile::Context,
    rule::Action,
};
use crate::{Seccomp, caps::Capabilities};

/// What the program answers to a call.
pub(crate) fn ask(program: &Program, audit: u32, number: u32, arguments: [u64; 6]) -> Action {
    let mut data = Vec::new();
    data.extend(number.to_le_bytes());
    data.extend(audit.to_le_bytes());
    data.extend(0_u64.to_le_bytes());
    data.extend(arguments.iter().flat_map(|argument| argument.to_le_bytes()));
    run(program, &data)
}

fn run(program: &Program, data: &[u8]) -> Action {
    let (mut at, mut a) = (0, 0);
    loop {
        let now = program.0[at];
        at += 1;
        let branch = |holds: bool| usize::from(if holds { now.when } else { now.otherwise });
        let offset = now.operand as usize;
        match now.code {
            LOAD => a = u32::from_le_bytes(data[offset..offset + 4].try_into().unwrap()),
            AND => a &= now.operand,
            JUMP => at += offset,
            IF_EQUAL => at += branch(a == now.operand),
            IF_GREATER => at += branch(a > now.operand),
            IF_AT_LEAST => at += branch(a >= now.operand),
            RETURN => return Action(now.operand),
            other => panic!("instruction {other:#x}"),
        }
    }
}

fn context(arch: Arch) -> Context {
    Context {
        capabilities: Capabilities::docker(),
        arch,
        kernel: (6, 1),
    }
}

fn default(arch: Arch) -> Program {
    Seccomp::Default.compile(&context(arch)).unwrap().unwrap()
}

fn custom(text: &str) -> Program {
    let profile = Seccomp::Profile(text.to_owned());
    profile.compile(&context(Arch::X86_64)).unwrap().unwrap()
}

fn call(program: &Program, arch: Arch, name: &str, first: u64) -> Action {
    ask(
        program,
        arch.audit(),
        arch.number(name).unwrap(),
        [first, 0, 0, 0, 0, 0],
    )
}

const EPERM: Action = Action::errno(1);
const ENOSYS: Action = Action::errno(38);

#[test]
fn dockers_profile_says_what_docker_says() {
    const CLONE_NEWUSER: u64 = 0x1000_0000;
    let cases = [
        ("read", 0, Action::ALLOW),
        ("mount", 0, EPERM),
        ("unshare", CLONE_NEWUSER, EPERM),
        ("clone", 0x11, Action::ALLOW),
        ("clone", CLONE_NEWUSER, EPERM),
        ("clone3", 0, ENOSYS),
        ("personality", 0, Action::ALLOW),
        ("personality", 0xffff_ffff, Action::ALLOW),
        ("personality", 1, EPERM),
        ("chroot", 0, Action::ALLOW),
        ("ptrace", 0, Action::ALLOW),
        ("keyctl", 0, EPERM),
    ];
    for arch in [Arch::X86_64, Arch::X86, Arch::X32, Arch::Aarch64, Arch::Arm] {
        let native = if matches!(arch, Arch::Aarch64 | Arch::Arm) {
            Arch::Aarch64
        } else {
            Arch::X86_64
        };
        let program = default(native);
        for (name, first, expected) in cases {
            assert_eq!(
                call(&program, arch, name, first),
                expected,
                "{name}({first:#x}) on {arch:?}"
            );
        }
    }
}

#[test]
fn sockets_of_virtual_machines_are_refused() {
    let program = default(Arch::X86_64);
    for (family, expected) in [
        (1, Action::ALLOW),
        (39, Action::ALLOW),
        (40, EPERM),
        (41, Action::ALLOW),
    ] {
        assert_eq!(
            call(&program, Arch::X86_64, "socket", family),
            expected,
            "family {family}"
        );
    }
}

#[test]
fn calls_newer_than_the_profile_do_not_exist() {
    let program = default(Arch::X86_64);
    for (arch, number) in [
        (Arch::X86_64, 600),
        (Arch::X86, 600),
        (Arch::X32, 0x4000_0000 + 900),
    ] {
        assert_eq!(ask(&program, arch.audit(), number, [0; 6]), ENOSYS, "{arch:?}");
    }
    let program = default(Arch::Aarch64);
    assert_eq!(ask(&program, Arch::Arm.audit(), 600, [0; 6]), ENOSYS);
    assert_eq!(ask(&program, Arch::Arm.audit(), 0xf_0005, [0; 6]), Action::ALLOW);
}

#[test]
fn other_conventions_end_the_process() {
    let program = default(Arch::X86_64);
    assert_eq!(ask(&program, Arch::Arm.audit(), 3, [0; 6]), Action::KILL_PROCESS);
    let narrow = custom(r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"]}"#);
    assert_eq!(ask(&narrow, Arch::X86.audit(), 3, [0; 6]), Action::KILL_PROCESS);
    assert_eq!(
        ask(&narrow, Arch::X86_64.audit(), 0x4000_0003, [0; 6]),
        Action::KILL_PROCESS
    );
    assert_eq!(ask(&narrow, Arch::X86_64.audit(), 3, [0; 6]), Action::ALLOW);
    assert_eq!(ask(&narrow, Arch::X86_64.audit(), 5000, [0; 6]), Action::ALLOW);
}

#[test]
fn capabilities_open_their_calls() {
    let admin = Context {
        capabilities: Capabilities::all(),
        ..context(Arch::X86_64)
    };
    let program = Seccomp::Default.compile(&admin).unwrap().unwrap();
    assert_eq!(call(&program, Arch::X86_64, "mount", 0), Action::ALLOW);
    assert_eq!(call(&program, Arch::X86_64, "clone3", 0), Action::ALLOW);
    let old = Context {
        kernel: (4, 4),
        ..context(Arch::X86_64)
    };
    let program = Seccomp::Default.compile(&old).unwrap().unwrap();
    assert_eq!(call(&program, Arch::X86_64, "ptrace", 0), EPERM);
}

type Holds = fn(u64, u64) -> bool;

/// Every comparison against values around its own, in both halves.
#[test]
fn comparisons_cover_all_64_bits() {
    let values = [
        0,
        1,
        5,
        6,
        0xffff_ffff,
        1 << 32,
        (1 << 32) | 5,
        (5 << 32) | 4,
        (5 << 32) | 5,
        (5 << 32) | 6,
        6 << 32,
        u64::MAX,
    ];
    let comparisons: [(&str, Holds); 6] = [
        ("EQ", |a, b| a == b),
        ("NE", |a, b| a != b),
        ("LT", |a, b| a < b),
        ("LE", |a, b| a <= b),
        ("GT", |a, b| a > b),
        ("GE", |a, b| a >= b),
    ];
    for (name, holds) in comparisons {
        for wanted in values {
            let program = custom(&format!(
                r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":["read"],"action":"SCMP_ACT_ALLOW",
                "args":[{{"index":2,"value":{wanted},"op":"SCMP_CMP_{name}"}},{{"index":0,"value":7,"op":"SCMP_CMP_EQ"}}]}}]}}"#
            ));
            for given in values {
                let answer = ask(&program, Arch::X86_64.audit(), 0, [7, 0, given, 0, 0, 0]);
                let expected = if holds(given, wanted) {
                    Action::ALLOW
                } else {
                    EPERM
                };
                assert_eq!(answer, expected, "{given:#x} {name} {wanted:#x}");
            }
            let answer = ask(&program, Arch::X86_64.audit(), 0, [8, 0, wanted, 0, 0, 0]);
            assert_eq!(answer, EPERM, "both conditions must hold");
        }
    }
}

#[test]
fn an_argument_tested_twice_makes_two_rules() {
    let program = custom(
        r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":13,"syscalls":[{"name":"read","action":"SCMP_ACT_ALLOW",
        "args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":0,"value":2,"op":"SCMP_CMP_EQ"}]}]}"#,
    );
    let answers = [0, 1, 2].map(|first| call(&program, Arch::X86_64, "read", first));
    assert_eq!(answers, [Action::errno(13), Action::ALLOW, Action::ALLOW]);
}

#[test]
fn ids_seem_to_change_and_fifos_are_made() {
    let program = super::ids_and_devices(Arch::X86_64).unwrap();
    let node = |arch: Arch, mode| {
        ask(
            &program,
            arch.audit(),
            arch.number("mknodat").unwrap(),
            [0, 0, mode, 0, 0, 0],
        )
    };
    for arch in [Arch::X86_64, Arch::X86, Arch::X32] {
        assert_eq!(call(&program, arch, "fchownat", 0), Action::errno(0));
        assert_eq!(call(&program, arch, "read", 0), Action::ALLOW);
        assert_eq!(node(arch, 0o020_644), Action::errno(0));
        assert_eq!(node(arch, 0o060_644), Action::errno(0));
        assert_eq!(node(arch, 0o010_644), Action::ALLOW);
    }
    assert_eq!(call(&program, Arch::X86, "chown32", 0), Action::errno(0));
}

#[test]
fn broken_profiles_are_errors() {
    let error = |text: &str| {
        Seccomp::Profile(text.to_owned())
            .compile(&context(Arch::X86_64))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(error("{"), "not a seccomp profile in JSON");
    assert_eq!(
        error(r#"{"defaultAction":"SCMP_ACT_NOTIFY"}"#),
        "action `SCMP_ACT_NOTIFY` is not supported"
    );
    assert_eq!(
        error(
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_KILL","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]}]}"#
        ),
        "a call has no argument 6"
    );
}

#[test]
fn the_program_is_small() {
    let length = default(Arch::X86_64).len();
    assert!(length < 1024, "{length} instructions");
}
