//! `--ssh ID=KEY`: a step signs with keys that it never sees.

use std::{fs, path::Path, process::Command};

use wharf_testkit::Scratch;

use crate::{
    context::TestContext,
    outcome::Outcome,
    remote_contexts::Repository,
    sshd::{Sshd, generate},
};

const BASE: &str = r#"
    [base.client]
    apt = "host"
    variant = "custom"
    packages = ["coreutils", "dash", "grep", "openssh-client"]
"#;

/// Each signature algorithm that a client can ask an agent for, alone; the agent's own lock, removal and addition are refused.
const DOCKERFILE: &str = r#"
    FROM client
    ARG PORT
    ARG HOST_KEY
    ARG USER
    RUN mkdir -p -m 700 /root/.ssh && echo "[127.0.0.1]:$PORT $HOST_KEY" > /root/.ssh/known_hosts
    RUN --mount=type=ssh <<END
    set -eu
    test "$(ssh-add -l | wc -l)" = 4
    for algorithm in ssh-ed25519 ecdsa-sha2-nistp256 rsa-sha2-256 rsa-sha2-512; do
        ssh -p $PORT -o PubkeyAcceptedAlgorithms=$algorithm $USER@127.0.0.1 echo signed with $algorithm
    done
    ! ssh-add -L | grep somebody
    ! ssh-add -D 2> /dev/null
    test "$(ssh-add -l | wc -l)" = 4
    END
    RUN --mount=type=ssh,id=other test "$(ssh-add -l | wc -l)" = 1
    RUN --mount=type=ssh,id=absent test -z "$SSH_AUTH_SOCK"
    RUN test -z "$SSH_AUTH_SOCK" && test ! -e /run/buildkit
"#;

const KEYS: &[(&str, &[&str])] = &[
    ("ed25519", &["-t", "ed25519"]),
    ("ecdsa", &["-t", "ecdsa"]),
    ("rsa", &["-t", "rsa", "-b", "2048"]),
    ("pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"]),
];

fn user() -> String {
    let output = Command::new("id").arg("-un").output().expect("id is there");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn a_step_signs_with_keys_that_it_never_sees() {
    if !Path::new("/usr/bin/ssh-keygen").exists() {
        wharf_testkit::skip("openssh-client is not installed");
        return;
    }
    let scratch = Scratch::new();
    let keys: Vec<_> = KEYS
        .iter()
        .map(|(name, args)| generate(&scratch, name, &[args, &["-N", ""][..]].concat()))
        .collect();
    let read = |path: &Path| fs::read_to_string(path).expect("ssh-keygen wrote it");
    let public: String = keys.iter().map(|key| read(&key.with_extension("pub"))).collect();
    let Some(sshd) = Sshd::start(&public) else {
        return;
    };
    let context = TestContext::new();
    context.write("wharf.toml", BASE);
    context.write("Dockerfile", DOCKERFILE);
    let list: Vec<_> = keys.iter().map(|key| key.display().to_string()).collect();
    let args = [
        "build".to_owned(),
        "--progress=plain".to_owned(),
        format!("--ssh=default={}", list.join(",")),
        format!("--ssh=other={}", list[0]),
        format!("--build-arg=PORT={}", sshd.port),
        format!("--build-arg=HOST_KEY={}", sshd.host_key.trim()),
        format!("--build-arg=USER={}", user()),
        "-t=app".to_owned(),
        ".".to_owned(),
    ];
    let built = context.wharf(&args).success();
    for algorithm in [
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "rsa-sha2-256",
        "rsa-sha2-512",
    ] {
        assert!(
            built.stderr.contains(&format!("signed with {algorithm}")),
            "{}",
            built.stderr
        );
    }
    let stored = all_files(&context.store());
    for key in &keys {
        // The second line of the text has the first bytes that differ between keys of a kind, in both formats.
        let line = read(key).lines().nth(2).expect("a key has lines").to_owned();
        assert!(!built.stderr.contains(&line) && !built.stdout.contains(&line));
        let holds = |bytes: &Vec<u8>| bytes.windows(line.len()).any(|window| window == line.as_bytes());
        assert!(!stored.iter().any(holds), "the store has {}", key.display());
    }
}

fn all_files(directory: &Path) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)
        .expect("a directory of the store")
        .flatten()
    {
        let kind = entry.file_type().expect("an entry of the store");
        if kind.is_dir() {
            files.extend(all_files(&entry.path()));
        } else if kind.is_file() {
            files.push(fs::read(entry.path()).expect("a file of the store"));
        }
    }
    files
}

#[test]
fn a_key_that_cannot_be_used_is_a_mistake_before_the_first_step() {
    if !Path::new("/usr/bin/ssh-keygen").exists() {
        wharf_testkit::skip("openssh-client is not installed");
        return;
    }
    let scratch = Scratch::new();
    let encrypted = generate(&scratch, "encrypted", &["-t", "ed25519", "-N", "passphrase"]);
    let public = encrypted.with_extension("pub");
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let build = |key: &Path| {
        let flag = format!("--ssh=default={}", key.display());
        context.wharf(["build", "--progress=plain", &flag, "."]).exits(2)
    };
    build(&encrypted).says("is encrypted").says("ssh-add");
    build(&public).says("is a public SSH key");
    build(&scratch.join("absent")).says("cannot read the SSH key");
    build(&scratch.write("text", "hello")).says("no private SSH key");
}

/// As a context and in ADD, with a key that wharf's agent holds, with none, and with a server whose key nobody knows.
#[test]
fn repositories_come_over_ssh() {
    let Some(repository) = Repository::new() else {
        return;
    };
    let scratch = Scratch::new();
    let key = generate(&scratch, "key", &["-t", "ed25519", "-N", ""]);
    let public = fs::read_to_string(key.with_extension("pub")).expect("ssh-keygen wrote it");
    let Some(sshd) = Sshd::start(&public) else {
        return;
    };
    let known = scratch.write("known", format!("[127.0.0.1]:{} {}", sshd.port, sshd.host_key));
    let unknown = scratch.write("unknown", "");
    let context = TestContext::new();
    let url = format!(
        "ssh://{}@127.0.0.1:{}{}",
        user(),
        sshd.port,
        repository.work().display()
    );
    context.write("Dockerfile", &format!("FROM scratch\nADD {url}#v1:sub /added/\n"));
    let ssh = format!("--ssh=default={}", key.display());
    let output = format!("--output={}", context.out("files").display());
    let build = |known: &Path, args: &[&str]| {
        let mut command = context.command(["build", "--progress=plain", &output].iter().chain(args));
        // The home directory of the tests is none that ssh knows of.
        let ssh = format!(
            "ssh -F none -o IdentityFile=none -o UserKnownHostsFile={}",
            known.display()
        );
        Outcome::of(command.env("GIT_SSH_COMMAND", ssh).env_remove("SSH_AUTH_SOCK"))
    };
    let read = |file: &str| fs::read_to_string(context.out("files").join(file)).expect("it was built");
    build(&known, &[&ssh, &url]).success();
    assert_eq!(read("file"), "second");
    build(&known, &[&ssh, "."]).success();
    assert_eq!(read("added/name"), "below");
    build(&known, &["--no-cache", &url])
        .exits(3)
        .says("git fetch of ssh://");
    build(&unknown, &["--no-cache", &ssh, &url])
        .exits(3)
        .says("git fetch of ssh://");
}
