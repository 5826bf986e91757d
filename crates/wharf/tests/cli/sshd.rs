//! A real SSH server, Debian's, on a loopback port of its own, which lets the user of the tests in with the test's keys.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use wharf_testkit::Scratch;

/// sshd(8) starts itself again and so wants to be called by its whole path.
const PROGRAM: &str = "/usr/sbin/sshd";

/// A running server, until dropped.
pub(crate) struct Sshd {
    child: Child,
    /// Where it listens, on 127.0.0.1.
    pub(crate) port: u16,
    /// Its key, as known_hosts has it after the host's name.
    pub(crate) host_key: String,
    _scratch: Scratch,
}

impl Sshd {
    /// Starts one that knows the public keys `authorized`, or says that the test is skipped because there is none.
    pub(crate) fn start(authorized: &str) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            wharf_testkit::skip("openssh-server is not installed");
            return None;
        }
        // Where it puts its processes that have no rights yet; Debian's service makes it at its start.
        let _ = std::fs::create_dir_all("/run/sshd");
        let scratch = Scratch::new();
        let key = generate(&scratch, "host", &["-t", "ed25519", "-N", ""]);
        let port = free_port();
        let authorized = scratch.write("authorized", authorized);
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nPidFile none\nUsePAM no\nPasswordAuthentication no\n",
            key.display(),
            authorized.display(),
        );
        let child = Command::new(PROGRAM)
            .arg("-Def")
            .arg(scratch.write("config", config))
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(scratch.join("log")).expect("a writable directory"))
            .spawn()
            .expect("sshd can be run");
        let host_key = std::fs::read_to_string(key.with_extension("pub")).expect("ssh-keygen wrote it");
        let sshd = Self {
            child,
            port,
            host_key,
            _scratch: scratch,
        };
        assert!(listens(port), "sshd does not listen on port {port}");
        Some(sshd)
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a key with ssh-keygen's `args`.
pub(crate) fn generate(scratch: &Scratch, name: &str, args: &[&str]) -> std::path::PathBuf {
    let path = scratch.join(name);
    let made = Command::new("ssh-keygen")
        .args(["-q", "-C", "somebody@somewhere", "-f"])
        .arg(&path)
        .args(args)
        .status()
        .expect("ssh-keygen is installed with sshd");
    assert!(made.success());
    path
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
