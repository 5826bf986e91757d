//! Processes with a terminal.

use std::{
    fs::File,
    io::{Read, Write},
};

use wharf_sandbox::{Exit, Io, TerminalSize};

use crate::{
    Case,
    rig::{Rig, Who},
};

pub(crate) const CASES: &[Case] = &[("a_terminal", a_terminal), ("control_c", control_c)];

fn a_terminal(rig: &Rig) {
    let mut spec = rig.script("tty; stty size; test -c /dev/console && ls -l /dev/tty >/dev/null && echo $(stat -c %u $(tty)); read line; echo got $line");
    spec.tty = Some(TerminalSize {
        rows: 24,
        columns: 80,
    });
    spec.uid = 9;
    let mut running = rig.sandbox.start(&spec, Io::null().unwrap()).unwrap();
    let mut terminal = File::from(running.ready().unwrap().terminal.unwrap());
    terminal.write_all(b"words\n").unwrap();
    let output = read_all(&mut terminal);
    assert_eq!(running.wait().unwrap(), Exit::Code(0));
    let owner = if rig.who == Who::Alone { 0 } else { 9 };
    let lines: Vec<&str> = output.lines().filter(|line| *line != "words").collect();
    assert_eq!(
        lines,
        ["/dev/pts/0", "24 80", &owner.to_string(), "got words"],
        "{output}"
    );
}

fn control_c(rig: &Rig) {
    let mut spec = rig.script("echo up; sleep 60");
    spec.tty = Some(TerminalSize::default());
    let mut running = rig.sandbox.start(&spec, Io::null().unwrap()).unwrap();
    let mut terminal = File::from(running.ready().unwrap().terminal.unwrap());
    let mut up = [0; 4];
    terminal.read_exact(&mut up).unwrap();
    terminal.write_all(b"\x03").unwrap();
    assert_eq!(running.wait().unwrap(), Exit::Signal(2));
}

/// Until the other side is closed, which a terminal says with EIO.
fn read_all(terminal: &mut File) -> String {
    let mut all = Vec::new();
    let mut some = [0; 256];
    while let Ok(length @ 1..) = terminal.read(&mut some) {
        all.extend_from_slice(&some[..length]);
    }
    String::from_utf8_lossy(&all).replace('\r', "")
}
