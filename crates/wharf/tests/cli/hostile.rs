//! Images that lie or attack: as layouts made by hand, and from a registry whose files were changed behind its back.

use std::{fs, path::Path};

use serde_json::{Value, json};
use wharf_oci::Digest;
use wharf_testkit::docker_registry::{DockerRegistry, Setup};

use crate::{context::TestContext, outcome::Outcome};

/// A member of a tar, as raw as an attacker writes it.
struct Member {
    name: &'static str,
    kind: u8,
    link: &'static str,
    /// What the header says; less may follow.
    size: u64,
    content: &'static str,
}

const fn file(name: &'static str, content: &'static str) -> Member {
    Member {
        name,
        kind: b'0',
        link: "",
        size: content.len() as u64,
        content,
    }
}

const fn link(kind: u8, name: &'static str, link: &'static str) -> Member {
    Member {
        name,
        kind,
        link,
        size: 0,
        content: "",
    }
}

/// Names go into headers unchecked, which the builder of the tar crate would not do.
fn tar(members: &[Member]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for member in members {
        let mut header = tar::Header::new_ustar();
        let old = header.as_old_mut();
        old.name[..member.name.len()].copy_from_slice(member.name.as_bytes());
        old.linkname[..member.link.len()].copy_from_slice(member.link.as_bytes());
        old.linkflag = [member.kind];
        header.set_mode(0o644);
        header.set_size(member.size);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(member.content.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// A layout with one image of one layer, and what is wrong with it.
struct Layout {
    layer: Vec<u8>,
    media_type: &'static str,
    /// What stands in the file of the layer's blob.
    stored: Vec<u8>,
    /// Changes the layer's descriptor.
    lie: fn(&mut Value),
    diff_id: Digest,
}

impl Layout {
    fn of(layer: Vec<u8>) -> Self {
        Self {
            stored: layer.clone(),
            diff_id: Digest::of(&layer),
            layer,
            media_type: "application/vnd.oci.image.layer.v1.tar",
            lie: |_| (),
        }
    }

    fn write(&self, root: &Path) {
        let blob = |bytes: &[u8]| {
            let digest = Digest::of(bytes);
            let path = root.join("blobs/sha256").join(digest.hex());
            fs::create_dir_all(path.parent().expect("a folder")).expect("a writable directory");
            fs::write(path, bytes).expect("a writable directory");
            json!({"digest": digest, "size": bytes.len()})
        };
        let typed = |mut descriptor: Value, media_type: &str| {
            descriptor["mediaType"] = media_type.into();
            descriptor
        };
        let mut layer = typed(blob(&self.layer), self.media_type);
        let path = root.join("blobs/sha256").join(Digest::of(&self.layer).hex());
        fs::write(path, &self.stored).expect("just written");
        (self.lie)(&mut layer);
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [self.diff_id]},
        });
        let config = blob(config.to_string().as_bytes());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": typed(config, "application/vnd.oci.image.config.v1+json"),
            "layers": [layer],
        });
        let manifest = blob(manifest.to_string().as_bytes());
        let index = json!({
            "schemaVersion": 2,
            "manifests": [typed(manifest, "application/vnd.oci.image.manifest.v1+json")],
        });
        fs::write(root.join("index.json"), index.to_string()).expect("a writable directory");
        fs::write(root.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)
            .expect("a writable directory");
    }

    /// Builds on it; the files of the result are in `out/files`.
    fn build(&self, context: &TestContext) -> Outcome {
        self.write(&context.path("layout"));
        context.write("Dockerfile", "FROM hostile\nCOPY Dockerfile /added\n");
        let layout = format!("hostile=oci-layout://{}", context.path("layout").display());
        let output = format!("type=local,dest={}", context.out("files").display());
        context.wharf(["build", "--build-context", &layout, "-o", &output, "."])
    }
}

/// The build fails because of the world, says why in one error, and the store goes on.
#[track_caller]
fn refused(context: &TestContext, outcome: Outcome, why: &str) {
    let outcome = outcome.exits(3).says(why).says("Dockerfile:1");
    assert_eq!(outcome.count("error:"), 1, "{}", outcome.stderr);
    context.wharf(["store", "verify"]).success();
    context.write("other", "FROM scratch\nCOPY Dockerfile /\n");
    context.wharf(["build", "-f", "other", "."]).success();
}

