//! A run of a program that speaks to a network: it ends when it has been silent for too long, or when the build does.

use std::{
    io::{self, Read},
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use wharf_solver::Cancel;

/// How long a program that speaks to a network may take.
#[derive(Clone)]
pub struct Patience {
    /// Without saying anything. Progress counts as well as answers.
    pub silence: Duration,
    /// Says when nobody waits any more.
    pub cancel: Cancel,
}

/// How the program ended.
pub(super) enum Ended {
    /// By itself.
    Alone(Output),
    /// It said nothing for too long.
    Silent,
    /// Nobody waited any more.
    Cancelled,
}

/// How long it takes to notice that nobody waits any more.
const LOOK: Duration = Duration::from_millis(100);

/// Runs `command` and takes what it says.
pub(super) fn run(command: &mut Command, patience: &Patience) -> io::Result<Ended> {
    // A group of its own, so that the programs that it starts end with it.
    let child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    Running(child).ended(patience)
}

/// A program that is ended, with all that it started, when this is dropped.
struct Running(Child);

impl Running {
    fn ended(mut self, patience: &Patience) -> io::Result<Ended> {
        let (sender, said) = mpsc::channel();
        let stdout = self.0.stdout.take().expect("it is piped");
        let stderr = self.0.stderr.take().expect("it is piped");
        let readers = [
            thread::spawn({
                let sender = sender.clone();
                move || read(stdout, &sender)
            }),
            thread::spawn(move || read(stderr, &sender)),
        ];
        let mut last = Instant::now();
        loop {
            match said.recv_timeout(LOOK) {
                Ok(()) => last = Instant::now(),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if patience.cancel.is_cancelled() => {
                    return Ok(Ended::Cancelled);
                }
                Err(RecvTimeoutError::Timeout) if last.elapsed() > patience.silence => {
                    return Ok(Ended::Silent);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        let [stdout, stderr] = readers.map(|reader| reader.join().expect("a reader does not panic"));
        Ok(Ended::Alone(Output {
            status: self.wait()?,
            stdout,
            stderr,
        }))
    }

    fn wait(&mut self) -> io::Result<ExitStatus> {
        self.0.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A program that was waited for has given its number back.
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
            let _ = self.0.wait();
        }
    }
}

/// All of `stream`, of which each piece is told.
fn read(mut stream: impl Read, told: &Sender<()>) -> Vec<u8> {
    let mut all = Vec::new();
    let mut piece = [0; 8192];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return all,
            Ok(length) => all.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return all,
        }
        let _ = told.send(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(script: &str, silence: Duration, cancel: &Cancel) -> (Ended, Duration) {
        let patience = Patience {
            silence,
            cancel: cancel.clone(),
        };
        let start = Instant::now();
        let ended = run(Command::new("sh").args(["-c", script]), &patience);
        (ended.expect("there is a shell"), start.elapsed())
    }

    #[test]
    fn what_it_says_is_taken() {
        let (ended, _) = ended(
            "echo one; echo two >&2; exit 3",
            Duration::from_mins(1),
            &Cancel::new(),
        );
        let Ended::Alone(output) = ended else {
            panic!("it ends by itself")
        };
        assert_eq!(
            (&output.stdout[..], &output.stderr[..]),
            (&b"one\n"[..], &b"two\n"[..])
        );
        assert_eq!(output.status.code(), Some(3));
    }

    #[test]
    fn silence_ends_it_and_what_it_started() {
        let silence = Duration::from_millis(300);
        let (ended, took) = ended("sleep 600 & sleep 600", silence, &Cancel::new());
        assert!(matches!(ended, Ended::Silent));
        assert!(took < Duration::from_mins(1), "{took:?}");
    }

    #[test]
    fn whoever_says_something_has_more_time() {
        let script = "for second in 1 2 3 4 5 6 7 8 9; do sleep 0.5; echo . >&2; done";
        let (ended, _) = ended(script, Duration::from_secs(4), &Cancel::new());
        assert!(matches!(ended, Ended::Alone(output) if output.stderr.len() == 18));
    }

    #[test]
    fn nobody_waits_for_what_was_cancelled() {
        let cancel = Cancel::new();
        cancel.cancel();
        let (ended, took) = ended("sleep 600", Duration::from_mins(9), &cancel);
        assert!(matches!(ended, Ended::Cancelled) && took < Duration::from_mins(1));
    }
}
