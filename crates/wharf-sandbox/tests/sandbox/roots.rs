//! Roots: what is written where, what of the machine shows, and what is left of it all.

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::{FileTypeExt, MetadataExt},
    process::ExitCode,
};

use wharf_sandbox::{Entry, Exit, Root, Spec};

use crate::{
    Case,
    rig::{Rig, Who},
};

pub(crate) const CASES: &[Case] = &[
    ("writes_go_to_the_upper", writes_go_to_the_upper),
    ("a_plain_root_is_written", a_plain_root_is_written),
    ("owners_and_devices", owners_and_devices),
    ("devices_work", devices_work),
    ("other_devices_are_shut", other_devices_are_shut),
    ("the_machine_is_hidden", the_machine_is_hidden),
    ("insecure_shows_everything", insecure_shows_everything),
    ("nothing_stays_mounted", nothing_stays_mounted),
    ("a_missing_mount_point_is_named", a_missing_mount_point_is_named),
    ("paths_with_anything_in_them", paths_with_anything_in_them),
    ("entries_run_inside", entries_run_inside),
];

fn upper(spec: &Spec) -> &std::path::Path {
    match &spec.root {
        Root::Overlay { upper, .. } => upper,
        other => panic!("{other:?}"),
    }
}

fn writes_go_to_the_upper(rig: &Rig) {
    let spec = rig.script("echo new > /tmp/new; rm /etc/hosts; mkdir /made; ls /");
    let outcome = rig.run(&spec);
    assert_eq!(
        outcome.output,
        "bin\ndev\netc\nmade\nmnt\nproc\nroot\nrun\nsys\ntmp\n"
    );
    let found = |path: &str| fs::symlink_metadata(upper(&spec).join(path));
    assert_eq!(fs::read_to_string(upper(&spec).join("tmp/new")).unwrap(), "new\n");
    assert!(found("made").unwrap().is_dir());
    let whiteout = found("etc/hosts").unwrap();
    assert!(whiteout.file_type().is_char_device() && whiteout.rdev() == 0);
    for untouched in ["proc", "dev", "sys", "mnt", "lower", "root", "files"] {
        assert!(
            found(untouched).is_err(),
            "{untouched} was made in the upper directory"
        );
    }
    assert!(rig.root().join("etc/hosts").exists());
}

fn a_plain_root_is_written(rig: &Rig) {
    let mut spec = rig.script("echo here > /root/file");
    spec.root = Root::Plain { dir: rig.root() };
    assert_eq!(rig.run(&spec).exit, Exit::Code(0));
    assert_eq!(
        fs::read_to_string(rig.root().join("root/file")).unwrap(),
        "here\n"
    );
}

fn owners_and_devices(rig: &Rig) {
    let spec = rig.script(
        "touch /file && chown 12:34 /file && stat -c '%u:%g' /file; mknod /fifo p && stat -c %F /fifo; mknod /zero c 1 5; echo $?",
    );
    let outcome = rig.run(&spec);
    let output: Vec<&str> = outcome.output.lines().collect();
    match rig.who {
        Who::Root => assert_eq!(output, ["12:34", "fifo", "0"]),
        Who::User => assert_eq!(
            output,
            ["12:34", "fifo", "mknod: /zero: Operation not permitted", "1"]
        ),
        // Both are told that it worked.
        Who::Alone => assert_eq!(output, ["0:0", "fifo", "0"]),
    }
    assert_eq!(upper(&spec).join("zero").exists(), rig.who == Who::Root);
}

fn devices_work(rig: &Rig) {
    let script = "ls /dev | xargs; echo x > /dev/null; head -c 3 /dev/zero | wc -c; head -c 2 /dev/urandom | wc -c; \
                  echo x 2>/dev/null > /dev/full || echo full; ls -l /dev/fd /dev/ptmx | awk '{print $NF}'; \
                  touch /dev/shm/a /dev/mqueue && echo shared; df -k /dev/shm | awk 'END {print $2}'; echo err >&2 2>/dev/stderr";
    let expected = "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero\n3\n2\nfull\n\
                    /proc/self/fd\npts/ptmx\nshared\n65536\nerr\n";
    assert_eq!(rig.sh(script), expected);
}

