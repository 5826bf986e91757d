//! Kills a program at a counted system call on a directory, its own or a child's, with `ptrace(2)`: the program itself stays as it is.
//!
//! Everything that the program starts is traced too, into whatever namespaces it goes. Once the moment has come all others are let
//! go, and meet the death of the first process as they would without a tracer.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    os::unix::{ffi::OsStrExt as _, fs::FileExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use nix::{
    errno::Errno,
    sys::{
        ptrace::{self, Options},
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

/// A kind of moment: the entry to a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// Bytes to a file.
    Write,
    /// A file or directory gets its place.
    Rename,
    /// Another name of a file.
    Link,
    /// A name goes.
    Unlink,
    /// Content on its way to the disk.
    Sync,
    /// A file is made or opened for writing.
    Create,
    /// A directory is made.
    Mkdir,
    /// A file's times, owner or length change.
    Change,
    /// A file is locked.
    Lock,
    /// A file system is mounted, or a mount moved or removed: counted wherever it is.
    Mount,
    /// A program starts: counted whichever it is.
    Execute,
}

/// The n-th of its kind, from 1 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The kind.
    pub call: Call,
    /// Which.
    pub number: u32,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Traced {
    /// The program's exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// How many there were of each kind, up to the moment.
    pub calls: BTreeMap<Call, u32>,
    /// Whether the moment came, and if so whether it was in a child.
    pub killed: Option<Place>,
}

/// Where a moment was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the program's own process.
    Program,
    /// In a process that it started.
    Child,
}

