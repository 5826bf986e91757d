//! The binary on a terminal of its own: what is typed, and what is on the screen.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::fd::AsFd as _,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Termios, Winsize, tcgetattr, tcsetwinsize},
};

use crate::context::started_by;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program whose three streams are a terminal, which it controls.
pub(crate) struct Pty {
    child: Child,
    /// Where a person sits.
    person: File,
    /// Where the program is; held so that its settings can be read when the program is gone.
    program: File,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Pty {
    /// Starts a command on a terminal of this size.
    pub(crate) fn start(command: &Command, rows: u16, columns: u16) -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are pseudo-terminals");
        grantpt(&person)
            .and_then(|()| unlockpt(&person))
            .expect("the terminal is ours");
        let name = ptsname(&person, Vec::new()).expect("it has a name");
        let program = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name.to_str().expect("an ASCII name"))
            .expect("it was unlocked");
        let stream = || Stdio::from(program.try_clone().expect("descriptors are not scarce"));
        // It makes the terminal the controlling one, which `Command` cannot.
        let mut session = started_by(&["setsid", "--ctty"], command);
        session.env("TERM", "xterm");
        session.stdin(stream()).stdout(stream()).stderr(stream());
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let mut pty = Self {
            child: Command::new("true").spawn().expect("true runs"),
            person: person.into(),
            program,
            screen,
        };
        pty.resize(rows, columns);
        pty.child = session.spawn().expect("setsid is everywhere");
        pty.watch();
        pty
    }

    /// Draws what the program writes.
    fn watch(&self) {
        let mut output = self.person.try_clone().expect("descriptors are not scarce");
        let screen = Arc::clone(&self.screen);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                screen
                    .lock()
                    .expect("no test panics with it")
                    .process(&buffer[..length]);
            }
        });
    }

    fn parser(&self) -> MutexGuard<'_, vt100::Parser> {
        self.screen.lock().expect("no test panics with it")
    }

    /// Changes the size, of which the program is told.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.person, size).expect("it is a terminal");
        self.parser().screen_mut().set_size(rows, columns);
    }

    /// What is on the screen, line by line.
    pub(crate) fn screen(&self) -> String {
        let parser = self.parser();
        let (_, columns) = parser.screen().size();
        let rows = parser.screen().rows(0, columns);
        let lines: Vec<_> = rows.map(|row| row.trim_end().to_owned()).collect();
        lines.join("\n").trim_end().to_owned()
    }

    /// Waits until the screen shows a text.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) -> String {
        let begin = Instant::now();
        loop {
            let screen = self.screen();
            if screen.contains(text) {
                return screen;
            }
            assert!(begin.elapsed() < PATIENCE, "`{text}` is never shown:\n{screen}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Types.
    pub(crate) fn types(&mut self, text: &str) {
        self.person
            .write_all(text.as_bytes())
            .expect("the terminal is there");
    }

    /// How the terminal treats what is typed.
    pub(crate) fn settings(&self) -> Termios {
        tcgetattr(self.program.as_fd()).expect("it is a terminal")
    }

    /// Waits for the program's end, and gives its exit code and what is on the screen then.
    pub(crate) fn ends(mut self) -> (Option<i32>, String) {
        let code = self.code();
        // All that the program wrote is on the screen when this is.
        self.program
            .write_all(b"\r\n--end--")
            .expect("the terminal is there");
        let screen = self.shows("--end--");
        (code, screen.replace("\n--end--", ""))
    }

    /// Waits for the program's end, and gives its exit code.
    pub(crate) fn code(&mut self) -> Option<i32> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status.code();
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        panic!("it never ends:\n{}", self.screen());
    }
}
