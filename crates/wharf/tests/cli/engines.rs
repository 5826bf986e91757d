//! Images handed to Docker and Podman: as archives that they load, and over their sockets.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use wharf_testkit::{Scratch, skip};

use crate::{context::TestContext, outcome::Outcome, programs::is_installed};

const DOCKERFILE: &str = r#"
    FROM busybox
    RUN mkdir -p /d/e && echo one > /d/one && ln /d/one /d/hard && ln -s one /d/soft && chown 7:8 /d/e
    RUN rm /d/one && echo two > /d/e/two && chmod 4750 /d/e/two
    ENV GREETING=hello
    CMD ["sh", "-c", "echo $GREETING; cat /d/hard; stat -c '%n %a %u:%g' /d/e /d/e/two; ls /d"]
"#;

/// What the image's command prints.
const SAID: &str = "hello\none\n/d/e 755 7:8\n/d/e/two 4750 0:0\ne\nhard\nsoft\n";

/// A process that serves at a socket, until dropped.
struct Daemon {
    child: Child,
    scratch: Scratch,
}

impl Daemon {
    /// Starts a daemon, or says why it does not run here.
    fn start(mut command: Command, scratch: Scratch) -> Option<Self> {
        let log = fs::File::create(scratch.join("log")).expect("the scratch directory is writable");
        let errors = log.try_clone().expect("descriptors are not scarce");
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        let mut daemon = Self {
            child: child.expect("it is installed"),
            scratch,
        };
        let begin = Instant::now();
        while daemon.child.try_wait().expect("it is our child").is_none() {
            if std::os::unix::net::UnixStream::connect(daemon.socket()).is_ok() {
                return Some(daemon);
            }
            assert!(
                begin.elapsed() < Duration::from_mins(1),
                "it never listens: {}",
                daemon.log()
            );
            thread::sleep(Duration::from_millis(50));
        }
        let log = daemon.log();
        skip(&format!(
            "{command:?} does not start: {}",
            log.lines().last().unwrap_or_default()
        ));
        None
    }

    fn socket(&self) -> PathBuf {
        self.scratch.join("socket")
    }

    fn address(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.scratch.join("log")).unwrap_or_default()
    }

    /// `docker` as a client of this daemon.
    fn docker(&self, args: &[&str]) -> String {
        let mut command = Command::new("docker");
        command.args(["--host", &self.address()]).args(args);
        Outcome::of(command.env("HOME", self.scratch.path()))
            .success()
            .stdout
    }
}

impl Drop for Daemon {
    /// In good order, so that it takes along what it started and unmounts what it mounted.
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let begin = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && begin.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn can_run(program: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip(&format!("{program} is started as root"));
    } else if !is_installed(program) {
        skip(&format!("{program} is not installed"));
    } else {
        return true;
    }
    false
}

/// Debian's Docker, with nothing of the machine's: own storage, no bridge, no firewall rules.
fn dockerd() -> Option<Daemon> {
    if !can_run("dockerd") {
        return None;
    }
    let scratch = Scratch::new();
    let at = |name: &str| scratch.join(name).display().to_string();
    let mut command = Command::new("dockerd");
    command
        .args([
            "--storage-driver=vfs",
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
        ])
        .args([
            "--data-root",
            &at("data"),
            "--exec-root",
            &at("exec"),
            "--pidfile",
            &at("pid"),
        ])
        .args([
            "--config-file",
            &at("none.json"),
            "--host",
            &format!("unix://{}", at("socket")),
        ]);
    fs::write(scratch.join("none.json"), "{}").expect("the scratch directory is writable");
    Daemon::start(command, scratch)
}

/// Podman with storage of its own below `at`.
fn podman(at: &Path) -> Command {
    let mut command = Command::new("podman");
    let place = |name: &str| at.join(name).display().to_string();
    command
        .args([
            "--root",
            &place("root"),
            "--runroot",
            &place("run"),
            "--storage-driver=vfs",
        ])
        .args([
            "--events-backend=none",
            "--cgroup-manager=cgroupfs",
            "--tmpdir",
            &place("tmp"),
        ])
        .env("HOME", at);
    command
}

fn built(context: &TestContext, args: &[&str]) -> Option<Outcome> {
    let fixed = ["-t", "example.com/made:1", "--iidfile", "../out/id"];
    Some(context.build(DOCKERFILE, &[&fixed, args].concat())?.success())
}

fn id(context: &TestContext) -> String {
    fs::read_to_string(context.out("id")).expect("the build wrote it")
}

#[test]
fn docker_loads_archives_and_runs_what_is_in_them() {
    let Some(daemon) = dockerd() else { return };
    let context = TestContext::new();
    if built(
        &context,
        &["-t", "short", "-o", "type=docker,dest=../out/image.tar"],
    )
    .is_none()
    {
        return;
    }
    let archive = context.out("image.tar").display().to_string();
    let loaded = daemon.docker(&["load", "--input", &archive]);
    assert!(
        loaded.contains("example.com/made:1") && loaded.contains("short:latest"),
        "{loaded}"
    );
    let found = daemon.docker(&["image", "inspect", "--format", "{{.Id}}", "short"]);
    assert_eq!(found.trim(), id(&context));
    assert_eq!(daemon.docker(&["run", "--rm", "--network=none", "short"]), SAID);
}

