//! What a process is told, how it ends, and what ends with it.

use std::{
    fs,
    io::Read,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use wharf_sandbox::{ExecError, Exit, Io, Options, Root, Sandbox, Spec};

use crate::{
    Case,
    rig::{Rig, Who},
};

pub(crate) const CASES: &[Case] = &[
    ("exit_codes", exit_codes),
    ("programs_that_cannot_run", programs_that_cannot_run),
    ("environment_and_directory", environment_and_directory),
    ("credentials", credentials),
    ("users_and_groups", users_and_groups),
    ("pids_are_its_own", pids_are_its_own),
    ("what_is_left_running_ends", what_is_left_running_ends),
    ("killing_from_another_thread", killing_from_another_thread),
    ("dropping_ends_it", dropping_ends_it),
    ("signals_arrive", signals_arrive),
    ("orphans_are_reaped", orphans_are_reaped),
    ("many_at_once", many_at_once),
    (
        "a_killed_program_takes_all_along",
        a_killed_program_takes_all_along,
    ),
    (
        "a_killed_supervisor_takes_all_along",
        a_killed_supervisor_takes_all_along,
    ),
    (MASKED, a_masked_proc),
];

fn exit_codes(rig: &Rig) {
    let exit = |script| rig.run(&rig.script(script)).exit;
    assert_eq!(exit("exit 0"), Exit::Code(0));
    assert_eq!(exit("exit 42"), Exit::Code(42));
    assert_eq!(exit("kill -TERM $$"), Exit::Signal(15));
    assert_eq!(exit("kill -KILL $$").code(), 137);
}

fn programs_that_cannot_run(rig: &Rig) {
    fs::write(rig.root().join("bin/data"), "no program").unwrap();
    fs::write(rig.root().join("bin/lost"), "#!/no/such/interpreter\n").unwrap();
    fs::copy("/bin/busybox", rig.root().join("bin/garbage")).unwrap();
    fs::write(rig.root().join("bin/garbage"), [0x7f, b'E', b'L', b'F', 1, 2, 3]).unwrap();
    fs::copy(rig.root().join("bin/garbage"), rig.root().join("bin/garbage2")).unwrap();
    for name in ["lost", "garbage", "garbage2"] {
        set_executable(&rig.root().join("bin").join(name));
    }
    let exit = |program: &str| rig.run(&rig.spec(&[program])).exit;
    let cases = [
        ("nothing-like-it", 127),
        ("/bin/nothing-like-it", 127),
        ("", 127),
        ("lost", 127),
        ("data", 126),
        ("/bin", 126),
        ("garbage", 126),
    ];
    for (program, code) in cases {
        assert_eq!(exit(program).code(), code, "{program}: {:?}", exit(program));
    }
    assert_eq!(
        exit("lost"),
        Exit::NotExecuted(ExecError::NoInterpreter {
            program: "/bin/lost".into()
        })
    );
}

fn set_executable(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn environment_and_directory(rig: &Rig) {
    let mut spec = rig.spec(&[
        "sh",
        "-c",
        "env | sort; pwd; hostname; umask; ls /proc/self/fd | wc -l",
    ]);
    spec.env.push("WORD=two words".into());
    spec.cwd = "/tmp".into();
    spec.hostname = "box".into();
    let output = rig.run(&spec).output;
    // The shell adds PWD and SHLVL; `ls` has its three streams and the directory.
    assert_eq!(
        output,
        "PATH=/usr/bin:/bin\nPWD=/tmp\nSHLVL=1\nWORD=two words\n/tmp\nbox\n0022\n4\n"
    );
    spec.cwd = "/missing".into();
    spec.root = rig.overlay();
    let error = rig.try_run(&spec).unwrap_err().to_string();
    assert_eq!(
        error,
        "cannot change to the working directory /missing: No such file or directory (os error 2)"
    );
}

fn credentials(rig: &Rig) {
    let spec = rig.spec(&["grep", "-E", "^(Cap|NoNew|SigIgn|SigBlk)", "/proc/self/status"]);
    let status = rig.run(&spec).output;
    let expected = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nCapInh:\t0000000000000000\n\
                    CapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\n\
                    CapAmb:\t0000000000000000\nNoNewPrivs:\t0\n";
    assert_eq!(status, expected);
}

fn users_and_groups(rig: &Rig) {
    let mut spec = rig.script("id -u; id -g; grep -E '^(Groups|CapPrm|CapEff|CapBnd)' /proc/self/status; echo to stdout > /dev/stdout");
    (spec.uid, spec.gid, spec.groups) = (1000, 1001, vec![5, 27]);
    let output = rig.run(&spec).output;
    let caps = "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\n";
    match rig.who {
        Who::Root | Who::User => assert_eq!(
            output,
            format!("1000\n1001\nGroups:\t5 27 1001 \n{caps}to stdout\n")
        ),
        Who::Alone => assert!(output.starts_with("0\n0\n"), "{output}"),
    }
}

fn pids_are_its_own(rig: &Rig) {
    assert_eq!(
        rig.sh("echo $$; cat /proc/1/comm; echo /proc/[0-9]*"),
        "2\nwharf-init\n/proc/1 /proc/2\n"
    );
}

fn what_is_left_running_ends(rig: &Rig) {
    let before = Instant::now();
    let output = rig.sh("sleep 60 & setsid sleep 60 & nohup sleep 60 2>/dev/null >/dev/null & echo done");
    assert_eq!(output, "done\n");
    assert!(
        before.elapsed() < Duration::from_secs(30),
        "{:?}",
        before.elapsed()
    );
}

fn killing_from_another_thread(rig: &Rig) {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let running = rig.sandbox.start(
        &rig.script("echo up; sleep 60 & sleep 60"),
        Io::output_to(writer.into()).unwrap(),
    );
    let running = running.unwrap();
    let killer = running.killer();
    let waiter = thread::spawn(move || running.wait());
    let mut up = [0; 3];
    reader.read_exact(&mut up).unwrap();
    killer.kill();
    assert_eq!(waiter.join().unwrap().unwrap(), Exit::Signal(9));
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"", "everything that held the pipe is gone");
}

fn dropping_ends_it(rig: &Rig) {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let running = rig
        .sandbox
        .start(&rig.script("sleep 60"), Io::output_to(writer.into()).unwrap())
        .unwrap();
    drop(running);
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
}

fn signals_arrive(rig: &Rig) {
    let script = "trap 'echo caught; exit 7' TERM; echo up; while :; do sleep 0.05; done";
    let (mut reader, writer) = std::io::pipe().unwrap();
    let running = rig
        .sandbox
        .start(&rig.script(script), Io::output_to(writer.into()).unwrap())
        .unwrap();
    let mut up = [0; 3];
    reader.read_exact(&mut up).unwrap();
    running.signal(15).unwrap();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert_eq!(
        (running.wait().unwrap(), rest.as_str()),
        (Exit::Code(7), "caught\n")
    );
}

fn orphans_are_reaped(rig: &Rig) {
    let output = rig.sh(
        "for i in 1 2 3 4 5; do (true & ) ; done; sleep 0.3; grep -l '^State:.Z' /proc/[0-9]*/status | wc -l",
    );
    assert_eq!(output, "0\n");
}

fn many_at_once(rig: &Rig) {
    thread::scope(|scope| {
        let runs: Vec<_> = (0..8)
            .map(|number| scope.spawn(move || rig.sh(&format!("echo {number}"))))
            .collect();
        let outputs: Vec<_> = runs.into_iter().map(|run| run.join().unwrap()).collect();
        assert_eq!(outputs, ["0\n", "1\n", "2\n", "3\n", "4\n", "5\n", "6\n", "7\n"]);
    });
}

/// `victim ROOT UPPER WORK`: a program that starts a process and waits for it until it is killed.
pub(crate) fn be_victim_if_asked() -> bool {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, verb, lower, upper, work] = arguments.as_slice() else {
        return false;
    };
    if verb != "victim" {
        return false;
    }
    let root = Root::Overlay {
        lower: lower.into(),
        upper: upper.into(),
        work: work.into(),
    };
    let argv = ["/bin/sh", "-c", "echo up; setsid sleep 60 & sleep 60"]
        .map(Into::into)
        .to_vec();
    let running = Sandbox::new(Options::default())
        .start(&Spec::new(root, argv), Io::inherit().unwrap())
        .unwrap();
    running.wait().unwrap();
    true
}

