//! To and from a real registry on loopback, read back with skopeo.

use serde_json::Value;
use wharf_testkit::docker_registry::{ACCOUNT, DockerRegistry, Setup};

use crate::{context::TestContext, programs::tool};

const DOCKERFILE: &str = "FROM busybox\nRUN echo hello > /hello\nLABEL org.example.pushed=yes\n";

#[test]
fn pushed_pulled_and_built_upon() {
    let Some(registry) = DockerRegistry::start(&Setup::default()) else {
        return;
    };
    let context = TestContext::new();
    let name = format!("{}/group/image:1", registry.authority());
    let Some(built) = context.build(DOCKERFILE, &["-t", &name, "--push"]) else {
        return;
    };
    let built = built.success();
    let image = format!("docker://{name}");
    if let Some(inspected) = tool("skopeo", ["inspect", "--tls-verify=false", &image]) {
        let inspected: Value = serde_json::from_str(&inspected).expect("skopeo prints JSON");
        assert_eq!(inspected["Digest"], *built.digest());
        assert_eq!(inspected["Labels"]["org.example.pushed"], "yes");
    }
    let other = TestContext::new();
    let pulled = other.wharf(["pull", &name]).success();
    assert!(pulled.stdout.contains(&built.digest()), "{}", pulled.stdout);
    let said = other.wharf(["run", &name, "cat", "/hello"]).success();
    assert_eq!(said.stdout, "hello\n");
    // The base's layers are not encoded again: those of the registry are in the new image.
    let layers = |context: &TestContext, name: &str| {
        let shown = context.wharf(["inspect", name]).success().json();
        let layers = shown["manifest"]["layers"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        layers
            .iter()
            .map(|layer| layer["digest"].to_string())
            .collect::<Vec<_>>()
    };
    let third = TestContext::new();
    third.write(
        "Dockerfile",
        &format!("FROM {name}\nRUN grep hello /hello\nCOPY Dockerfile /\n"),
    );
    third.wharf(["build", "-t", "derived", "."]).success();
    let base = layers(&other, &name);
    assert_eq!(layers(&third, "derived")[..base.len()], base[..]);
    let copy = format!("{}/copied/image", registry.authority());
    third.wharf(["push", "derived", &copy]).success();
    third.wharf(["inspect", "--remote", &copy]).success();
}

#[test]
fn a_digest_is_a_name_too_and_a_missing_tag_is_told_apart() {
    let Some(registry) = DockerRegistry::start(&Setup::default()) else {
        return;
    };
    let context = TestContext::new();
    let name = format!("{}/small", registry.authority());
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let digest = context
        .wharf(["build", "-t", &name, "--push", "."])
        .success()
        .digest();
    let other = TestContext::new();
    other.write(
        "Dockerfile",
        &format!("FROM {name}@{digest}\nCOPY Dockerfile /second\n"),
    );
    other.wharf(["build", "."]).success();
    other.write(
        "Dockerfile",
        &format!("FROM {name}:absent\nCOPY Dockerfile /second\n"),
    );
    let failed = other.wharf(["build", "."]).exits(3);
    failed.says("small:absent").says("Dockerfile:1").says("not found");
}

#[test]
fn an_account_is_asked_for_and_used() {
    let setup = Setup {
        account: true,
        ..Setup::default()
    };
    let Some(registry) = DockerRegistry::start(&setup) else {
        return;
    };
    let context = TestContext::new();
    let name = format!("{}/private", registry.authority());
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let denied = context.wharf(["build", "-t", &name, "--push", "."]).exits(3);
    denied.says("private").says("hint:");
    let (user, password) = ACCOUNT;
    let token = base64(format!("{user}:{password}").as_bytes());
    let auth = format!(
        r#"{{"auths": {{"{}": {{"auth": "{token}"}}}}}}"#,
        registry.authority()
    );
    context.write("../home/.docker/config.json", &auth);
    let pushed = context.wharf(["build", "-t", &name, "--push", "."]).success();
    assert!(!pushed.stderr.contains(password) && !pushed.stderr.contains(&token));
    context.wharf(["pull", &name]).success();
}

/// Standard Base64 of a few bytes.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| {
        let bits = (0..3).fold(0_usize, |bits, at| {
            bits << 8 | usize::from(chunk.get(at).copied().unwrap_or(0))
        });
        (0..4)
            .map(move |at| bits >> (18 - 6 * at) & 63)
            .collect::<Vec<_>>()
    };
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        for (at, digit) in group(chunk).into_iter().enumerate() {
            text.push(if at <= chunk.len() {
                char::from(DIGITS[digit])
            } else {
                '='
            });
        }
    }
    text
}