#[test]
fn a_running_docker_gets_the_image_over_its_socket() {
    let Some(daemon) = dockerd() else { return };
    let context = TestContext::new();
    context.write("Dockerfile", DOCKERFILE);
    let Some(args) = context.build_args(&["--load", "-t", "sent:1", "--iidfile", "../out/id"]) else {
        return;
    };
    let mut command = context.command(args);
    let built = Outcome::of(command.env("DOCKER_HOST", daemon.address())).success();
    built.says(&daemon.socket().display().to_string());
    let found = daemon.docker(&["image", "inspect", "--format", "{{.Id}}", "sent:1"]);
    assert_eq!(found.trim(), id(&context));
    assert_eq!(daemon.docker(&["run", "--rm", "--network=none", "sent:1"]), SAID);
    // Several outputs at once, the engine one of them.
    let both = [
        "-o",
        "type=docker,name=sent:2",
        "-o",
        "type=oci,dest=../out/oci.tar",
    ];
    let mut command = context.command(context.build_args(&both).expect("it built"));
    Outcome::of(command.env("DOCKER_HOST", daemon.address())).success();
    daemon.docker(&["image", "inspect", "sent:2"]);
    assert!(context.out("oci.tar").exists());
}

#[test]
fn podman_loads_archives() {
    if !can_run("podman") {
        return;
    }
    let (context, scratch) = (TestContext::new(), Scratch::new());
    if built(
        &context,
        &[
            "-o",
            "type=docker,dest=../out/docker.tar",
            "-o",
            "type=oci,dest=../out/oci.tar",
        ],
    )
    .is_none()
    {
        return;
    }
    for archive in ["docker.tar", "oci.tar"] {
        let podman = |args: &[&str]| Outcome::of(podman(scratch.path()).args(args)).success().stdout;
        let loaded = podman(&["load", "--input", &context.out(archive).display().to_string()]);
        assert!(loaded.contains("example.com/made:1"), "{archive}: {loaded}");
        let found = podman(&["image", "inspect", "--format", "{{.Id}}", "example.com/made:1"]);
        assert_eq!(format!("sha256:{}", found.trim()), id(&context), "{archive}");
        let mounted = podman(&["image", "mount", "example.com/made:1"]);
        let file = Path::new(mounted.trim()).join("d/e/two");
        assert_eq!(
            fs::read_to_string(file).expect("the image's file"),
            "two\n",
            "{archive}"
        );
        podman(&["image", "unmount", "--all"]);
        podman(&["image", "rm", "--all", "--force"]);
    }
}

#[test]
fn a_running_podman_gets_the_image_over_its_socket() {
    if !can_run("podman") {
        return;
    }
    let scratch = Scratch::new();
    let storage = Scratch::new();
    let mut service = podman(storage.path());
    service.args(["system", "service", "--time=0"]);
    service.arg(format!("unix://{}", scratch.join("socket").display()));
    let Some(daemon) = Daemon::start(service, scratch) else {
        return;
    };
    let context = TestContext::new();
    context.write("Dockerfile", DOCKERFILE);
    let Some(args) = context.build_args(&["--load", "-t", "example.com/sent:1", "--iidfile", "../out/id"])
    else {
        return;
    };
    let mut command = context.command(args);
    Outcome::of(command.env("CONTAINER_HOST", daemon.address())).success();
    let inspect = ["image", "inspect", "--format", "{{.Id}}", "example.com/sent:1"];
    let found = Outcome::of(podman(storage.path()).args(inspect)).success().stdout;
    assert_eq!(format!("sha256:{}", found.trim()), id(&context));
}

#[test]
fn an_engine_that_is_named_is_the_only_one_that_is_tried() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /file\n");
    for host in ["unix:///no/such/socket", "tcp://127.0.0.1:9"] {
        let mut command = context.command(["build", "--load", "."]);
        let failed = Outcome::of(command.env("DOCKER_HOST", host)).exits(3);
        let place = host.trim_start_matches("unix://");
        failed
            .says(&format!("(looked at {place})"))
            .says("hint: start Docker or Podman");
    }
}

#[test]
fn an_engine_that_refuses_is_quoted() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /file\n");
    let socket = context.out("socket");
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("a short path");
    let engine = thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().expect("wharf connects");
        let mut asked = Vec::new();
        let mut buffer = [0; 4096];
        while !asked.ends_with(b"0\r\n\r\n") {
            let length = stream.read(&mut buffer).expect("the request comes whole");
            asked.extend_from_slice(&buffer[..length]);
        }
        let answer =
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"errorDetail\":{\"message\":\"no room\"}}";
        stream.write_all(answer.as_bytes()).expect("wharf reads");
        asked
    });
    let mut command = context.command(["build", "--load", "."]);
    command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    Outcome::of(&mut command)
        .exits(3)
        .says("refused the image")
        .says("no room");
    let asked = engine.join().expect("it answered");
    assert!(asked.starts_with(b"POST /images/load"));
}
