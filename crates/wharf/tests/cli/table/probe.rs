//! A program that asks the kernel in ways that a shell does not, compiled on the spot, and one of 32 bits.

use std::{path::Path, process::Command};

use crate::context::TestContext;

/// Puts `probe` and `probe32` into the project; says what is missing when they cannot be made.
pub(super) fn compile(context: &TestContext) -> bool {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/table");
    let (probe, object) = (context.path("probe"), context.out("probe32.o"));
    let compiled = run(Command::new("gcc")
        .args(["-O1", "-static", "-o"])
        .args([&probe, &source.join("probe.c")]))
        && run(Command::new("as")
            .args(["--32", "-o"])
            .args([&object, &source.join("probe32.s")]))
        && run(Command::new("ld")
            .args(["-m", "elf_i386", "-o"])
            .args([&context.path("probe32"), &object]));
    if !compiled {
        wharf_testkit::skip("the probes cannot be compiled (apt: gcc, libc6-dev, binutils)");
    }
    compiled
}

fn run(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}
