//! `--ca`: package managers work in steps on a machine whose network intercepts TLS, and the image holds no trace of it.
//!
//! A loopback server whose authority nobody knows stands in for such a network; where there is a real one, the registries are asked too.
//! Which hosts are asked is the clients' affair: each is run as it comes out of its package, and curl and apt ask what this machine's own
//! sources name.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
};

use wharf_testkit::{
    certificates::Authority,
    fake_http::{Answer, FakeServer},
};

use crate::{context::TestContext, times::toolchain};

const BASE: &str = r#"
    [base.tools]
    apt = "host"
    variant = "minbase"
    packages = ["curl", "default-jdk-headless", "git", "golang-go", "npm", "openssl", "python3-pip", "wget"]
"#;

/// Programs and languages that people fetch with, each asking `$1` (a URL) or `$2` (host and port) in its own way.
const ASKING: &[(&str, &str)] = &[
    ("apt", "/usr/lib/apt/apt-helper download-file $1/ /tmp/answer"),
    ("curl", "curl --silent --show-error --fail $1/"),
    ("git", "git ls-remote $1/repository.git | grep refs/heads/main"),
    ("java", "java /clients/Get.java $1/"),
    (
        "node",
        r#"node -e 'require("https").get(process.argv[1], () => process.exit(0)).on("error", () => process.exit(1))' $1/"#,
    ),
    (
        "openssl",
        "openssl s_client -connect $2 -verify_return_error < /dev/null",
    ),
    (
        "pip",
        "python3 -c 'import sys; from pip._vendor import requests; requests.get(sys.argv[1])' $1/",
    ),
    (
        "python",
        "python3 -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1]).read()' $1/",
    ),
    ("wget", "wget --quiet --output-document=- $1/"),
];

const GET: &str = "public class Get { public static void main(String[] a) throws Exception { new java.net.URL(a[0]).openStream().close(); } }";

