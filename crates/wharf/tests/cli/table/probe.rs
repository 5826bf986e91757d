//! A program that asks the kernel in ways that a shell does not, compiled on the spot, and one of 32 bits.

use std::{fs, path::Path, process::Command};

use crate::context::TestContext;

/// What a step of the table can call, and the libraries of `dynamic`.
pub(super) const PROGRAMS: &str = "probe probe32 dynamic ld.so libc.so.6";

/// Puts them into the project; says what is missing when they cannot be made.
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
            .args([&context.path("probe32"), &object]))
        && dynamic(context, &source);
    if !compiled {
        wharf_testkit::skip("the probes cannot be compiled (apt: gcc, libc6-dev, binutils)");
    }
    compiled
}

/// The same program with a C library, both and the loader in `/bin`, where no search would find them otherwise.
fn dynamic(context: &TestContext, source: &Path) -> bool {
    let loader = format!("ld-linux-{}.so.2", std::env::consts::ARCH.replace('_', "-"));
    let found = [("libc.so.6", "libc.so.6"), (&loader, "ld.so")].map(|(library, name)| {
        let path = Command::new("gcc")
            .arg(format!("-print-file-name={library}"))
            .output();
        path.is_ok_and(|path| {
            let path = String::from_utf8_lossy(&path.stdout).into_owned();
            fs::copy(path.trim(), context.path(name)).is_ok()
        })
    });
    found == [true, true]
        && run(Command::new("gcc")
            .args(["-O1", "-Wl,--dynamic-linker=/bin/ld.so,-rpath=/bin", "-o"])
            .args([&context.path("dynamic"), &source.join("probe.c")]))
}

fn run(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}
