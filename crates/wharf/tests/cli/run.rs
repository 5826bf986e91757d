//! `wharf run`: the image that was built, tried at once.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{context::TestContext, outcome::Outcome};

const DOCKERFILE: &str = r#"
    FROM busybox
    RUN mkdir /srv && echo served > /srv/page
    ENV GREETING=hello NAME=gull
    WORKDIR /srv
    CMD ["sh", "-c", "echo $GREETING $NAME from $PWD"]
"#;

/// A context with the image `image`.
fn image() -> Option<TestContext> {
    let context = TestContext::new();
    context.build(DOCKERFILE, &["-t", "image"])?.success();
    Some(context)
}

#[test]
fn command_variables_directory_and_user() {
    let Some(context) = image() else { return };
    for (args, said) in [
        (&["image"][..], "hello gull from /srv\n"),
        (
            &["-e", "NAME=tern", "-w", "/etc", "image"],
            "hello tern from /etc\n",
        ),
        (&["image", "cat", "page"], "served\n"),
        (
            &["-u", "gull", "image", "sh", "-c", "id -u; id -g; echo $HOME"],
            "1000\n100\n/home/gull\n",
        ),
        (
            &["-u", "7:8", "image", "sh", "-c", "echo $(id -u):$(id -g)"],
            "7:8\n",
        ),
        (&["--entrypoint", "echo", "image", "a", "-b"], "a -b\n"),
        (&["--hostname", "bird", "image", "hostname"], "bird\n"),
        (&["--network", "none", "image", "ls", "/sys/class/net"], "lo\n"),
        (&["--rm", "image", "true"], ""),
    ] {
        let ran = context.wharf(["run"].iter().chain(args)).success();
        assert_eq!(ran.stdout, said, "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn exit_codes_are_the_commands_or_tell_why_there_was_none() {
    let Some(context) = image() else { return };
    for (args, code) in [
        (&["image", "sh", "-c", "exit 42"][..], 42),
        (&["image", "/etc/passwd"], 126),
        (&["image", "nothing-of-this-name"], 127),
        (&["image", "sh", "-c", "kill -9 $$"], 137),
        (&["no-such-image"], 125),
        (&["-v", "relative", "image"], 125),
        (&["-u", "osprey", "image"], 125),
        (&["--no-such-flag", "image"], 125),
        (&["-p", "no-port", "image"], 125),
        (&[], 125),
        (&["image", "sh", "-c", "kill -TERM $$"], 143),
        (&["image", "/etc"], 126),
        (&["-w", "/etc/passwd", "image"], 125),
    ] {
        context.wharf(["run"].iter().chain(args)).exits(code);
    }
}

#[test]
fn what_a_container_writes_is_forgotten_and_volumes_stay() {
    let Some(context) = image() else { return };
    context
        .wharf(["run", "image", "sh", "-c", "echo changed > /srv/page"])
        .success();
    assert_eq!(
        context
            .wharf(["run", "image", "cat", "/srv/page"])
            .success()
            .stdout,
        "served\n"
    );
    let shared = format!("{}:/shared", context.out("").display());
    context
        .wharf([
            "run",
            "-v",
            &shared,
            "image",
            "sh",
            "-c",
            "echo kept > /shared/file",
        ])
        .success();
    assert_eq!(
        fs::read_to_string(context.out("file")).expect("the volume has it"),
        "kept\n"
    );
    let read_only = format!("{shared}:ro");
    context
        .wharf(["run", "-v", &read_only, "image", "touch", "/shared/file"])
        .exits(1);
}

#[test]
fn standard_input_is_passed_on_when_asked_for() {
    let Some(context) = image() else { return };
    let said = |args: &[&str]| {
        let mut command = context.command(["run"].iter().chain(args));
        let mut running = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        // A reader that is not interested may be gone before.
        let _ = running.stdin.take().expect("it is piped").write_all(b"typed");
        Outcome::from(running.wait_with_output().expect("it ends"))
            .success()
            .stdout
    };
    assert_eq!(said(&["-i", "image", "cat"]), "typed");
    assert_eq!(said(&["image", "cat"]), "");
}

#[test]
fn a_published_port_is_reached_from_the_machine() {
    let Some(context) = image() else { return };
    let port = free_port();
    let publish = format!("127.0.0.1:{port}:80");
    let mut command = context.command([
        "run", "-p", &publish, "image", "httpd", "-f", "-p", "80", "-h", "/srv",
    ]);
    let mut running = command.stderr(Stdio::piped()).spawn().expect("the binary runs");
    let page = fetch(port);
    let pid = Pid::from_child(&running);
    kill_process(pid, Signal::KILL).expect("it still runs");
    running.wait().expect("it was killed");
    assert!(
        page.as_deref().is_some_and(|page| page.ends_with("served\n")),
        "{page:?}"
    );
    let gone = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(gone.elapsed() < Duration::from_secs(10), "somebody still listens");
        thread::sleep(Duration::from_millis(10));
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}

/// Asks until somebody answers.
fn fetch(port: u16) -> Option<String> {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(20) {
        if let Some(page) = ask(port).filter(|page| !page.is_empty()) {
            return Some(page);
        }
        thread::sleep(Duration::from_millis(50));
    }
    None
}

fn ask(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(b"GET /page HTTP/1.0\r\n\r\n").ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    Some(page)
}

#[test]
fn signals_reach_the_command() {
    let Some(context) = image() else { return };
    let script = "trap 'echo stopped; exit 7' TERM; echo ready; while true; do sleep 0.05; done";
    let mut command = context.command(["run", "image", "sh", "-c", script]);
    let mut running = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut ready = [0; 6];
    running
        .stdout
        .as_mut()
        .expect("it is piped")
        .read_exact(&mut ready)
        .expect("it says that it is ready");
    kill_process(Pid::from_child(&running), Signal::TERM).expect("it still runs");
    let ended = Outcome::from(running.wait_with_output().expect("it ends")).exits(7);
    assert_eq!(ended.stdout, "stopped\n");
}