/// Fails when a client's success is not the one that is expected.
const ASK: &str = r#"
    FROM tools AS work
    ARG HOST
    ARG WORKS
    COPY clients /clients
    RUN <<END
    for client in /clients/*.sh; do
        if sh $client https://$HOST $HOST > /tmp/said 2>&1; then works=yes; else works=no; fi
        if test $works != $WORKS; then cat /tmp/said; echo "$client: $works"; failed=1; fi
    done
    rm -rf /tmp/* /root/.java
    exit ${failed:-0}
    END
    FROM scratch
    COPY --from=work --exclude=usr/bin --exclude=usr/lib --exclude=usr/share / /
"#;

/// Each asks its registry for something small.
const CLIENTS: &str = r#"
    FROM tools AS work
    ARG SITE
    ARG PIP_INDEX_URL
    ARG NPM_CONFIG_REGISTRY
    ARG GOPROXY
    ARG GOSUMDB
    RUN pip install --quiet --break-system-packages --target /p six
    WORKDIR /n
    RUN echo '{"name":"x","version":"1.0.0","dependencies":{"is-number":"7.0.0"}}' > package.json
    RUN npm install --package-lock-only --no-audit --no-fund && npm ci --no-audit --no-fund && test -d node_modules/is-number
    WORKDIR /g
    RUN printf 'module x\n\ngo 1.19\n\nrequire github.com/google/uuid v1.6.0\n' > go.mod && go mod download && rm -rf /root/go
    WORKDIR /c/src
    RUN printf '[package]\nname = "x"\nversion = "0.1.0"\n[dependencies]\nitoa = "1"\n' > ../Cargo.toml && touch lib.rs
    RUN --mount=type=bind,from=rust,target=/rust --mount=type=secret,id=cargo,target=/c/home/config.toml cd .. && CARGO_HOME=/c/home PATH=/rust/bin:$PATH cargo fetch --quiet
    RUN curl --silent --show-error --fail --head https://$SITE/ > /dev/null
    RUN sed -i 's,http://,https://,' /etc/apt/sources.list.d/* /etc/apt/sources.list 2>/dev/null; apt-get -qq update && rm -rf /var/lib/apt/lists/*
    FROM scratch
    COPY --from=work --exclude=usr/bin --exclude=usr/lib --exclude=usr/share / /
"#;

/// The first certificate that was added to this machine: the line of it that no other has.
fn added_certificate() -> Option<String> {
    let folders = [
        "/usr/local/share/ca-certificates",
        "/etc/pki/ca-trust/source/anchors",
    ];
    let files = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let mut texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
    let text = texts.find(|text| text.contains("BEGIN CERTIFICATE"))?;
    let lines: Vec<_> = text.lines().skip_while(|line| !line.contains("BEGIN")).collect();
    lines.get(6).map(|line| (*line).to_owned())
}

/// What this machine's own clients are told to ask, as arguments of a build; those that are not installed have no opinion.
fn mirrors() -> Vec<String> {
    let asked = [
        (
            "PIP_INDEX_URL",
            &["pip3", "config", "get", "global.index-url"][..],
        ),
        ("NPM_CONFIG_REGISTRY", &["npm", "config", "get", "registry"]),
        ("GOPROXY", &["go", "env", "GOPROXY"]),
        ("GOSUMDB", &["go", "env", "GOSUMDB"]),
    ];
    let answer = |(name, command): (&str, &[&str])| {
        let output = Command::new(command[0]).args(&command[1..]).output().ok()?;
        let value = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let is_set = output.status.success() && !value.is_empty() && value != "undefined";
        is_set.then(|| format!("--build-arg={name}={value}"))
    };
    let mut arguments: Vec<_> = asked.into_iter().filter_map(answer).collect();
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let cargo = home
        .map(|home| home.join("config.toml"))
        .filter(|path| path.exists());
    arguments.extend(cargo.map(|path| format!("--secret=id=cargo,src={}", path.display())));
    arguments
}

/// The host of this machine's first package source that answers over TLS with the machine's own trust.
fn site() -> Option<String> {
    let listed = Command::new("apt-get")
        .args(["indextargets", "--format", "$(SITE)"])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let hosts = text
        .lines()
        .filter_map(|line| line.split_once("://")?.1.split('/').next().map(str::to_owned));
    hosts.into_iter().find(|host| {
        let url = format!("https://{host}/");
        let asked = Command::new("curl")
            .args(["-sS", "-o", "/dev/null", "--max-time", "20", &url])
            .status();
        asked.is_ok_and(|status| status.success())
    })
}

#[test]
fn clients_trust_what_the_machine_trusts() {
    let context = TestContext::new();
    context.write("wharf.toml", BASE);
    for (name, script) in ASKING {
        context.write(format!("clients/{name}.sh"), script);
    }
    context.write("clients/Get.java", GET);
    clients_trust_a_file(&context);
    package_managers_work_where_tls_is_intercepted(&context);
}

fn clients_trust_a_file(context: &TestContext) {
    let authority = Authority::new();
    let server = FakeServer::start_tls(&authority.server(&["127.0.0.1"]), |asked| {
        let refs = format!("{}\trefs/heads/main\n", "1".repeat(40));
        Answer::ok(if asked.line().contains("info/refs") {
            refs
        } else {
            "there".to_owned()
        })
    });
    let file = context.write("ca.pem", &authority.certificate());
    context.write("Dockerfile", ASK);
    let host = format!("--build-arg=HOST={}", server.authority());
    let out = context.out("asked.tar");
    let build = |ca: &str, works: &str| {
        let (ca, works) = (format!("--ca={ca}"), format!("--build-arg=WORKS={works}"));
        let output = format!("--output=type=tar,dest={}", out.display());
        let args = ["build", "--progress=plain", &ca, &works, &host, &output, "."];
        context.wharf(args).success();
    };
    build("none", "no");
    build(&file.display().to_string(), "yes");
    let line = authority.certificate().lines().nth(2).map(str::to_owned);
    assert_no_trace(&out, line.as_deref());
    let history = context.wharf(["history", "show", "--json"]).success();
    assert!(!history.stdout.contains("/run/wharf"), "{}", history.stdout);
}

fn package_managers_work_where_tls_is_intercepted(context: &TestContext) {
    let (Some(site), Some(toolchain)) = (site(), toolchain()) else {
        wharf_testkit::skip("no package source answers over TLS, or there is no cargo");
        return;
    };
    context.write("Dockerfile", CLIENTS);
    let out = context.out("image.tar");
    let output = format!("--output=type=tar,dest={}", out.display());
    let (rust, arg) = (
        format!("--build-context=rust={toolchain}"),
        format!("--build-arg=SITE={site}"),
    );
    let mut args = vec![
        "build".to_owned(),
        "--progress=plain".to_owned(),
        rust,
        arg,
        output,
    ];
    args.extend(mirrors());
    args.push(".".to_owned());
    context.wharf(args).success();
    assert_no_trace(&out, added_certificate().as_deref());
}

/// Demands that no name and no file in a tar tells of the certificates: neither a line of one nor where they were.
fn assert_no_trace(tar: &Path, certificate: Option<&str>) {
    let mut archive = tar::Archive::new(fs::File::open(tar).expect("it was built"));
    for entry in archive.entries().expect("a tar") {
        let mut entry = entry.expect("a whole tar");
        let path = entry.path().expect("a path").display().to_string();
        assert!(!path.starts_with("run/wharf"), "{path}");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("a whole tar");
        for trace in certificate.into_iter().chain(["/run/wharf"]) {
            let found = bytes
                .windows(trace.len())
                .any(|window| window == trace.as_bytes());
            assert!(!found, "{path} has {trace}");
        }
    }
}

#[test]
fn a_certificate_of_a_file_is_trusted_by_steps_and_by_no_image() {
    let context = TestContext::new();
    let certificate = Authority::new().certificate();
    let pem = context.write("ca.pem", &certificate);
    let dockerfile = "
        FROM busybox
        RUN cat $SSL_CERT_FILE $NODE_EXTRA_CA_CERTS > /tmp/seen && ls $(dirname $SSL_CERT_FILE)
        RUN cp $SSL_CERT_FILE /tmp/mine
    ";
    let flag = format!("--ca={}", pem.display());
    let Some(built) = context.build(dockerfile, &[&flag, "-t", "app"]) else {
        return;
    };
    built.success().says("truststore.jks");
    let line = certificate
        .lines()
        .nth(2)
        .expect("a certificate has lines")
        .to_owned();
    assert!(
        context.file("app", "tmp/mine").contains(&line),
        "a step may copy what it sees"
    );
    let shown = context
        .wharf(["run", "app", "sh", "-c", "ls /run; env"])
        .success();
    assert!(!shown.stdout.contains("wharf"), "{}", shown.stdout);
    assert!(!context.inspect("app", "/config").contains("wharf/ca"));
    // The flag is part of no key.
    let again = context
        .build(dockerfile, &["--ca=none", "-t", "app"])
        .expect("it built")
        .success();
    assert!(again.stderr.contains("0 steps run"), "{}", again.stderr);
    let missing = context.build(dockerfile, &["--ca=none.pem"]).expect("it built");
    missing.exits(2);
}
