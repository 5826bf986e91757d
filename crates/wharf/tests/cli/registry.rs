//! To and from a real registry on loopback, read back with skopeo.

use std::{fs, process::Stdio, thread, time::Duration};

use serde_json::Value;
use wharf_testkit::{
    certificates::Authority,
    docker_registry::{ACCOUNT, DockerRegistry, Setup},
    fake_http::{Answer, FakeServer},
};

use crate::{
    context::{TestContext, started_by},
    outcome::Outcome,
    programs::tool,
};

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
    let token = log_in(&context, &registry.authority());
    let pushed = context.wharf(["build", "-t", &name, "--push", "."]).success();
    assert!(!pushed.stderr.contains(ACCOUNT.1) && !pushed.stderr.contains(&token));
    context.wharf(["pull", &name]).success();
}

/// Pushes an image with one file to a registry.
fn push(name: &str, content: &str) -> String {
    let context = TestContext::new();
    context.write("file", content);
    context.write("Dockerfile", "FROM scratch\nCOPY file /file\n");
    context
        .wharf(["build", "-t", name, "--push", "."])
        .success()
        .digest()
}

/// What `/file` of the base is when it is built upon.
#[track_caller]
fn based_on(context: &TestContext, args: &[&str]) -> String {
    let output = format!("type=local,dest={}", context.out("files").display());
    context
        .wharf(["build", "-o", &output].iter().chain(args).chain(&["."]))
        .success();
    std::fs::read_to_string(context.out("files/file")).expect("the base has it")
}

#[test]
fn a_tag_holds_for_a_day_unless_it_is_pulled_and_a_lock_for_good() {
    let Some(registry) = DockerRegistry::start(&Setup::default()) else {
        return;
    };
    let name = format!("{}/moving:1", registry.authority());
    let first = push(&name, "first");
    let (locked, plain) = (TestContext::new(), TestContext::new());
    for context in [&locked, &plain] {
        context.write("Dockerfile", &format!("FROM {name}\nCOPY Dockerfile /\n"));
    }
    let written = locked.wharf(["lock", "."]).success();
    assert!(written.stdout.contains("Dockerfile.lock"), "{}", written.stdout);
    let lock = std::fs::read_to_string(locked.path("Dockerfile.lock")).expect("it was written");
    assert!(lock.contains(&name) && lock.contains(&first), "{lock}");
    assert_eq!(based_on(&plain, &[]), "first");
    push(&name, "second");
    assert_eq!(based_on(&plain, &[]), "first");
    assert_eq!(based_on(&plain, &["--pull"]), "second");
    assert_eq!(based_on(&locked, &[]), "first");
    assert_eq!(based_on(&locked, &["--pull"]), "first");
    locked.wharf(["lock", "."]).success();
    assert_eq!(based_on(&locked, &[]), "second");
    locked.write("Dockerfile.lock", "no lock at all");
    locked.wharf(["build", "."]).exits(2).says("Dockerfile.lock");
}

/// The binary where `registry.test` is this machine: what is on loopback by name need not be trusted.
fn with_a_name(context: &TestContext, args: &[&str]) -> Outcome {
    let hosts = context.write("../home/hosts", "127.0.0.1 registry.test localhost\n");
    let script = format!(
        "mount --bind {} /etc/hosts && exec \"$0\" \"$@\"",
        hosts.display()
    );
    let outer = ["unshare", "--mount", "--", "sh", "-c", &script];
    Outcome::of(&mut started_by(&outer, &context.command(args)))
}

#[test]
fn certificates_and_mirrors_are_found_where_other_tools_have_them() {
    if !rustix::process::geteuid().is_root() {
        return wharf_testkit::skip("names of hosts are given as root");
    }
    let authority = Authority::new();
    let certified = authority.server(&["registry.test"]);
    let setup = Setup {
        tls: Some(&certified),
        account: true,
    };
    let Some(registry) = DockerRegistry::start(&setup) else {
        return;
    };
    let context = TestContext::new();
    let host = registry.authority().replace("127.0.0.1", "registry.test");
    let name = format!("{host}/secure:1");
    context.write("file", "over TLS");
    context.write("Dockerfile", "FROM scratch\nCOPY file /file\n");
    let push = ["build", "-t", &name, "--push", "."];
    with_a_name(&context, &push)
        .exits(3)
        .says("certificate")
        .says(&host);
    let certs = format!("../home/config/containers/certs.d/{host}/ca.crt");
    context.write(&certs, &authority.certificate());
    with_a_name(&context, &push).exits(3).says("log in with");
    log_in(&context, &host);
    with_a_name(&context, &push).success();
    let conf = format!(
        "[[registry]]\nprefix = \"elsewhere.invalid\"\nlocation = \"elsewhere.invalid\"\n[[registry.mirror]]\nlocation = \"{host}\"\n",
    );
    context.write("../home/config/containers/registries.conf", &conf);
    context.write(
        "Dockerfile",
        "FROM elsewhere.invalid/secure:1\nCOPY Dockerfile /\n",
    );
    let build = ["build", "-o", "type=local,dest=../out/files", "."];
    with_a_name(&context, &build).success();
    let file = std::fs::read_to_string(context.out("files/file"));
    assert_eq!(file.expect("the mirror has the base"), "over TLS");
}

