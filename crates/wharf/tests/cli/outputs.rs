//! What a build gives: archives, layouts, directories, files with ids, events. Read back with skopeo, umoci and tar.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    context::{TestContext, names},
    outcome::Outcome,
    programs::tool,
};

/// A tree with what archives get wrong: owners, set-id bits, links, a removed file, an old time.
const DOCKERFILE: &str = r#"
    FROM busybox
    RUN mkdir -p /d/e && echo one > /d/one && ln /d/one /d/hard && ln -s one /d/soft && chown 7:8 /d/e && mkfifo /d/fifo
    RUN rm /d/one && echo two > /d/e/two && chmod 4750 /d/e/two && touch -d '2001-02-03 04:05:06' /d/e/two
    ENV A=b
    LABEL org.example.label=yes
"#;

fn built(context: &TestContext, outputs: &[&str]) -> Option<Outcome> {
    let args: Vec<_> = outputs
        .iter()
        .flat_map(|output| ["-o", output])
        .chain(["-t", "example.com/made:1"])
        .collect();
    Some(context.build(DOCKERFILE, &args)?.success())
}

#[test]
fn skopeo_reads_archives_and_layouts() {
    let context = TestContext::new();
    let outputs = [
        "type=oci,dest=../out/oci.tar",
        "type=oci,tar=false,dest=../out/layout",
        "type=docker,dest=../out/docker.tar",
        "type=oci,dest=../out/zstd.tar,compression=zstd",
    ];
    if built(&context, &outputs).is_none() {
        return;
    }
    let at = |name: &str| context.out(name).display().to_string();
    for image in [
        format!("oci-archive:{}", at("oci.tar")),
        format!("oci:{}", at("layout")),
        format!("docker-archive:{}", at("docker.tar")),
        format!("oci-archive:{}", at("zstd.tar")),
    ] {
        let Some(config) = tool("skopeo", ["inspect", "--config", &image]) else {
            return;
        };
        let config: Value = serde_json::from_str(&config).expect("skopeo prints JSON");
        assert_eq!(config["config"]["Labels"]["org.example.label"], "yes", "{image}");
        // Every blob is read and its digest checked.
        let copy = format!("dir:{}", at("copy"));
        tool("skopeo", ["copy", "--insecure-policy", "-q", &image, &copy]);
    }
    let manifest = tool("tar", ["-xOf", &at("docker.tar"), "manifest.json"]).expect("tar was here");
    assert!(manifest.contains("example.com/made:1"), "{manifest}");
}

#[test]
fn umoci_unpacks_the_tree_that_local_writes() {
    let context = TestContext::new();
    let outputs = [
        "type=oci,tar=false,dest=../out/layout",
        "type=local,dest=../out/files",
        "type=tar,dest=../out/files.tar",
    ];
    if built(&context, &outputs).is_none() {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        return wharf_testkit::skip("owners are compared as root");
    }
    let at = |name: &str| context.out(name).display().to_string();
    let index: Value =
        serde_json::from_slice(&fs::read(context.out("layout/index.json")).expect("a layout")).expect("JSON");
    let tag = index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]
        .as_str()
        .expect("a tag");
    let image = format!("{}:{tag}", at("layout"));
    if tool("umoci", ["unpack", "--image", &image, &at("bundle")]).is_none() {
        return;
    }
    fs::create_dir(context.out("untarred")).expect("a new directory");
    tool(
        "tar",
        ["-C", &at("untarred"), "--numeric-owner", "-xpf", &at("files.tar")],
    );
    let unpacked = facts(&at("bundle/rootfs"));
    assert!(unpacked.contains("/d/e/two f 4750 0:0 4 981173106"), "{unpacked}");
    assert!(unpacked.contains("/d/e d 755 7:8"), "{unpacked}");
    assert_eq!(facts(&at("untarred")), unpacked);
    // A directory belongs to whoever asked for it.
    assert_eq!(facts(&at("files")), unpacked.replace(" 7:8", " 0:0"));
    for directory in ["files", "untarred"] {
        let differences = tool(
            "diff",
            [
                "-r",
                "--no-dereference",
                "--exclude=fifo",
                &at(directory),
                &at("bundle/rootfs"),
            ],
        );
        assert_eq!(differences.as_deref(), Some(""), "{directory}");
    }
}

/// Path, type, mode, owner, size, whole seconds and link target of everything but directories' sizes and times.
fn facts(directory: &str) -> String {
    let files = "/%P %y %m %U:%G %s %T@ %n %l\n";
    let directories = "/%P %y %m %U:%G\n";
    let args = [
        directory,
        "-mindepth",
        "1",
        "-type",
        "d",
        "-printf",
        directories,
        "-o",
        "-printf",
        files,
    ];
    let listed = tool("find", args).unwrap_or_default();
    let mut lines: Vec<_> = listed.lines().map(whole_seconds).collect();
    lines.sort();
    lines.join("\n")
}