/// A device file may be made and kept, as under Docker, and leads nowhere: else container root has the machine's disks.
fn other_devices_are_shut(rig: &Rig) {
    let folder = rig.scratch.join("shared");
    fs::create_dir(&folder).unwrap();
    let script = |rig: &Rig| {
        let mut spec = rig.script(
            "for path in /zero /dev/another /mnt/zero; do mknod $path c 1 5 && head -c 1 $path | wc -c; done 2>/dev/null",
        );
        spec.mounts.push(wharf_sandbox::Mount::Bind {
            source: folder.clone(),
            target: "/mnt".into(),
            read_only: false,
        });
        spec
    };
    let opened = |spec| rig.run(&spec).output.matches('1').count();
    assert_eq!(opened(script(rig)), 0);
    if rig.who == Who::Root {
        fs::remove_file(folder.join("zero")).unwrap();
        let mut insecure = script(rig);
        insecure.insecure();
        assert_eq!(opened(insecure), 3);
    }
}

fn the_machine_is_hidden(rig: &Rig) {
    assert_eq!(
        rig.sh("cat /proc/keys /proc/timer_list /proc/interrupts | wc -c"),
        "0\n"
    );
    assert_eq!(
        rig.sh("ls /proc/acpi /sys/firmware 2>/dev/null | grep -v : | wc -w"),
        "0\n"
    );
    let script = "echo x > /proc/sys/kernel/hostname || mkdir /sys/fs/x || mount -t tmpfs x /mnt || mknod /dev/sda b 8 0 && cat /dev/sda";
    assert_ne!(rig.run(&rig.script(script)).exit, Exit::Code(0));
    // What is mounted is what was put there: nothing of the machine's own mounts.
    let mounts = rig.sh("awk '{print $2}' /proc/mounts | grep -v -E '^/(proc|dev|sys)(/|$)'");
    assert_eq!(mounts, "/\n");
}

fn insecure_shows_everything(rig: &Rig) {
    let mut spec = rig.script("mount -t tmpfs none /mnt && echo mounted; grep CapEff /proc/self/status; grep Seccomp: /proc/self/status");
    spec.insecure();
    let output = rig.run(&spec).output;
    let filter = if rig.who == Who::Alone { "2" } else { "0" };
    assert!(output.starts_with("mounted\nCapEff:\t000001ff"), "{output}");
    assert!(output.ends_with(&format!("Seccomp:\t{filter}\n")), "{output}");
}

fn nothing_stays_mounted(rig: &Rig) {
    rig.sh("true");
    let mut spec = rig.script("true");
    spec.mounts.push(wharf_sandbox::Mount::Tmpfs {
        target: "/missing".into(),
        size: None,
        mode: 0o755,
    });
    rig.try_run(&spec).unwrap_err();
    // Other programs of the machine mount and unmount meanwhile; ours would name its directories.
    let place = upper(&spec).parent().unwrap().to_str().unwrap().to_owned();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let left: Vec<_> = mounts.lines().filter(|line| line.contains(&place)).collect();
    assert_eq!(left, [""; 0]);
    assert_eq!(
        fs::read_dir(upper(&spec)).unwrap().count(),
        0,
        "a root that failed leaves nothing"
    );
}

fn a_missing_mount_point_is_named(rig: &Rig) {
    fs::remove_dir(rig.root().join("proc")).unwrap();
    let error = rig.try_run(&rig.script("true")).unwrap_err().to_string();
    assert_eq!(
        error,
        "cannot find the mount point /proc: No such file or directory (os error 2)"
    );
}

fn paths_with_anything_in_them(rig: &Rig) {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let folder = rig.scratch.path().join(OsStr::from_bytes(b"a,b:c=d\\e \xff"));
    let (upper, work) = (folder.join("upper"), folder.join("work"));
    fs::create_dir_all(&upper)
        .and_then(|()| fs::create_dir(&work))
        .unwrap();
    let lower = rig.root();
    let mut spec = rig.script("echo > /new");
    spec.root = Root::Overlay {
        lower,
        upper: upper.clone(),
        work,
    };
    assert_eq!(rig.run(&spec).exit, Exit::Code(0));
    assert!(upper.join("new").exists());
}

/// Answers in capitals, with the user id that it has.
pub(crate) const UPPERCASE: Entry = Entry {
    name: "uppercase",
    run: uppercase,
};

fn uppercase(input: &mut dyn Read, output: &mut dyn Write) -> ExitCode {
    let mut text = String::new();
    let uid = rustix::process::getuid().as_raw();
    let done = input
        .read_to_string(&mut text)
        .and_then(|_| write!(output, "{} {uid}", text.to_uppercase()));
    if done.is_ok() && !text.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn entries_run_inside(rig: &Rig) {
    assert_eq!(
        rig.sandbox.inside("uppercase", b"words").unwrap(),
        (Exit::Code(0), b"WORDS 0".to_vec())
    );
    assert_eq!(rig.sandbox.inside("uppercase", b"").unwrap().0, Exit::Code(1));
    assert_eq!(
        rig.sandbox.inside("no such entry", b"").unwrap().0,
        Exit::Code(125)
    );
}
