//! File times with the tools that look at them: Python's bytecode, make's targets, cargo's fingerprints.

use std::{fs, path::Path, process::Command, thread, time::Duration};

use crate::{
    context::{TestContext, files},
    outcome::Outcome,
};

const DOCKERFILE: &str = r#"
    FROM dev
    WORKDIR /app
    COPY . .
    RUN python3 -m compileall -q py
    RUN make
    RUN --mount=type=bind,from=rust,target=/rust --mount=type=cache,target=/target \
        CARGO_HOME=/tmp/cargo CARGO_TARGET_DIR=/target PATH=/rust/bin:$PATH cargo build --quiet --offline && cp /target/debug/app built
"#;

const FILES: &[(&str, &str)] = &[
    (
        "wharf.toml",
        "[base.dev]\napt = \"host\"\nvariant = \"minbase\"\npackages = [\"gcc\", \"libc6-dev\", \"make\", \"python3\"]\n",
    ),
    (".dockerignore", "wharf.toml\nDockerfile\n"),
    ("NOTES", "note"),
    ("py/__init__.py", ""),
    ("py/words.py", "WORD = 'hello'\n"),
    (
        "Makefile",
        "hello: hello.o\n\t$(CC) -o $@ $^\nhello.o: hello.c word.h\n",
    ),
    (
        "hello.c",
        "#include \"word.h\"\nint main(void) { return WORD; }\n",
    ),
    ("word.h", "#define WORD 3\n"),
    (
        "Cargo.toml",
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
    ),
    (
        "Cargo.lock",
        "version = 3\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n",
    ),
    ("src/main.rs", "fn main() { println!(\"three\"); }\n"),
];

/// Writes everything as a checkout does: with the time of now.
fn check_out(context: &TestContext) {
    for (path, text) in FILES {
        let _ = fs::remove_file(context.path(path));
        context.write(path, text);
    }
    context.write("Dockerfile", DOCKERFILE);
    // Whole seconds later nothing is by chance as old as it was.
    thread::sleep(Duration::from_millis(1100));
}

/// The toolchain that built this test, for a bind mount: nothing has to be downloaded.
pub(crate) fn toolchain() -> Option<String> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    Path::new(&path).join("bin/cargo").exists().then_some(path)
}

fn build(context: &TestContext, toolchain: &str) -> Option<Outcome> {
    let rust = format!("rust={toolchain}");
    let args = [
        "build",
        "--progress=plain",
        "--build-context",
        &rust,
        "-t",
        "app",
        ".",
    ];
    let built = context.wharf(args);
    if built.code == 3 {
        wharf_testkit::skip("no base can be made of this machine's packages");
        return None;
    }
    Some(built.success())
}

/// What the tools in the image think of it.
fn assert_fresh(context: &TestContext) {
    let verbose = context
        .wharf(["run", "app", "python3", "-v", "-c", "import py.words"])
        .success();
    let said = format!("{}{}", verbose.stdout, verbose.stderr);
    assert!(said.contains("words.cpython"), "{said}");
    assert!(!said.contains("bytecode is stale"), "{said}");
    let question = context.wharf(["run", "app", "make", "-q"]);
    assert_eq!(question.code, 0, "make has something to do: {}", question.stderr);
    let program = context.wharf(["run", "app", "/app/built"]).success();
    assert_eq!(program.stdout, "three\n");
}

#[test]
fn a_fresh_checkout_leaves_bytecode_targets_and_fingerprints_true() {
    let Some(toolchain) = toolchain() else {
        wharf_testkit::skip("there is no rustc with a cargo beside it");
        return;
    };
    let context = TestContext::new();
    check_out(&context);
    let Some(first) = build(&context, &toolchain) else {
        return;
    };
    assert_fresh(&context);
    check_out(&context);
    let second = build(&context, &toolchain).expect("it built before");
    assert!(second.stderr.contains("0 steps run"), "{}", second.stderr);
    assert_eq!(second.digest(), first.digest());
    // With a change that none of them reads, the COPY is another one.
    check_out(&context);
    context.write("NOTES", "another note");
    let third = build(&context, &toolchain).expect("it built before");
    assert!(third.stderr.contains("1 step run"), "{}", third.stderr);
    assert_fresh(&context);
    // A change that no object shows: what make made stays as it was, and is not older than its source for it.
    check_out(&context);
    let source = context.path("hello.c");
    let text = fs::read_to_string(&source).expect("it was checked out");
    fs::write(source, text.trim_end().to_owned() + " // three\n").expect("the project is writable");
    let commented = build(&context, &toolchain).expect("it built before");
    assert!(commented.stderr.contains("2 steps run"), "{}", commented.stderr);
    assert_fresh(&context);
    // A change of a header, and back again to what there was.
    check_out(&context);
    context.write("word.h", "#define WORD 4\n");
    let fourth = build(&context, &toolchain).expect("it built before");
    assert!(fourth.stderr.contains("2 steps run"), "{}", fourth.stderr);
    assert_fresh(&context);
    assert_eq!(context.wharf(["run", "app", "/app/hello"]).code, 4);
    check_out(&context);
    let fifth = build(&context, &toolchain).expect("it built before");
    assert_eq!(fifth.digest(), first.digest(), "{}", fifth.stderr);
    assert_fresh(&context);
}

/// Builds the checkout `name`, which is older than the next one by more than a second, and returns the image as a tarball.
fn build_checkout(context: &TestContext, name: &str) -> Option<(Outcome, Vec<u8>)> {
    let tar = context.out(format!("{name}.tar"));
    let output = format!("type=tar,dest={}", tar.display());
    let mut args = context.build_args(&["-o", &output])?;
    *args.last_mut().expect("the context") = context.out(name).display().to_string();
    let built = context.wharf(args).success();
    Some((built, fs::read(tar).expect("the build wrote it")))
}

#[test]
fn times_that_were_put_back_and_lost_are_put_back_again() {
    const DOCKERFILE: &str = "FROM busybox\nCOPY . /app\nRUN cat /app/file > /copy\n";
    let context = TestContext::new();
    for name in ["one", "two"] {
        fs::create_dir(context.out(name)).expect("it is new");
        for (file, text) in [("file", "same"), ("note", name), ("Dockerfile", DOCKERFILE)] {
            fs::write(context.out(name).join(file), text).expect("the directory is ours");
        }
        // Whole seconds later nothing is by chance as old as it was.
        thread::sleep(Duration::from_millis(1100));
    }
    if build_checkout(&context, "one").is_none() {
        return;
    }
    let times = context.store().join("v1/times");
    let before = files(&times);
    let (built, image) = build_checkout(&context, "two").expect("it built before");
    assert_eq!(built.count("CACHED"), 1, "{}", built.stderr);
    let mut put_back = files(&times);
    put_back.retain(|path| !before.contains(path));
    assert!(!put_back.is_empty(), "no times were put back");
    for lost in put_back {
        fs::remove_file(lost).expect("the store is ours");
    }
    let (_, again) = build_checkout(&context, "two").expect("it built before");
    assert!(again == image, "the image is another one");
}