fn whole_seconds(line: &str) -> String {
    let words = line.split(' ').map(|word| match word.split_once('.') {
        Some((seconds, fraction))
            if fraction.len() == 10 && fraction.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            seconds
        }
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_image_is_the_same_in_every_output() {
    let context = TestContext::new();
    let outputs = [
        "type=image",
        "type=oci,dest=../out/oci.tar",
        "type=oci,tar=false,dest=../out/layout",
    ];
    let Some(built) = built(&context, &outputs) else {
        return;
    };
    let images: Vec<_> = built
        .stderr
        .lines()
        .filter(|line| line.starts_with("image "))
        .collect();
    assert_eq!(images.len(), 3, "{}", built.stderr);
    let digest = built.digest();
    assert!(images.iter().all(|line| line.contains(&digest)), "{images:?}");
    assert_eq!(context.inspect("example.com/made:1", "/digest"), digest);
}

#[test]
fn ids_and_metadata_go_to_files() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let args = [
        "build",
        "--iidfile",
        "../out/id",
        "--metadata-file",
        "../out/meta.json",
        "-t",
        "a:1",
        "-t",
        "b:2",
        ".",
    ];
    let built = context.wharf(args).success();
    let id = fs::read_to_string(context.out("id")).expect("the id file");
    let metadata: Value =
        serde_json::from_slice(&fs::read(context.out("meta.json")).expect("the metadata")).expect("JSON");
    assert_eq!(metadata["containerimage.config.digest"], *id);
    assert_eq!(metadata["containerimage.digest"], *built.digest());
    assert_eq!(metadata["containerimage.descriptor"]["digest"], *built.digest());
    assert_eq!(
        metadata["containerimage.descriptor"]["mediaType"],
        "application/vnd.oci.image.manifest.v1+json"
    );
    assert_eq!(
        metadata["image.name"],
        "docker.io/library/a:1,docker.io/library/b:2"
    );
    let descriptor = &metadata["containerimage.descriptor"];
    assert_eq!(descriptor["annotations"]["config.digest"], *id);
    let size = context.inspect("a:1", "/manifest/config/size");
    assert!(descriptor["size"].as_u64() > size.parse().ok(), "{descriptor}");
    let build = metadata["buildx.build.ref"].as_str().unwrap_or_default();
    let build = build.rsplit('/').next().expect("a last part");
    context.wharf(["history", "show", build]).success();
    let quiet = context.wharf(["build", "-q", "."]).success();
    assert_eq!((quiet.stdout.trim(), quiet.stderr.as_str()), (id.as_str(), ""));
}

#[test]
fn raw_events_are_lines_of_json() {
    let context = TestContext::new();
    let args = ["--progress=rawjson"];
    let Some(built) = context.build("FROM busybox\nRUN echo a line\n", &args) else {
        return;
    };
    let built = built.success();
    let events: Vec<Value> = built
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}")))
        .collect();
    assert!(events.len() > 4, "{}", built.stderr);
    let recorded = context.wharf(["history", "show", "--json"]).success();
    assert_eq!(recorded.stdout.lines().count(), events.len());
}

#[test]
fn a_tar_goes_to_standard_output() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /file\n");
    let made = context
        .command(["build", "-o", "-", "."])
        .output()
        .expect("the binary runs");
    assert!(made.status.success());
    assert_eq!(&made.stdout[257..262], b"ustar");
    assert!(made.stdout.windows(5).any(|window| window == b"file\0"));
}

#[test]
fn an_output_that_cannot_be_written_is_the_machines_fault() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /file\n");
    context.write("plain", "no directory");
    for output in [
        "type=oci,dest=plain/x.tar",
        "type=local,dest=plain",
        "type=tar,dest=plain/x",
    ] {
        context.wharf(["build", "-o", output, "."]).exits(3).says("plain");
    }
    assert_eq!(names(&context.path("")), ["Dockerfile", "plain"]);
}

#[test]
fn no_engine_to_load_into_has_a_hint() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /file\n");
    if ["/var/run/docker.sock", "/run/podman/podman.sock"]
        .iter()
        .any(|path| fs::exists(path).unwrap_or_default())
    {
        return wharf_testkit::skip("an engine runs here");
    }
    context
        .wharf(["build", "--load", "."])
        .exits(3)
        .says("type=docker,dest=");
}

