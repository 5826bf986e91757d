//! What proc(5) tells of askers and of the machine.

use std::{
    fs::File,
    os::{fd::OwnedFd, unix::fs::FileExt},
};

use rustix::fs::{Mode, OFlags, openat};

/// The last asker's proc_pid_stat(5), which stays open: opening it costs more than reading it.
#[derive(Debug, Default)]
pub(super) struct Sight(Option<(u32, File)>);

impl Sight {
    /// On which processor a sleeping thread was last.
    pub(super) fn processor_of(&mut self, thread: u32, processes: &OwnedFd) -> Option<usize> {
        let file = match self.0.take() {
            Some((of, file)) if of == thread => file,
            _ => open_stat(thread, processes).ok()?,
        };
        let mut text = [0; 1024];
        // Fails when the thread has ended, and its number is another's perhaps.
        let length = file.read_at(&mut text, 0).ok()?;
        self.0 = Some((thread, file));
        processor(&text[..length])
    }
}

fn open_stat(thread: u32, processes: &OwnedFd) -> rustix::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    openat(processes, format!("{thread}/stat"), flags, Mode::empty()).map(File::from)
}

/// Whether one of so many processors has nothing to do, by what proc_loadavg(5) tells, beside threads that have given way: the one that
/// asks is on a processor itself.
pub(super) fn is_calm(load: &[u8], given: u32, processors: u32) -> bool {
    running(load).is_some_and(|running| running.saturating_sub(given) < processors)
}

/// How many threads want to run, by proc_loadavg(5).
fn running(load: &[u8]) -> Option<u32> {
    let threads = load.split(u8::is_ascii_whitespace).nth(3)?;
    let running = threads.split(|byte| *byte == b'/').next()?;
    std::str::from_utf8(running).ok()?.parse().ok()
}

/// The 39th field of proc_pid_stat(5). The second, the name in parentheses, may contain anything.
fn processor(stat: &[u8]) -> Option<usize> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(&stat[name_end + 1..]).ok()?;
    fields.split_ascii_whitespace().nth(36)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_processor() {
        let rest = "S 1 2 3 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 99 1000 20 18446744073709551615 \
                    1 1 0 0 0 0 0 0 0 0 0 0 17 3 0 0 0 0 0 0 0 0 0 0 0 0 0\n";
        let check = |stat: String, expected| assert_eq!(processor(stat.as_bytes()), expected, "{stat}");
        check(format!("12 (sh) {rest}"), Some(3));
        check(format!("12 (a b) c (d) {rest}"), Some(3));
        check(format!("12 (((\n) {rest}"), Some(3));
        check("12 (sh) S 1 2".into(), None);
        check("12 sh".into(), None);
        check(String::new(), None);
    }

    #[test]
    fn reads_how_many_want_to_run() {
        assert_eq!(running(b"0.09 1.26 1.75 3/104 30161\n"), Some(3));
        assert_eq!(running(b"0.09 1.26 1.75"), None);
        assert_eq!(running(b""), None);
    }

    #[test]
    fn gives_way_only_while_a_processor_is_idle() {
        let load = |running: u32| format!("0.09 1.26 1.75 {running}/104 30161\n");
        for (running, given, processors, calm) in [
            (1, 0, 2, true),
            (2, 0, 2, false),
            (2, 1, 2, true),
            (3, 0, 2, false),
            (3, 1, 2, false),
            (63, 0, 64, true),
            (64, 0, 64, false),
            (1, 3, 2, true),
        ] {
            let found = is_calm(load(running).as_bytes(), given, processors);
            assert_eq!(found, calm, "{running} running, {given} given, {processors}");
        }
        assert!(!is_calm(b"", 0, 2), "where nobody knows");
    }
}
