//! What is mounted into a root.

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    thread,
};

use wharf_sandbox::{Exit, Mount, SyntheticFile};

use crate::{
    Case,
    rig::{Rig, Who},
};

pub(crate) const CASES: &[Case] = &[
    ("binds", binds),
    ("links_lead_inside", links_lead_inside),
    ("a_tmpfs", a_tmpfs),
    ("secrets", secrets),
    ("a_directory_of_files", a_directory_of_files),
    ("a_part_of_the_root_again", a_part_of_the_root_again),
    ("an_agent", an_agent),
];

fn binds(rig: &Rig) {
    let folder = rig.scratch.join("outside");
    fs::create_dir(&folder).unwrap();
    let file = rig.scratch.write("outside/file", "content\n");
    let mut spec = rig.script(
        "cat /mnt/file; cat /mnt/dir/file; echo more > /mnt/dir/made; echo no > /mnt/file || echo refused",
    );
    spec.mounts = vec![
        Mount::Bind {
            source: folder.clone(),
            target: "/mnt/dir".into(),
            read_only: false,
        },
        Mount::Bind {
            source: file,
            target: "/mnt/file".into(),
            read_only: true,
        },
    ];
    assert_eq!(
        rig.run(&spec).output,
        "content\ncontent\nsh: can't create /mnt/file: Read-only file system\nrefused\n"
    );
    assert_eq!(fs::read_to_string(folder.join("made")).unwrap(), "more\n");
}

fn links_lead_inside(rig: &Rig) {
    let mut spec = rig.script("cat /etc/hosts");
    spec.mounts = vec![Mount::File {
        target: "/mnt/link".into(),
        file: SyntheticFile::public("hosts", *b"127.0.0.1 box\n"),
    }];
    let before = fs::read_to_string("/etc/hosts").unwrap();
    assert_eq!(rig.run(&spec).output, "127.0.0.1 box\n");
    assert_eq!(fs::read_to_string("/etc/hosts").unwrap(), before);
}

fn a_tmpfs(rig: &Rig) {
    let mut spec = rig.script("stat -c %a /mnt/dir; df -k /mnt/dir | awk 'END {print $2}'; cp /bin/busybox /mnt/dir && /mnt/dir/busybox true && echo runs");
    spec.mounts = vec![Mount::Tmpfs {
        target: "/mnt/dir".into(),
        size: Some(8 << 20),
        mode: 0o1777,
    }];
    assert_eq!(rig.run(&spec).output, "1777\n8192\nruns\n");
}

fn secrets(rig: &Rig) {
    let mut spec = rig.script("stat -c '%a %u %g' /mnt/file; cat /mnt/file; echo x > /mnt/file");
    let file = SyntheticFile {
        name: "secret".into(),
        content: b"pass\xffword\n".to_vec().into(),
        mode: 0o440,
        uid: 7,
        gid: 8,
    };
    assert!(!format!("{file:?}").contains("pass"), "{file:?}");
    spec.mounts = vec![Mount::File {
        target: "/mnt/file".into(),
        file,
    }];
    let outcome = rig.run(&spec);
    let owner = if rig.who == Who::Alone {
        "440 0 0"
    } else {
        "440 7 8"
    };
    assert_eq!(
        outcome.output,
        format!("{owner}\npass\u{fffd}word\nsh: can't create /mnt/file: Read-only file system\n")
    );
}

fn a_directory_of_files(rig: &Rig) {
    let mut spec =
        rig.script("cd /run/wharf/ca && find . -type f | sort && cat bundle.pem deep/er/x && touch new");
    let large = "0123456789abcdef".repeat(20_000);
    let files = vec![
        SyntheticFile::public("bundle.pem", large.clone().into_bytes()),
        SyntheticFile::public("deep/er/x", *b"\nx\n"),
    ];
    spec.mounts = vec![Mount::Directory {
        target: "/run/wharf/ca".into(),
        files,
    }];
    let outcome = rig.run(&spec);
    assert_eq!(
        outcome.output,
        format!("./bundle.pem\n./deep/er/x\n{large}\nx\ntouch: new: Read-only file system\n")
    );
}

fn a_part_of_the_root_again(rig: &Rig) {
    fs::write(rig.root().join("mnt/dir/kept"), "kept\n").unwrap();
    let mut spec = rig.script("cat /mnt/dir/kept; touch /mnt/dir/x || rm -r /mnt/dir || mv /mnt/dir /mnt/other || touch /mnt/y && echo end");
    spec.mounts = vec![Mount::Again {
        target: "/mnt/dir".into(),
        read_only: true,
    }];
    let outcome = rig.run(&spec);
    assert_eq!(outcome.exit, Exit::Code(0), "{}", outcome.output);
    assert!(
        outcome.output.starts_with("kept\n") && outcome.output.contains("Read-only"),
        "{}",
        outcome.output
    );
}

/// An echoing server outside, spoken to through the socket inside.
fn an_agent(rig: &Rig) {
    let source = rig.scratch.join("agent");
    let listener = UnixListener::bind(&source).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = [0; 5];
        stream.read_exact(&mut line).unwrap();
        stream.write_all(&line).unwrap();
    });
    let own = std::env::current_exe().unwrap();
    let (folder, name) = (own.parent().unwrap(), own.file_name().unwrap().to_string_lossy());
    let mut spec = rig.script(&format!(
        "stat -c '%a %u %F' /mnt/socket; /mnt/dir/{name} talk /mnt/socket hello"
    ));
    spec.mounts = vec![
        Mount::Bind {
            source: folder.to_owned(),
            target: "/mnt/dir".into(),
            read_only: true,
        },
        Mount::Socket {
            source,
            target: "/mnt/socket".into(),
            mode: 0o600,
            uid: 3,
            gid: 0,
        },
    ];
    let uid = if rig.who == Who::Alone { 0 } else { 3 };
    assert_eq!(rig.run(&spec).output, format!("600 {uid} socket\nhello"));
}

/// `talk SOCKET WORD`, inside a sandbox: says the word and prints the answer.
pub(crate) fn talk_if_asked() -> bool {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, verb, socket, word] = arguments.as_slice() else {
        return false;
    };
    if verb != "talk" {
        return false;
    }
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(word.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    print!("{answer}");
    true
}
