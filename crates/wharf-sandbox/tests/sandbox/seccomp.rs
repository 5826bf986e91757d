//! Filters in the kernel, for 64-bit and 32-bit programs.

use std::{fs, process::Command};

use wharf_sandbox::{Exit, Seccomp};

use crate::{Case, rig::Rig};

pub(crate) const CASES: &[Case] = &[
    ("denied_calls", denied_calls),
    ("a_profile_of_ones_own", a_profile_of_ones_own),
    ("no_filter", no_filter),
    ("programs_of_32_bits", programs_of_32_bits),
];

fn denied_calls(rig: &Rig) {
    // unshare(CLONE_NEWUSER): what Docker's profile denies to who lacks CAP_SYS_ADMIN.
    let outcome = rig.run(&rig.script("unshare -U true; unshare -m true"));
    assert_eq!(
        outcome.output,
        "unshare: unshare(0x10000000): Operation not permitted\nunshare: unshare(0x20000): Operation not permitted\n"
    );
}

fn a_profile_of_ones_own(rig: &Rig) {
    let mut spec = rig.script("mkdir /tmp/x; echo $?; kill -0 $$; echo alive");
    spec.seccomp = Seccomp::Profile(
        r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
            {"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28},
            {"names":["kill"],"action":"SCMP_ACT_KILL_PROCESS"}]}"#
            .into(),
    );
    let outcome = rig.run(&spec);
    assert_eq!(
        outcome.output,
        "mkdir: can't create directory '/tmp/x': No space left on device\n1\n"
    );
    // SIGSYS
    assert_eq!(outcome.exit, Exit::Signal(31));
    spec.seccomp = Seccomp::Profile("{".into());
    assert!(
        rig.try_run(&spec)
            .unwrap_err()
            .to_string()
            .contains("seccomp profile")
    );
}

fn no_filter(rig: &Rig) {
    let mut spec = rig.script("unshare -U true && echo free");
    spec.seccomp = Seccomp::Unconfined;
    assert_eq!(rig.run(&spec).output, "free\n");
}

/// Says which of its calls were let through: getpid (20), mkdir (39), unshare (310).
const SOURCE: &str = r"
static int call(int number, int first, int second) {
    int result;
    __asm__ volatile(`int $0x80` : `=a`(result) : `a`(number), `b`(first), `c`(second) : `memory`);
    return result;
}
void _start(void) {
    int pid = call(20, 0, 0);
    int made = call(39, (int)`/tmp/made`, 0755);
    int unshared = call(310, 0x10000000, 0);
    call(1, (pid > 0) | (made == 0) << 1 | (unshared == -1) << 2, 0);
}
";

fn programs_of_32_bits(rig: &Rig) {
    if cfg!(not(target_arch = "x86_64")) {
        return wharf_testkit::skip("32-bit programs are tried on x86-64");
    }
    let source = rig.scratch.write("small.c", SOURCE.replace('`', "\""));
    let program = rig.root().join("bin/small");
    let built = Command::new("gcc")
        .args([
            "-m32",
            "-static",
            "-nostdlib",
            "-fno-pie",
            "-no-pie",
            "-fno-stack-protector",
            "-o",
        ])
        .args([&program, &source])
        .output();
    match built {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => return wharf_testkit::skip(&format!("gcc: {error}")),
    }
    assert_eq!(rig.run(&rig.spec(&["small"])).exit, Exit::Code(7));
    fs::remove_file(program).unwrap();
}