/// Writes what `docker login` would.
fn log_in(context: &TestContext, host: &str) -> String {
    let (user, password) = ACCOUNT;
    let token = base64(format!("{user}:{password}").as_bytes());
    let auth = format!(r#"{{"auths": {{"{host}": {{"auth": "{token}"}}}}}}"#);
    context.write("../home/.docker/config.json", &auth);
    token
}

#[test]
fn why_a_base_cannot_be_had_is_told_apart() {
    let setup = Setup {
        account: true,
        ..Setup::default()
    };
    let (Some(open), Some(closed)) = (
        DockerRegistry::start(&Setup::default()),
        DockerRegistry::start(&setup),
    ) else {
        return;
    };
    let foreign = format!("{}/foreign:1", open.authority());
    let server = FakeServer::start(|_| Answer::status(503));
    let context = TestContext::new();
    let host = if cfg!(target_arch = "aarch64") {
        "amd64"
    } else {
        "arm64"
    };
    // An index that has nothing for this machine.
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{}","size":{},"platform":{{"os":"linux","architecture":"{host}"}}}}]}}"#,
        push(&format!("{}/foreign:real", open.authority()), "x"),
        manifest_size(&open, "foreign", "real"),
    );
    put_manifest(&open, "foreign", "1", &index);
    for (base, why, hint) in [
        (
            format!("{}/nothing:1", open.authority()),
            "not found",
            "check name and tag",
        ),
        (
            format!("{}/private:1", closed.authority()),
            "private:1",
            "log in with",
        ),
        (
            "127.0.0.1:9/base:1".to_owned(),
            "127.0.0.1:9",
            "check the network",
        ),
        (foreign, "linux/", "name an image for this platform"),
        (format!("{}/broken:1", server.authority()), "503", ""),
    ] {
        context.write("Dockerfile", &format!("FROM {base}\nCOPY Dockerfile /\n"));
        let failed = context.wharf(["build", "."]).exits(3);
        assert_eq!(failed.count("error:"), 1, "{}", failed.stderr);
        failed
            .says(&format!("cannot use the base {base}"))
            .says("Dockerfile:1:")
            .says(why)
            .says(&format!("hint: {hint}")[..if hint.is_empty() { 0 } else { 6 + hint.len() }]);
    }
}

/// Speaks plain HTTP with the registry.
fn ask(registry: &DockerRegistry, request: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(registry.authority()).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

fn put_manifest(registry: &DockerRegistry, repository: &str, tag: &str, document: &str) {
    let answer = ask(
        registry,
        &format!(
            "PUT /v2/{repository}/manifests/{tag} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/vnd.oci.image.index.v1+json\r\nContent-Length: {}\r\n\r\n{document}",
            document.len()
        ),
    );
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

fn manifest_size(registry: &DockerRegistry, repository: &str, tag: &str) -> usize {
    let answer = ask(
        registry,
        &format!(
            "GET /v2/{repository}/manifests/{tag} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: application/vnd.oci.image.manifest.v1+json\r\n\r\n"
        ),
    );
    answer.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len())
}

#[test]
fn pushed_images_are_read_by_skopeo_and_come_back_the_same() {
    let Some(registry) = DockerRegistry::start(&Setup::default()) else {
        return;
    };
    let context = TestContext::new();
    let name = format!("{}/read/back", registry.authority());
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /file\n");
    for output in [
        "type=registry",
        "type=image,push=true,compression=zstd",
        "type=registry,oci-mediatypes=false",
    ] {
        let output = format!("{output},name={name}:1");
        context.wharf(["build", "-o", &output, "."]).success();
        let to = format!("dir:{}", context.out("copy").display());
        let from = format!("docker://{name}:1");
        if tool(
            "skopeo",
            [
                "copy",
                "--insecure-policy",
                "-q",
                "--src-tls-verify=false",
                &from,
                &to,
            ],
        )
        .is_none()
        {
            return;
        }
        let other = TestContext::new();
        other.write("Dockerfile", &format!("FROM {name}:1\nLABEL a=b\n"));
        assert!(based_on(&other, &[]).starts_with("FROM scratch"), "{output}");
    }
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

#[test]
fn all_processes_together_have_so_many_connections_to_a_registry() {
    let Some(registry) = DockerRegistry::start(&Setup::default()) else {
        return;
    };
    let context = TestContext::new();
    let name = format!("{}/limited", registry.authority());
    let Some(built) = context.build(DOCKERFILE, &["-t", &name, "--push"]) else {
        return;
    };
    built.success();
    let other = TestContext::new();
    other.wharf(["store", "df"]).success();
    let slot = |number| {
        let name = format!("v1/locks/slot-registry-{}-{number}", registry.authority());
        let file = fs::File::create(other.store().join(name)).expect("the store is ours");
        file.lock().expect("nobody has it");
        file
    };
    let taken: Vec<_> = (0..4).map(slot).collect();
    let mut command = other.command(["pull", &name]);
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut pull = piped.spawn().expect("the binary runs");
    thread::sleep(Duration::from_millis(700));
    assert!(pull.try_wait().expect("it is ours").is_none(), "it did not wait");
    drop(taken);
    Outcome::from(pull.wait_with_output().expect("it ends")).success();
}