#[test]
fn names_that_lead_out_of_the_image() {
    const CASES: &[(&[Member], &str)] = &[
        (&[file("../escape", "x")], "../escape"),
        (&[file("a/../../escape", "x")], "a/../../escape"),
        (&[file("..", "x")], ".."),
        (
            &[link(b'2', "dir", "/tmp"), file("dir/escape", "x")],
            "dir/escape",
        ),
        (
            &[link(b'2', "dir", "../../.."), file("dir/escape", "x")],
            "dir/escape",
        ),
        (&[link(b'1', "hard", "/etc/passwd")], "/etc/passwd"),
        (&[link(b'1', "hard", "../../etc/passwd")], "../../etc/passwd"),
        (
            &[link(b'2', "soft", "/etc"), link(b'1', "hard", "soft/passwd")],
            "soft/passwd",
        ),
    ];
    for (members, why) in CASES {
        let context = TestContext::new();
        let outcome = Layout::of(tar(members)).build(&context);
        refused(&context, outcome, why);
        assert!(
            !context.out("files").exists() && !context.out("escape").exists(),
            "{why}"
        );
        assert!(!Path::new("/tmp/escape").exists());
    }
}

#[test]
fn names_that_only_look_as_if() {
    let context = TestContext::new();
    let members = [
        file("/absolute", "stays inside"),
        link(b'2', "away", "/etc/passwd"),
        link(b'2', "swapped", "/tmp"),
        file("swapped", "a file in its place"),
        file("./dot", "plain"),
    ];
    Layout::of(tar(&members)).build(&context).success();
    let read = |name: &str| fs::read_to_string(context.out("files").join(name)).unwrap_or_default();
    assert_eq!(read("absolute"), "stays inside");
    assert_eq!(read("swapped"), "a file in its place");
    assert_eq!(read("dot"), "plain");
    let away = fs::read_link(context.out("files/away")).expect("a link");
    assert_eq!(away, Path::new("/etc/passwd"));
}

#[test]
fn layers_that_are_not_what_is_said_of_them() {
    let honest = tar(&[file("file", "content")]);
    let half = honest[..700].to_vec();
    let changed = tar(&[file("file", "CONTENT")]);
    let cases: [(&str, Layout); 6] = [
        (
            "size is not what",
            Layout {
                stored: half.clone(),
                ..Layout::of(honest.clone())
            },
        ),
        (
            "digest is not its name",
            Layout {
                stored: changed.clone(),
                ..Layout::of(honest.clone())
            },
        ),
        (
            "size is not what",
            Layout {
                lie: |layer| layer["size"] = 17.into(),
                ..Layout::of(honest.clone())
            },
        ),
        (
            "configuration says",
            Layout {
                diff_id: Digest::of(&changed),
                ..Layout::of(honest.clone())
            },
        ),
        ("cannot unpack", Layout::of(half)),
        (
            "cannot",
            Layout {
                media_type: "application/vnd.oci.image.layer.v1.tar+gzip",
                ..Layout::of(b"no archive at all".to_vec())
            },
        ),
    ];
    for (at, (why, layout)) in cases.into_iter().enumerate() {
        let context = TestContext::new();
        let outcome = layout.build(&context);
        assert_eq!(outcome.code, 3, "case {at}: {}", outcome.stderr);
        refused(&context, outcome, why);
    }
}

#[test]
fn a_layer_that_would_fill_the_disk_is_refused_before_it_does() {
    let bomb = Member {
        size: 64 << 30,
        ..file("zeros", "")
    };
    let context = TestContext::new();
    let outcome = Layout::of(tar(&[bomb])).build(&context);
    refused(&context, outcome, "holds more than");
}

#[test]
fn a_registry_whose_blobs_were_changed() {
    let Some(registry) = DockerRegistry::start(&Setup::default()) else {
        return;
    };
    let context = TestContext::new();
    let name = format!("{}/lying", registry.authority());
    context.write("payload", &"some content that is compressed ".repeat(200));
    context.write("Dockerfile", "FROM scratch\nCOPY payload /\n");
    context.wharf(["build", "-t", &name, "--push", "."]).success();
    let manifest = context.wharf(["inspect", &name]).success().json();
    let layer = manifest["manifest"]["layers"][0]["digest"]
        .as_str()
        .expect("a layer")
        .to_owned();
    let hex = layer.trim_start_matches("sha256:");
    let blob = registry
        .storage()
        .join("docker/registry/v2/blobs/sha256")
        .join(&hex[..2])
        .join(hex)
        .join("data");
    let honest = fs::read(&blob).expect("the registry keeps it there");
    let mut flipped = honest.clone();
    flipped[honest.len() / 2] ^= 1;
    for lie in [&honest[..honest.len() / 2], &flipped, b""] {
        fs::write(&blob, lie).expect("it is ours");
        let other = TestContext::new();
        other.write("Dockerfile", &format!("FROM {name}\nCOPY Dockerfile /second\n"));
        let outcome = other.wharf(["build", "-o", "type=local,dest=../out/files", "."]);
        refused(&other, outcome, &layer);
    }
    fs::write(&blob, honest).expect("it is ours");
    let other = TestContext::new();
    other.wharf(["pull", &name]).success();
}
