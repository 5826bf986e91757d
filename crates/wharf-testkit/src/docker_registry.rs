//! A real registry, Debian's `docker-registry`, on a loopback port of its own.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{Scratch, certificates::Certified, skip};

/// Where Debian's package has it.
const PROGRAM: &str = "/usr/bin/docker-registry";

/// The account of a registry that wants one: user name and password.
pub const ACCOUNT: (&str, &str) = ("somebody", "pass:word");

/// `htpasswd -B` of [`ACCOUNT`], at the lowest cost.
const HTPASSWD: &str = "somebody:$2b$05$Qj2erQvD2k5C6L9hXaHa9uVeO3jhHFFka.G8mIKaUB18zz1Zb.YPK";

/// What kind of registry.
#[derive(Debug, Default, Clone, Copy)]
pub struct Setup<'a> {
    /// Whether it wants [`ACCOUNT`].
    pub account: bool,
    /// Its certificate, if it speaks https.
    pub tls: Option<&'a Certified>,
}

/// A running registry, until dropped.
#[derive(Debug)]
pub struct DockerRegistry {
    child: Child,
    port: u16,
    scratch: Scratch,
}

impl DockerRegistry {
    /// Starts one, or says that the test is skipped because it is not installed.
    pub fn start(setup: &Setup<'_>) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            skip("docker-registry is not installed");
            return None;
        }
        let scratch = Scratch::new();
        let port = free_port();
        let config = scratch.write("config.yml", config(&scratch, port, setup));
        let log = std::fs::File::create(scratch.join("log")).expect("the scratch directory is writable");
        let mut child = Command::new(PROGRAM)
            .arg("serve")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("docker-registry can be run");
        if !listens(port) {
            let _ = child.kill();
            let said = std::fs::read_to_string(scratch.join("log")).unwrap_or_default();
            panic!("docker-registry does not listen on port {port}: {said}");
        }
        Some(Self { child, port, scratch })
    }

    /// `127.0.0.1:port`, as references name it.
    pub fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where it keeps what was pushed.
    pub fn storage(&self) -> std::path::PathBuf {
        self.scratch.join("storage")
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody had a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}

fn listens(port: u16) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(20) {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

fn config(scratch: &Scratch, port: u16, setup: &Setup<'_>) -> String {
    let mut config = format!(
        "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:{port}\n",
        scratch.join("storage").display()
    );
    if let Some(certified) = setup.tls {
        let certificate = scratch.write("server.crt", &certified.certificate);
        let key = scratch.write("server.key", &certified.key);
        let tls = format!(
            "  tls:\n    certificate: {}\n    key: {}\n",
            certificate.display(),
            key.display()
        );
        config.push_str(&tls);
    }
    if setup.account {
        let htpasswd = scratch.write("htpasswd", HTPASSWD);
        let auth = format!(
            "auth:\n  htpasswd:\n    realm: test\n    path: {}\n",
            htpasswd.display()
        );
        config.push_str(&auth);
    }
    config
}