/// Runs a program to its end, or to the moment at which it is killed with `SIGKILL`. Calls of the kinds that name files count below `directory` only.
///
/// The error says what this machine lacks.
pub fn trace(command: &Command, directory: &Path, moment: Option<Moment>) -> Result<Traced, String> {
    // A thread of its own: when it ends, the kernel lets go of all that it traced.
    thread::scope(|scope| {
        let tracer = scope.spawn(|| Tracer::start(command, directory, moment)?.run());
        tracer
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

struct Tracer {
    program: Pid,
    directory: PathBuf,
    moment: Option<Moment>,
    threads: BTreeSet<Pid>,
    seen: Traced,
}

impl Tracer {
    fn start(command: &Command, directory: &Path, moment: Option<Moment>) -> Result<Self, String> {
        let child = stopped(command).spawn().map_err(|error| error.to_string())?;
        let program = Pid::from_raw(child.id().cast_signed());
        let lacks = |errno: Errno| format!("ptrace is refused here: {errno}");
        waitpid(program, Some(WaitPidFlag::WUNTRACED)).map_err(lacks)?;
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEEXEC;
        let seized = ptrace::seize(program, options).map_err(lacks);
        kill(program, Signal::SIGCONT).map_err(lacks)?;
        seized?;
        Ok(Self {
            program,
            directory: directory.to_owned(),
            moment,
            threads: BTreeSet::new(),
            seen: Traced::default(),
        })
    }

    fn run(mut self) -> Result<Traced, String> {
        // Only what this thread started: other tests wait for children of theirs.
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        loop {
            let status = match waitpid(Pid::from_raw(-1), Some(flags)) {
                Ok(status) => status,
                Err(Errno::EINTR) => continue,
                Err(Errno::ECHILD) => return Ok(self.seen),
                Err(errno) => return Err(errno.to_string()),
            };
            match status {
                WaitStatus::Exited(pid, code) if pid == self.program => {
                    self.seen.code = Some(code);
                    return Ok(self.seen);
                }
                WaitStatus::Signaled(pid, ..) if pid == self.program => return Ok(self.seen),
                WaitStatus::PtraceSyscall(pid) => self.at_call(pid),
                WaitStatus::PtraceEvent(pid, ..) => self.go_on(pid, None),
                WaitStatus::Stopped(pid, signal) => self.go_on(pid, Some(signal)),
                _ => {}
            }
        }
    }

    /// A process that is gone meanwhile is reported by the next wait.
    fn go_on(&self, pid: Pid, signal: Option<Signal>) {
        let _ = match self.seen.killed {
            None => ptrace::syscall(pid, signal),
            Some(_) => ptrace::detach(pid, signal),
        };
    }

    fn at_call(&mut self, pid: Pid) {
        if self.seen.killed.is_none()
            && is_entry(pid)
            && let Some(call) = Stop::of(pid).and_then(|stop| stop.call(&self.directory))
        {
            let count = self.seen.calls.entry(call).or_default();
            *count += 1;
            let now = Moment { call, number: *count };
            if self.moment == Some(now) {
                self.seen.killed = Some(self.place(pid));
                // The whole process dies, before the call does anything.
                let _ = kill(self.program, Signal::SIGKILL);
            }
        }
        self.go_on(pid, None);
    }

    fn place(&mut self, thread: Pid) -> Place {
        let of_program = Path::new("/proc").join(format!("{}/task/{thread}", self.program));
        if self.threads.contains(&thread) || of_program.exists() {
            self.threads.insert(thread);
            Place::Program
        } else {
            Place::Child
        }
    }
}

/// The command, in a process that stops itself before it becomes the program.
fn stopped(command: &Command) -> Command {
    let mut stopped = Command::new("sh");
    stopped
        .args(["-c", "kill -STOP $$; exec \"$@\"", "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    if let Some(dir) = command.get_current_dir() {
        stopped.current_dir(dir);
    }
    stopped
}

fn is_entry(pid: Pid) -> bool {
    ptrace::syscall_info(pid).is_ok_and(|info| info.op == libc::PTRACE_SYSCALL_INFO_ENTRY)
}

/// A thread at the entry to a system call.
struct Stop {
    pid: Pid,
    number: libc::c_long,
    args: [u64; 6],
}

impl Stop {
    fn of(pid: Pid) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?;
        let mut words = text.split_whitespace();
        let number = words.next()?.parse().ok()?;
        let mut args = [0; 6];
        for (arg, word) in args.iter_mut().zip(words) {
            *arg = u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()?;
        }
        Some(Self { pid, number, args })
    }

    /// What kind of moment this is, if it is one.
    fn call(&self, directory: &Path) -> Option<Call> {
        let [first, second, third, ..] = self.args;
        let (call, here) = match self.number {
            libc::SYS_write
            | libc::SYS_pwrite64
            | libc::SYS_writev
            | libc::SYS_copy_file_range
            | libc::SYS_sendfile
            | libc::SYS_fallocate => {
                let fd = if self.number == libc::SYS_copy_file_range {
                    third
                } else {
                    first
                };
                (Call::Write, self.open(fd))
            }
            libc::SYS_renameat | libc::SYS_renameat2 => (Call::Rename, self.named(third, self.args[3])),
            libc::SYS_linkat => (Call::Link, self.named(third, self.args[3])),
            libc::SYS_symlinkat => (Call::Link, self.named(second, third)),
            libc::SYS_unlinkat => (Call::Unlink, self.named(first, second)),
            libc::SYS_fsync | libc::SYS_fdatasync | libc::SYS_syncfs => (Call::Sync, self.open(first)),
            libc::SYS_openat if writes(third) => (Call::Create, self.named(first, second)),
            libc::SYS_mkdirat => (Call::Mkdir, self.named(first, second)),
            libc::SYS_utimensat if second == 0 => (Call::Change, self.open(first)),
            libc::SYS_utimensat => (Call::Change, self.named(first, second)),
            libc::SYS_fchown | libc::SYS_fchmod | libc::SYS_ftruncate => (Call::Change, self.open(first)),
            libc::SYS_flock => (Call::Lock, self.open(first)),
            libc::SYS_mount
            | libc::SYS_move_mount
            | libc::SYS_umount2
            | libc::SYS_pivot_root
            | libc::SYS_fsmount => return Some(Call::Mount),
            libc::SYS_execve => return Some(Call::Execute),
            number => self.old_call(number)?,
        };
        here?.starts_with(directory).then_some(call)
    }

    /// Calls that only older machines have.
    #[cfg(target_arch = "x86_64")]
    fn old_call(&self, number: libc::c_long) -> Option<(Call, Option<PathBuf>)> {
        let [first, second, ..] = self.args;
        let here = Some(libc::AT_FDCWD as u64);
        let named = |name| self.named(here?, name);
        Some(match number {
            libc::SYS_rename => (Call::Rename, named(second)),
            libc::SYS_link | libc::SYS_symlink => (Call::Link, named(second)),
            libc::SYS_unlink | libc::SYS_rmdir => (Call::Unlink, named(first)),
            libc::SYS_open if writes(second) => (Call::Create, named(first)),
            libc::SYS_mkdir => (Call::Mkdir, named(first)),
            _ => return None,
        })
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn old_call(&self, _: libc::c_long) -> Option<(Call, Option<PathBuf>)> {
        None
    }

    /// The path of an open file.
    fn open(&self, fd: u64) -> Option<PathBuf> {
        fs::read_link(format!("/proc/{}/fd/{}", self.pid, fd as u32)).ok()
    }

    /// The path that a directory and a name in the thread's memory stand for.
    fn named(&self, dir: u64, name: u64) -> Option<PathBuf> {
        let name = self.text(name)?;
        if name.is_absolute() {
            return Some(name);
        }
        let dir = if dir as i32 == libc::AT_FDCWD {
            fs::read_link(format!("/proc/{}/cwd", self.pid)).ok()
        } else {
            self.open(dir)
        };
        Some(dir?.join(name))
    }

    fn text(&self, address: u64) -> Option<PathBuf> {
        let memory = File::open(format!("/proc/{}/mem", self.pid)).ok()?;
        let mut bytes = Vec::new();
        // By pieces that do not cross a page: the next one may not be there.
        while bytes.len() < libc::PATH_MAX as usize {
            let at = address + bytes.len() as u64;
            let mut piece = [0; 256];
            let length = (256 - at % 256) as usize;
            memory.read_exact_at(&mut piece[..length], at).ok()?;
            if let Some(end) = piece[..length].iter().position(|byte| *byte == 0) {
                bytes.extend_from_slice(&piece[..end]);
                return Some(PathBuf::from(std::ffi::OsStr::from_bytes(&bytes)));
            }
            bytes.extend_from_slice(&piece[..length]);
        }
        None
    }
}

fn writes(flags: u64) -> bool {
    let flags = flags as i32;
    flags & (libc::O_CREAT | libc::O_TRUNC) != 0 || flags & libc::O_ACCMODE != libc::O_RDONLY
}
