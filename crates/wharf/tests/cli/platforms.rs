//! Images for other platforms and for several: what they hold, where they go, and which of their steps run.

use std::{fs, path::Path};

use serde_json::Value;
use wharf_testkit::docker_registry::{DockerRegistry, Setup};

use crate::{
    context::{TestContext, names, started_by},
    foreign::{self, FOREIGN, HOST},
    outcome::Outcome,
    programs::tool,
    user::User,
};

/// Nothing of it runs: what is compiled for the target comes from a stage of this machine's platform.
const COMPILED: &str = r#"
    FROM --platform=$BUILDPLATFORM busybox AS tools
    RUN echo shared > /shared

    FROM --platform=$BUILDPLATFORM tools AS build
    ARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT BUILDPLATFORM
    RUN echo "$BUILDPLATFORM to $TARGETPLATFORM: $TARGETOS, $TARGETARCH, '$TARGETVARIANT'" > /made

    FROM scratch
    ARG TARGETPLATFORM
    COPY --from=build /made /shared /
    LABEL platform=$TARGETPLATFORM
"#;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("it was written")).expect("JSON")
}

/// A blob of a layout.
fn blob(layout: &Path, descriptor: &Value) -> Value {
    let digest = descriptor["digest"].as_str().expect("a digest");
    json(&layout.join("blobs").join(digest.replace(':', "/")))
}

fn platform_of(value: &Value) -> String {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let variant = text("variant");
    let end = if variant.is_empty() {
        String::new()
    } else {
        format!("/{variant}")
    };
    format!("{}/{}{end}", text("os"), text("architecture"))
}

#[test]
fn one_foreign_platform_needs_no_emulator_where_nothing_runs() {
    let context = TestContext::new();
    for (wanted, normal) in [
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/s390x", "linux/s390x"),
        ("freebsd/amd64", "freebsd/amd64"),
    ] {
        let args = ["-t", "image", "--platform", wanted];
        let Some(built) = context.build(COMPILED, &args) else {
            return;
        };
        built.success();
        let config: Value = serde_json::from_str(&context.inspect("image", "/config")).expect("JSON");
        assert_eq!(platform_of(&config), normal);
        assert_eq!(config["config"]["Labels"]["platform"], normal);
    }
}

#[test]
fn the_environment_names_a_platform_as_it_does_for_docker() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    for (flag, expected) in [(None, "s390x"), (Some("--platform=linux/riscv64"), "riscv64")] {
        let args = ["build", "-t", "image"].into_iter().chain(flag).chain(["."]);
        let mut command = context.command(args);
        Outcome::of(command.env("DOCKER_DEFAULT_PLATFORM", "linux/s390x")).success();
        assert_eq!(context.inspect("image", "/config/architecture"), expected);
    }
}

#[test]
fn several_platforms_are_one_index() {
    let context = TestContext::new();
    let args = [
        "--platform",
        "linux/amd64,linux/arm64/v8,linux/arm",
        "--platform=linux/aarch64",
        "-t",
        "example.com/made:1",
        "--annotation",
        "index:org.example.all=yes",
        "--annotation",
        "manifest[linux/arm64],manifest-descriptor[linux/arm64]:org.example.one=yes",
        "--metadata-file=../out/metadata.json",
        "--iidfile=../out/iid",
        "-o",
        "type=oci,tar=false,dest=../out/layout",
        "-o",
        "type=oci,dest=../out/oci.tar",
        "-o",
        "type=local,dest=../out/files",
        "-o",
        "type=tar,dest=../out/files.tar",
        "-o",
        "type=image",
    ];
    let Some(built) = context.build(COMPILED, &args) else {
        return;
    };
    let built = built.success();
    assert_eq!(built.count("RUN echo shared"), 1, "{}", built.stderr);
    let titles = [
        format!("[{HOST} tools 1/2] FROM"),
        format!("[{HOST} build 1/1] RUN echo"),
        format!("[{HOST}->arm/v7 build 1/1] RUN echo"),
        "[linux/arm64 stage-2 1/1] COPY".to_owned(),
    ];
    for title in titles {
        assert!(built.stderr.contains(&title), "{title}:\n{}", built.stderr);
    }
    let platforms = ["linux/amd64", "linux/arm64", "linux/arm/v7"];
    check_layout(&context.out("layout"), &platforms);
    check_metadata(&context);
    check_files(&context);
    let listed = context.wharf(["images", "--json"]).success().json();
    assert_eq!(listed[0]["platforms"], serde_json::json!(platforms));
    let skopeo = [
        "inspect",
        "--raw",
        &format!("oci:{}:1", context.out("layout").display()),
    ];
    if let Some(index) = tool("skopeo", skopeo) {
        assert_eq!(index.matches("\"platform\"").count(), 3, "{index}");
    }
}