/// The manifest of a layout, and of each of its layers media type and first bytes.
fn layers(layout: &Path) -> (Value, Vec<(String, Vec<u8>)>) {
    let read = |name: &str| fs::read(layout.join(name)).expect("a file of the layout");
    let blob = |value: &Value| {
        let digest = value["digest"].as_str().expect("a digest");
        read(&format!("blobs/{}", digest.replace(':', "/")))
    };
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("JSON");
    let index = json(&read("index.json"));
    let manifest = json(&blob(&index["manifests"][0]));
    let of_layer = |layer: &Value| {
        let kind = layer["mediaType"].as_str().expect("a media type").to_owned();
        (kind, blob(layer)[..4].to_vec())
    };
    let layers = manifest["layers"]
        .as_array()
        .expect("layers")
        .iter()
        .map(of_layer)
        .collect();
    (manifest, layers)
}

#[test]
fn compression_and_media_types_are_those_that_were_asked_for() {
    const GZIP: &[u8] = &[0x1f, 0x8b];
    const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
    const OCI: &str = "application/vnd.oci.image.layer.v1.tar";
    for (fields, kind, magic) in [
        ("", format!("{OCI}+gzip"), GZIP),
        (
            "compression=gzip,compression-level=9",
            format!("{OCI}+gzip"),
            GZIP,
        ),
        (
            "compression=zstd,compression-level=3,force-compression=true",
            format!("{OCI}+zstd"),
            ZSTD,
        ),
        ("compression=uncompressed", OCI.to_owned(), b"file"),
        (
            "oci-mediatypes=false",
            "application/vnd.docker.image.rootfs.diff.tar.gzip".to_owned(),
            GZIP,
        ),
    ] {
        let context = TestContext::new();
        context.write("file", &"compresses well ".repeat(99));
        context.write("Dockerfile", "FROM scratch\nCOPY file /\n");
        let output = format!("type=oci,tar=false,dest=../out/layout,{fields}");
        let output = output.trim_end_matches(',');
        context.wharf(["build", "-o", output, "."]).success();
        let (_, found) = layers(&context.out("layout"));
        assert_eq!(found.len(), 1, "{fields}");
        assert_eq!(found[0].0, kind, "{fields}");
        assert!(found[0].1.starts_with(magic), "{fields}: {:?}", found[0].1);
    }
}

#[test]
fn names_and_annotations_of_outputs() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let args = [
        "build",
        "--annotation",
        "org.example.a=manifest",
        "--annotation",
        "manifest-descriptor:org.example.b=descriptor",
        "-o",
        "type=oci,tar=false,dest=../out/layout",
        "-o",
        r#"type=image,"name=example.com/a:1,example.com/b:2""#,
        ".",
    ];
    context.wharf(args).success();
    let (manifest, _) = layers(&context.out("layout"));
    assert_eq!(manifest["annotations"]["org.example.a"], "manifest");
    let index = fs::read_to_string(context.out("layout/index.json")).expect("a layout");
    assert!(index.contains(r#""org.example.b":"descriptor""#), "{index}");
    for name in ["example.com/a:1", "example.com/b:2"] {
        context.wharf(["inspect", name]).success();
    }
}

#[test]
fn an_oci_archive_goes_to_standard_output_and_a_push_needs_a_name() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    for output in ["type=oci,dest=-", "type=oci", "type=docker,dest=-"] {
        let made = context.command(["build", "-o", output, "."]).output();
        let made = made.expect("the binary runs");
        assert!(made.status.success(), "{output}");
        let mut archive = tar::Archive::new(&made.stdout[..]);
        let entries = archive.entries().expect("a tar").flatten();
        let names: Vec<_> = entries
            .map(|entry| entry.path().expect("a name").display().to_string())
            .collect();
        assert!(names.contains(&"index.json".to_owned()), "{output}: {names:?}");
    }
    context
        .wharf(["build", "--push", "."])
        .exits(3)
        .says("needs a name")
        .says("-t ");
}

#[test]
fn every_entry_of_the_history_has_a_time_that_never_goes_back() {
    let context = TestContext::new();
    let dockerfile = "FROM busybox AS base\nFROM scratch\nENV A=b\nLABEL c=d\nCOPY --from=base /bin/busybox /bin/\nCMD [\"x\"]\n";
    let Some(built) = context.build(dockerfile, &["-t", "image"]) else {
        return;
    };
    built.success();
    let config = context.wharf(["inspect", "image"]).success().json()["config"].take();
    let history = config["history"].as_array().expect("a history");
    let times: Vec<_> = history
        .iter()
        .map(|entry| entry["created"].as_str().unwrap_or_default())
        .collect();
    assert!(
        times.len() == 4 && times.is_sorted() && !times[0].is_empty(),
        "{times:?}"
    );
    assert_eq!(config["created"], *times[3]);
}
