//! Where a server's threads run: on the processor of who asks, giving way to him.
//!
//! Who asks sleeps until he is answered, so that both fit on one processor. Left alone, the scheduler wakes the server on an idle one, and
//! who asked on the next idle one: interrupts to sleeping processors, which in a virtual machine cost more than the answers. So a
//! thread of the server goes where its asker is, and sends its answer under `SCHED_IDLE` (sched(7)): a processor on which nothing else
//! runs is as good as an idle one then, and the asker is woken there and goes first. The thread stays so from answer to answer, for there and
//! back takes a fifth of one. Several who ask in turns are no one to follow ([`turns`]). While one asks, fewer threads receive ([`rest`]).
//!
//! Where all processors are busy, a thread that gives way may wait for milliseconds until it gets one again, and requests wait with it. So
//! this is done only while fewer threads want to run than there are processors, which is asked again and again.
//!
//! Who has neither `CAP_SYS_NICE` nor `RLIMIT_NICE` cannot come back from `SCHED_IDLE`, and leaves all to the scheduler. This is for speed only:
//! errors change nothing.

use std::{
    cell::{Cell, RefCell},
    fs::File,
    io,
    os::{fd::OwnedFd, unix::fs::FileExt},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use rustix::{
    process::Pid,
    thread::{CpuSet, gettid, sched_getaffinity, sched_setaffinity},
};

mod proc;
mod rest;
mod turns;

use proc::{Sight, is_calm};
use rest::Gate;
pub(crate) use rest::{Asked, Connection};
use turns::{Turn, Turns};

thread_local! {
    /// The one processor that this thread is bound to. A server's threads serve one session only.
    static BOUND: Cell<Option<usize>> = const { Cell::new(None) };

    /// Whether this thread is under `SCHED_IDLE`.
    static YIELDS: Cell<bool> = const { Cell::new(false) };

    static MEMBER: RefCell<Option<Member>> = const { RefCell::new(None) };
}

/// What a session's threads know of who asks.
#[derive(Debug, Default)]
pub(crate) struct Follow {
    ways: Option<Ways>,
    gate: Gate,
}

/// What they follow with.
#[derive(Debug)]
struct Ways {
    /// A procfs of the pid namespace that requests come from.
    processes: OwnedFd,
    /// Where the threads may run.
    home: CpuSet,
    /// `/proc/loadavg`, which says how many threads want to run.
    load: File,
    /// When the session began.
    begin: Instant,
    /// When somebody looked there last, in microseconds of the session, and in the lowest bit whether it was calm.
    last_look: AtomicU64,
    watch: Mutex<Watch>,
    members: Members,
}

/// The threads of a session that follow. One that moves takes the others along: while they sleep that costs nothing.
type Members = Arc<Mutex<Vec<Pid>>>;

/// The calling thread as one of them, until it ends.
struct Member {
    id: Pid,
    all: Members,
}

impl Member {
    fn new(all: &Members) -> Self {
        let id = gettid();
        lock(all).push(id);
        Self { id, all: all.clone() }
    }

    fn take_along(&self, to: &CpuSet) {
        for other in lock(&self.all).iter().filter(|other| **other != self.id) {
            let _ = sched_setaffinity(Some(*other), to);
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Its number may soon be another one's.
        lock(&self.all).retain(|id| *id != self.id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For how many microseconds a look at the load is believed: some requests, and less than the scheduler lets a thread wait.
const CALM_FOR: u64 = 150;

/// How many threads of this process have given way and not been on a processor since, and how many other ones need not be minded.
static GIVEN: AtomicU32 = AtomicU32::new(0);

impl Follow {
    /// Looks askers up in `processes`, a procfs of the pid namespace in which the mount was made; goes nowhere that the calling thread
    /// may not go.
    pub(crate) fn new(processes: Option<OwnedFd>) -> Self {
        let follow = Self {
            ways: processes.and_then(Ways::new),
            ..Self::default()
        };
        if follow.ways.is_none() {
            follow.gate.end();
        }
        follow
    }

    /// To be told of every request, before it is answered: until then the asker stays where he is. Not of those that a program makes while it
    /// is replaced by another one (execve(2)): looking where it is would wait for that. Nobody (0) is somebody whom the pid namespace does not
    /// know. When the result is dropped, this thread rests if it is not needed.
    pub(crate) fn asked_by<'a>(&'a self, thread: u32, connection: &'a Connection) -> Asked<'a> {
        let asked = self.gate.enter(connection);
        if let Some(ways) = self.ways.as_ref().filter(|_| thread != 0) {
            let (place, several) = ways.asked_by(thread);
            ways.bind(place);
            self.gate.set(several);
        }
        asked
    }

    /// Whether every request that this was told of was answered, and no thread panicked over one.
    pub(crate) fn is_quiet(&self) -> bool {
        self.gate.is_quiet()
    }

    /// No thread rests any more.
    pub(crate) fn end(&self) {
        self.gate.end();
    }

    /// Before an answer: this thread gives way to whom it follows. When the result is dropped, it is on a processor again.
    pub(crate) fn give_way(&self) -> GivesWay {
        let follows = self.ways.as_ref().filter(|_| BOUND.get().is_some());
        let gives = yields(follows.is_some_and(Ways::is_calm));
        GIVEN.fetch_add(u32::from(gives), Ordering::Relaxed);
        GivesWay(gives)
    }

    /// For a thread that one of the server's has begun: it has inherited where that one is bound, and that it gives way.
    pub(crate) fn go_home(&self) {
        if let Some(ways) = &self.ways {
            let _ = set_policy(libc::SCHED_OTHER);
            let _ = sched_setaffinity(None, &ways.home);
        }
    }
}

impl Ways {
    fn new(processes: OwnedFd) -> Option<Self> {
        let home = sched_getaffinity(None).ok().filter(|home| home.count() > 1)?;
        may_give_way().then_some(())?;
        Some(Self {
            processes,
            home,
            load: File::open("/proc/loadavg").ok()?,
            begin: Instant::now(),
            last_look: AtomicU64::new(0),
            watch: Mutex::default(),
            members: Members::default(),
        })
    }

    /// Whether one of the processors is idle, or was just now: looking costs a tenth of a request.
    fn is_calm(&self) -> bool {
        let now = self.begin.elapsed().as_micros() as u64;
        let last = self.last_look.load(Ordering::Relaxed);
        if now < (last >> 1) + CALM_FOR && last != 0 {
            return last & 1 == 1;
        }
        let mut text = [0; 64];
        let length = self.load.read_at(&mut text, 0).unwrap_or(0);
        let calm = is_calm(&text[..length], GIVEN.load(Ordering::Relaxed), self.home.count());
        self.last_look
            .store(now << 1 | u64::from(calm), Ordering::Relaxed);
        calm
    }

    /// Where this asker is, as far as anybody has looked, and whether several ask in turns.
    fn asked_by(&self, thread: u32) -> (Option<usize>, bool) {
        let mut watch = lock(&self.watch);
        match watch.turns.asked_by(thread) {
            Turn::Stay => {}
            Turn::Leave => watch.place = None,
            Turn::Look => {
                let place = watch.sight.processor_of(thread, &self.processes);
                if std::mem::replace(&mut watch.place, place) != place {
                    watch.turns.moved();
                }
            }
        }
        (watch.place, watch.turns.several)
    }

    /// Binds this thread to a processor, or to none.
    fn bind(&self, processor: Option<usize>) {
        let processor = processor.filter(|one| *one < CpuSet::MAX_CPU && self.home.is_set(*one));
        if processor.is_none() {
            yields(false);
        }
        if BOUND.replace(processor) == processor {
            return;
        }
        let one = processor.map(|processor| {
            let mut one = CpuSet::new();
            one.set(processor);
            one
        });
        let to = one.as_ref().unwrap_or(&self.home);
        // The machine's processors may have changed.
        let _ = sched_setaffinity(None, to);
        MEMBER.with_borrow_mut(|member| {
            member
                .get_or_insert_with(|| Member::new(&self.members))
                .take_along(to);
        });
    }
}

/// A thread that has given way.
pub(crate) struct GivesWay(bool);

impl Drop for GivesWay {
    fn drop(&mut self) {
        GIVEN.fetch_sub(u32::from(self.0), Ordering::Relaxed);
    }
}

/// Something that this program has others do meanwhile, soon done and on another processor: no reason for its servers to mind it.
#[derive(Debug)]
pub struct Background(());

impl Background {
    /// It begins, and ends when the result is dropped.
    pub fn begin() -> Self {
        GIVEN.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        GIVEN.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Has this thread give way from now on, or go on like all others; whether it gives way.
fn yields(wanted: bool) -> bool {
    let policy = if wanted {
        libc::SCHED_IDLE
    } else {
        libc::SCHED_OTHER
    };
    // It was tried that both are allowed.
    if YIELDS.get() != wanted && set_policy(policy).is_ok() {
        YIELDS.set(wanted);
    }
    YIELDS.get()
}

/// Whether a thread of this process may give way and come back; tried by one that ends then.
fn may_give_way() -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    *MAY.get_or_init(|| {
        let there_and_back = || {
            policy() == libc::SCHED_OTHER
                && set_policy(libc::SCHED_IDLE).is_ok()
                && set_policy(libc::SCHED_OTHER).is_ok()
        };
        let tried = thread::Builder::new()
            .name("gives way".into())
            .spawn(there_and_back);
        tried.is_ok_and(|thread| thread.join().unwrap_or(false))
    })
}

/// This thread's scheduling policy.
#[allow(unsafe_code)]
fn policy() -> libc::c_int {
    // SAFETY: it only reads what 0, the calling thread, has.
    unsafe { libc::sched_getscheduler(0) }
}

#[allow(unsafe_code)]
fn set_policy(policy: libc::c_int) -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: it reads the parameters, and changes how 0, the calling thread, is scheduled.
    match unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What is known of the askers.
#[derive(Debug, Default)]
struct Watch {
    turns: Turns,
    sight: Sight,
    /// Where the last one was that somebody looked for.
    place: Option<usize>,
}

#[cfg(test)]
mod tests {
    use std::sync::{Barrier, mpsc};

    use super::*;

    static CONNECTION: Connection = Connection::of_one();

    /// The id of a thread that sleeps on a processor until the sender is dropped.
    fn sleeper(processor: usize) -> (u32, mpsc::Sender<()>) {
        let (wake, woken) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let mut one = CpuSet::new();
            one.set(processor);
            sched_setaffinity(None, &one).unwrap();
            tell.send(rustix::thread::gettid().as_raw_pid() as u32).unwrap();
            woken.recv().unwrap_err();
        });
        (told.recv().unwrap(), wake)
    }

    fn follow() -> Follow {
        Follow::new(Some(File::open("/proc").unwrap().into()))
    }

    #[test]
    fn goes_where_the_asker_is_and_gives_way_there() {
        let home = sched_getaffinity(None).unwrap();
        if home.count() < 2 || !may_give_way() {
            return;
        }
        let follow = follow();
        let now = || sched_getaffinity(None).unwrap();
        for processor in (0..CpuSet::MAX_CPU).filter(|one| home.is_set(*one)).take(4) {
            let (thread, _wake) = sleeper(processor);
            (0..64).for_each(|_| _ = follow.asked_by(thread, &CONNECTION));
            assert!(now().is_set(processor) && now().count() == 1);
            // Not on a busy machine, and a test shall pass there too.
            let gives = follow.give_way().0;
            assert_eq!(policy() == libc::SCHED_IDLE, gives);
            let begun = || {
                assert_eq!((now().count(), policy() == libc::SCHED_IDLE), (1, gives));
                follow.go_home();
                assert_eq!(policy(), libc::SCHED_OTHER);
                now()
            };
            assert_eq!(thread::scope(|scope| scope.spawn(begun).join().unwrap()), home);
        }
        (0..64).for_each(|number| _ = follow.asked_by(1 + number % 2, &CONNECTION));
        assert_eq!(now(), home);
        assert_eq!(policy(), libc::SCHED_OTHER, "at once");
        let _turn = follow.give_way();
        assert_eq!(policy(), libc::SCHED_OTHER, "to nobody");
    }

    #[test]
    fn stays_where_the_askers_are_not_known() {
        let home = sched_getaffinity(None).unwrap();
        (0..64).for_each(|_| _ = Follow::default().asked_by(1, &CONNECTION));
        (0..64).for_each(|_| _ = follow().asked_by(0, &CONNECTION));
        assert_eq!(sched_getaffinity(None).unwrap(), home);
    }

    #[test]
    fn who_moves_takes_the_others_along() {
        let home = sched_getaffinity(None).unwrap();
        if home.count() < 2 || !may_give_way() {
            return;
        }
        let follow = follow();
        let processor = (0..CpuSet::MAX_CPU).find(|one| home.is_set(*one)).unwrap();
        let (thread, _wake) = sleeper(processor);
        let ask = || (0..64).for_each(|_| drop(follow.asked_by(thread, &CONNECTION)));
        let (asked, both) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            let other = scope.spawn(|| {
                ask();
                asked.wait();
                both.wait();
                sched_getaffinity(None).unwrap()
            });
            asked.wait();
            // As if the asker were elsewhere: all go home, and the other one does not ask meanwhile.
            let ways = follow.ways.as_ref().unwrap();
            ask();
            ways.bind(None);
            both.wait();
            assert_eq!(other.join().unwrap(), home);
            assert_eq!(lock(&ways.members).len(), 1, "who has ended is forgotten");
        });
    }

    #[test]
    fn where_nobody_gives_way_nobody_rests() {
        let follow = Follow::new(None);
        let connection = Connection::new();
        for _ in 0..64 {
            for _ in 0..Connection::THREADS {
                drop(follow.asked_by(7, &connection));
            }
        }
    }
}