fn check_layout(layout: &Path, platforms: &[&str]) {
    let index = json(&layout.join("index.json"));
    assert_eq!(index["manifests"].as_array().map(Vec::len), Some(1));
    let top = blob(layout, &index["manifests"][0]);
    assert_eq!(top["mediaType"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(top["annotations"]["org.example.all"], "yes");
    let entries = top["manifests"].as_array().expect("manifests");
    let found: Vec<_> = entries
        .iter()
        .map(|entry| platform_of(&entry["platform"]))
        .collect();
    assert_eq!(found, platforms);
    for entry in entries {
        let manifest = blob(layout, entry);
        let platform = platform_of(&entry["platform"]);
        assert_eq!(platform_of(&blob(layout, &manifest["config"])), platform);
        let marked = platform == "linux/arm64";
        for annotations in [&entry["annotations"], &manifest["annotations"]] {
            assert_eq!(annotations["org.example.one"] == "yes", marked, "{platform}");
        }
    }
}

fn check_metadata(context: &TestContext) {
    let metadata = json(&context.out("metadata.json"));
    let descriptor = &metadata["containerimage.descriptor"];
    assert_eq!(descriptor["mediaType"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(descriptor["digest"], metadata["containerimage.digest"]);
    assert_eq!(descriptor["platform"], Value::Null);
    assert_eq!(metadata["containerimage.config.digest"], Value::Null);
    assert_eq!(metadata["image.name"], "example.com/made:1");
    let index = json(&context.out("layout/index.json"));
    assert_eq!(index["manifests"][0]["digest"], metadata["containerimage.digest"]);
    let id = fs::read_to_string(context.out("iid")).expect("it was asked for");
    assert_eq!(metadata["containerimage.digest"], *id);
}

fn check_files(context: &TestContext) {
    let files = context.out("files");
    let mut folders = names(&files);
    folders.retain(|name| !name.contains("/made") && !name.contains("/shared"));
    for (folder, said) in [
        ("linux_amd64", "linux/amd64: linux, amd64, ''"),
        ("linux_arm64", "linux/arm64: linux, arm64, ''"),
        ("linux_arm_v7", "linux/arm/v7: linux, arm, 'v7'"),
    ] {
        let made = fs::read_to_string(files.join(folder).join("made")).expect("a folder a platform");
        assert_eq!(made, format!("{HOST} to {said}\n"));
    }
    let archive = context.out("files.tar").display().to_string();
    if let Some(listed) = tool("tar", ["-tf", &archive]) {
        assert!(listed.contains("linux_arm_v7/made"), "{listed}");
    }
}

#[test]
fn what_takes_one_image_says_so_before_anything_runs() {
    let platforms = ["--platform", "linux/amd64,linux/arm64"];
    for output in [&["--load"][..], &["-o", "type=docker,dest=../out/x.tar"]] {
        let context = TestContext::new();
        context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
        let args = ["build"].iter().chain(&platforms).chain(output).chain(&["."]);
        let refused = context.wharf(args).exits(2);
        refused
            .says("docker exporter does not currently support exporting manifest lists")
            .says("type=oci")
            .never_says("COPY");
    }
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let args = [
        "build",
        "--platform=linux/s390x",
        "--annotation=manifest[linux/arm64]:a=b",
        ".",
    ];
    context.wharf(args).exits(2).says("linux/arm64");
    let split = [
        "build",
        &platforms.join("="),
        "-o",
        "type=local,dest=../out/all,platform-split=false",
        ".",
    ];
    let failed = context.wharf(split).exits(3);
    failed.says("cannot overwrite /Dockerfile from linux/amd64 with linux/arm64");
}

#[test]
fn a_folder_is_made_for_one_platform_when_it_is_asked_for() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let output = "type=local,dest=../out/one,platform-split=true";
    context
        .wharf(["build", "--platform=linux/arm/v5", "-o", output, "."])
        .success();
    assert!(context.out("one/linux_arm_v5/Dockerfile").exists());
}

#[test]
fn an_index_is_pushed_pulled_and_built_upon() {
    let Some(registry) = DockerRegistry::start(&Setup::default()) else {
        return;
    };
    let name = format!("{}/group/many:1", registry.authority());
    let context = TestContext::new();
    let platforms = format!("{HOST},{}", FOREIGN.platform);
    let args = ["-t", &name, "--platform", &platforms, "--push", "-q"];
    let Some(built) = context.build(COMPILED, &args) else {
        return;
    };
    let digest = built.success().stdout.trim().to_owned();
    let image = format!("docker://{name}");
    if let Some(raw) = tool("skopeo", ["inspect", "--raw", "--tls-verify=false", &image]) {
        let index: Value = serde_json::from_str(&raw).expect("JSON");
        assert_eq!(index["manifests"].as_array().map(Vec::len), Some(2));
        // Every manifest and blob is there.
        let copy = format!("oci:{}:1", context.out("copy").display());
        let flags = [
            "copy",
            "--all",
            "-q",
            "--insecure-policy",
            "--src-tls-verify=false",
        ];
        tool("skopeo", flags.into_iter().chain([&*image, &*copy]));
    }
    for platform in [HOST, FOREIGN.platform] {
        let other = TestContext::new();
        other.write("Dockerfile", &format!("FROM {name}\nCOPY Dockerfile /\n"));
        let output = "type=local,dest=../out/files";
        other
            .wharf(["build", "--platform", platform, "-o", output, "."])
            .success();
        let made = fs::read_to_string(other.out("files/made")).expect("the base's file");
        assert!(made.contains(&format!("to {platform}:")), "{made}");
    }
    let copied = format!("{}/copied/many:1", registry.authority());
    let pushed = context.wharf(["push", &name, &copied]).success();
    assert!(pushed.stdout.contains(&digest), "{}", pushed.stdout);
    let lacking = TestContext::new();
    lacking.write("Dockerfile", &format!("FROM {name}\nCOPY Dockerfile /\n"));
    let failed = lacking.wharf(["build", "--platform=linux/s390x", "."]).exits(3);
    failed.says("linux/s390x").says("name an image for this platform");
}

#[test]
fn an_index_is_pulled_whole_and_in_part_with_what_is_attested() {
    let Some(registry) = DockerRegistry::start(&Setup::default()) else {
        return;
    };
    let name = |tag: &str| format!("{}/group/many:{tag}", registry.authority());
    let context = TestContext::new();
    context.write(
        "Dockerfile",
        "FROM scratch\nARG TARGETARCH\nENV ARCH=$TARGETARCH\nCOPY Dockerfile /\n",
    );
    let platforms = "--platform=linux/amd64,linux/arm64,linux/s390x";
    let push = [
        "build",
        "-q",
        platforms,
        "--provenance=true",
        "--push",
        "-t",
        &name("1"),
        ".",
    ];
    let digest = context.wharf(push).success().stdout.trim().to_owned();
    let again = |pulled: &TestContext, from: &str, to: &str| {
        let pushed = pulled.wharf(["push", &name(from), &name(to)]).success().stdout;
        pushed.split_whitespace().last().expect("a digest").to_owned()
    };
    let whole = TestContext::new();
    let pulled = whole.wharf(["pull", "--platform=all", &name("1")]).success();
    assert!(pulled.stdout.contains(&digest), "{}", pulled.stdout);
    assert_eq!(again(&whole, "1", "whole"), digest);
    let part = TestContext::new();
    part.wharf([
        "pull",
        "--platform=linux/s390x",
        "--platform",
        "linux/arm64",
        &name("whole"),
    ])
    .success();
    again(&part, "whole", "part");
    let last = TestContext::new();
    last.wharf(["pull", "--platform=all", &name("part")]).success();
    let shown = last.wharf(["inspect", &name("part")]).success().stdout;
    assert!(
        shown.contains("s390x") && shown.contains("arm64") && !shown.contains("amd64"),
        "{shown}"
    );
    assert!(shown.contains("slsa.dev/provenance"), "{shown}");
    let one = TestContext::new();
    one.wharf(["pull", "--platform=linux/s390x", &name("part")])
        .success();
    again(&one, "part", "one");
    one.wharf(["pull", "--platform=all", &name("one")]).success();
    let hint = "name an image for this platform";
    one.wharf(["pull", "--platform=linux/arm64", &name("one")])
        .exits(3)
        .says(hint);
    one.wharf(["pull", "--platform=linux/amd64,linux/arm64", &name("part")])
        .exits(3)
        .says(hint);
}

#[test]
fn the_store_and_layouts_give_each_platform_its_own() {
    let context = TestContext::new();
    let platforms = format!("{HOST},{}", FOREIGN.platform);
    let args = [
        "-t",
        "many",
        "--platform",
        &platforms,
        "-o",
        "type=image",
        "-o",
        "type=oci,tar=false,dest=../out/layout",
    ];
    let Some(built) = context.build(COMPILED, &args) else {
        return;
    };
    built.success();
    context.write("Second", "FROM many\nCOPY Second /\n");
    let layout = format!("many=oci-layout://{}:latest", context.out("layout").display());
    let from_layout = ["--build-context", &layout];
    build_second(&context, &platforms, &[]);
    build_second(&context, &platforms, &from_layout);
    // Some tools write the images of several platforms beside each other, under one tag.
    let index = context.out("layout/index.json");
    let mut flat = blob(&context.out("layout"), &json(&index)["manifests"][0]);
    for entry in flat["manifests"].as_array_mut().expect("manifests") {
        entry["annotations"] = serde_json::json!({"org.opencontainers.image.ref.name": "latest"});
    }
    fs::write(&index, flat.to_string()).expect("it was written before");
    build_second(&context, &platforms, &from_layout);
    // Garbage collection keeps the images of an index.
    context.wharf(["store", "gc", "--max-size", "0"]).success();
    context
        .wharf(["build", "-f", "Second", "--platform", FOREIGN.platform, "."])
        .success();
    context.wharf(["store", "verify"]).success();
}

/// Builds upon `many` for both platforms; each has its own base.
fn build_second(context: &TestContext, platforms: &str, extra: &[&str]) {
    let output = "type=local,dest=../out/second";
    let args = ["build", "--platform", platforms, "-f", "Second", "-o", output];
    context.wharf(args.iter().chain(extra).chain(&["."])).success();
    for platform in [HOST, FOREIGN.platform] {
        let folder = platform.replace('/', "_");
        let made = context.out(format!("second/{folder}/made"));
        let made = fs::read_to_string(made).expect("the base's file");
        assert!(made.contains(&format!("to {platform}:")), "{made}");
    }
}

/// A step on each platform, whose output says where it ran.
fn with_steps(rest: &str) -> String {
    format!("{}{rest}", foreign::BASE)
}

const STEPS: &str = r#"
    RUN uname -m > /machine && ln -s machine /link && chown 33:44 /machine && chmod 2755 /bin
    RUN sh -c 'sh -c "uname -m"' | cmp - /machine
    CMD ["cat", "/machine"]
"#;

fn run_everywhere(context: &TestContext, args: &[&str]) -> Option<Outcome> {
    foreign::provide(context)?;
    context.own_project();
    let platforms = format!("{HOST},{}", FOREIGN.platform);
    let fixed = [
        "-t",
        "many",
        "--platform",
        &platforms,
        "-o",
        "type=image",
        "-o",
        "type=local,dest=../out/files",
    ];
    let args: Vec<_> = fixed.iter().chain(args).copied().collect();
    context.write("Dockerfile", &with_steps(STEPS));
    let args = ["build"].iter().chain(&args).chain(&["."]);
    Some(context.wharf(args).success())
}

#[test]
fn foreign_steps_run_under_an_emulator() {
    let context = TestContext::new();
    if run_everywhere(&context, &[]).is_none() {
        return;
    }
    for (platform, machine) in [
        (FOREIGN.platform, FOREIGN.machine),
        (HOST, std::env::consts::ARCH),
    ] {
        let folder = platform.replace('/', "_");
        let made = fs::read_to_string(context.out(format!("files/{folder}/machine"))).expect("it was made");
        assert_eq!(made.trim(), machine);
    }
    let ran = context.wharf(["run", "many"]).success();
    assert_eq!(ran.stdout.trim(), std::env::consts::ARCH);
    let ran = context
        .wharf(["run", "--platform", FOREIGN.platform, "many"])
        .success();
    assert_eq!(ran.stdout.trim(), FOREIGN.machine);
    let absent = context
        .wharf(["run", "--platform", "linux/s390x", "many"])
        .exits(125);
    absent.says(&format!(
        "the image is for {HOST}, {}, not for linux/s390x",
        FOREIGN.platform
    ));
    let again = run_everywhere(&context, &[]).expect("it ran before");
    assert!(again.stderr.contains("0 steps run"), "{}", again.stderr);
    // What an emulator made is found by what it read, as that of any step is.
    context.write(
        "Dockerfile",
        &with_steps(&format!("COPY Dockerfile /other\n{}", STEPS.trim_start())),
    );
    let single = ["build", "-t", "one", "--platform", FOREIGN.platform, "."];
    context.wharf(single).success().says("1 step run");
    let other = context.wharf(["run", "--platform", HOST, "one"]).exits(125);
    other.says(&format!("one is for {}, not for {HOST}", FOREIGN.platform));
    let ran = context.wharf(["run", "one"]).success();
    assert_eq!(ran.stdout.trim(), FOREIGN.machine);
    // The files are those that the machine's own user namespace gives: no mark of an overlay, no shifted owner.
    let archive = context.out("files.tar").display().to_string();
    let output = format!("type=tar,dest={archive}");
    context
        .wharf(["build", "--platform", FOREIGN.platform, "-o", &output, "."])
        .success();
    if let Some(listed) = tool("tar", ["--numeric-owner", "-tvf", &archive]) {
        let line = listed
            .lines()
            .find(|line| line.ends_with(" machine") && !line.starts_with('l'));
        assert!(line.is_some_and(|line| line.contains(" 33/44 ")), "{listed}");
    }
}

#[test]
fn foreign_steps_run_on_every_rung_and_for_every_user() {
    for rung in ["fuse", "overlay", "copy"] {
        let flag = format!("--sandbox={rung}");
        run_everywhere(&TestContext::new(), &[&flag]);
    }
    for user in [User::with_subordinate_ids(), User::with_one_id()]
        .into_iter()
        .flatten()
    {
        run_everywhere(&TestContext::of(Some(user)), &[]);
    }
}

#[test]
fn without_an_emulator_the_step_is_named_before_anything_runs() {
    let context = TestContext::new();
    if foreign::provide(&context).is_none() {
        return;
    }
    context.write("Dockerfile", &with_steps("RUN true\n"));
    let mut command = context.command(["build", "--platform", FOREIGN.platform, "."]);
    let failed = Outcome::of(command.env("PATH", "/nonexistent"));
    if failed.code == 0 {
        return wharf_testkit::skip("this machine has an emulator registered for everybody");
    }
    failed
        .exits(3)
        .says("RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"] failed")
        .says("Dockerfile:4:1")
        .says(&format!("does not run programs for {}", FOREIGN.platform))
        .says("hint: install the package qemu-user-static")
        .never_says("DONE");
    let unknown = context.wharf(["build", "--platform=plan9/amd64", "."]).exits(3);
    unknown.says("plan9/amd64").says("RUN");
}

#[test]
fn what_a_machine_runs_is_tried_and_told() {
    let context = TestContext::new();
    if foreign::provide(&context).is_none() {
        return;
    }
    let report = context.wharf(["host", "--json"]).success().json();
    let platforms = report["platforms"].as_array().expect("a list");
    let found = platforms.iter().find(|each| each["platform"] == FOREIGN.platform);
    assert!(found.is_some(), "{platforms:?}");
    // QEMU runs a program of every other architecture that is known: the programs that are tried are right.
    assert_eq!(platforms.len(), 9, "{platforms:?}");
    let told = context.wharf(["host"]).success().stdout;
    assert!(told.contains(FOREIGN.platform), "{told}");
}

#[test]
fn a_base_of_another_architecture_than_the_build_is_refused() {
    let context = TestContext::new();
    context.write(
        "wharf.toml",
        "[base.small]\ndebian = \"bookworm\"\narchitectures = [\"s390x\"]\n",
    );
    context.write("Dockerfile", "FROM small\n");
    let refused = context.wharf(["build", "."]).exits(2);
    refused
        .says("begins with s390x")
        .says(HOST)
        .says("hint: leave `architectures` out");
}

#[test]
fn a_foreign_base_without_an_emulator_says_what_is_missing() {
    let context = TestContext::new();
    context.write("wharf.toml", "[base.small]\ndebian = \"bookworm\"\n");
    context.write("Dockerfile", "FROM small\n");
    let mut command = context.command(["build", "--platform=linux/s390x", "."]);
    let failed = Outcome::of(command.env("PATH", "/nonexistent"));
    if failed.stderr.contains("base small: ") {
        return wharf_testkit::skip("this machine has an emulator registered for everybody");
    }
    failed
        .exits(3)
        .says("Dockerfile:1:6")
        .says("qemu-s390x-static")
        .says("hint:");
}

/// Runs `$@` as root of a user namespace in which all ids are what they are, with `$RULE` as the only rule of its binfmt_misc.
const WITH_A_RULE: &str = r#"
    mkfifo go
    unshare --user --keep-caps --mount sh -c '
        read -r _ < go
        mount -t binfmt_misc none /proc/sys/fs/binfmt_misc || exit 77
        printf "%s" "$RULE" > /proc/sys/fs/binfmt_misc/register || exit 77
        PATH=/nonexistent
        exec "$@"' - "$@" &
    while [ "$(readlink /proc/$!/ns/user)" = "$(readlink /proc/self/ns/user)" ]; do sleep 0.01; done
    echo '0 0 4294967295' > /proc/$!/uid_map
    echo '0 0 4294967295' > /proc/$!/gid_map
    echo > go
    wait $!
"#;

#[test]
fn an_emulator_that_is_registered_for_everybody_is_used() {
    let context = TestContext::new();
    if !rustix::process::geteuid().is_root() {
        return wharf_testkit::skip("only root maps all ids");
    }
    if foreign::provide(&context).is_none() {
        return;
    }
    context.write("Dockerfile", &with_steps("RUN uname -m > /machine\n"));
    for (flags, works) in [("OCF", true), ("OC", false)] {
        let output = "type=local,dest=../out/files";
        let args = [
            "build",
            "--no-cache",
            "--platform",
            FOREIGN.platform,
            "-o",
            output,
            ".",
        ];
        let mut command = started_by(&["sh", "-c", WITH_A_RULE, "-"], &context.command(args));
        let built = Outcome::of(command.env("RULE", foreign::rule(flags)));
        let _ = fs::remove_file(context.path("go"));
        if built.code == 77 {
            return wharf_testkit::skip("user namespaces have no binfmt_misc (Linux 6.7)");
        }
        if works {
            built.success();
            let made = fs::read_to_string(context.out("files/machine")).expect("it was made");
            assert_eq!(made.trim(), FOREIGN.machine);
        } else {
            built.exits(3).says("registered without the flag F");
        }
    }
}

#[test]
fn a_foreign_base_of_packages_is_configured_under_an_emulator() {
    if !crate::faults::is_heavy() {
        return;
    }
    let context = TestContext::new();
    if foreign::provide(&context).is_none() {
        return;
    }
    context.write(
        "wharf.toml",
        r#"
        [base.small]
        debian = "bookworm"
        variant = "custom"
        packages = ["busybox", "dash"]
        "#,
    );
    context.write("Dockerfile", "FROM small\nRUN busybox uname -m > /machine\n");
    context.wharf(["lock", "."]).success();
    let output = "type=local,dest=../out/files";
    let args = ["build", "--platform", FOREIGN.platform, "-o", output, "."];
    context
        .wharf(args)
        .success()
        .says(&format!("wharf lock --platform={}", FOREIGN.platform));
    let made = fs::read_to_string(context.out("files/machine")).expect("it was made");
    assert_eq!(made.trim(), FOREIGN.machine);
    let platforms = format!("{HOST},{}", FOREIGN.platform);
    context.wharf(["lock", "--platform", &platforms, "."]).success();
    context.wharf(args).success().never_says("wharf.lock has");
}