/// Starts a victim whose process runs; `kill` ends one of its processes; then everything that held its output must go.
fn kill_a_victim(rig: &Rig, kill: fn(&mut Child)) {
    let (upper, work) = rig.fresh_upper();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .arg("victim")
        .args([&rig.root(), &upper, &work])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = victim.stdout.take().unwrap();
    let mut up = [0; 3];
    output.read_exact(&mut up).unwrap();
    kill(&mut victim);
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"");
    victim.wait().unwrap();
}

fn a_killed_program_takes_all_along(rig: &Rig) {
    kill_a_victim(rig, |victim| victim.kill().unwrap());
}

fn a_killed_supervisor_takes_all_along(rig: &Rig) {
    kill_a_victim(rig, |victim| {
        let tasks = format!("/proc/{0}/task/{0}/children", victim.id());
        let supervisor = fs::read_to_string(tasks).unwrap().trim().parse().unwrap();
        kill_process(Pid::from_raw(supervisor).unwrap(), Signal::KILL).unwrap();
    });
}

/// Run where a part of /proc is covered: the kernel then refuses a user namespace a procfs of its own.
pub(crate) const MASKED: &str = "a_masked_proc";

fn a_masked_proc(rig: &Rig) {
    let output =
        rig.sh("test -d /proc/acpi && echo there; sleep 60 & setsid sleep 60 & echo $$; cat /proc/self/comm");
    let lines: Vec<&str> = output.lines().collect();
    if !rig.sandbox.shares_processes() {
        return wharf_testkit::skip("needs a /proc that is covered in part, which the tests lay as root");
    }
    assert_eq!((lines[0], lines[2]), ("there", "cat"), "{output}");
    assert!(
        lines[1].parse::<u32>().unwrap() > 2,
        "the pid namespace is shared: {output}"
    );
    let status = fs::read_to_string("/proc/self/status").unwrap();
    assert!(
        fs::read_dir("/proc/self/fd").is_ok() && !status.is_empty(),
        "a hidden process still sees itself"
    );
    assert!(rig.run(&rig.script("kill -TERM $$")).exit == Exit::Signal(15));
}
