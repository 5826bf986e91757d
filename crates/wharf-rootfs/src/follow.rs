//! Where a server's threads run: on the processor of who asks, giving way to him.
//!
//! Who asks sleeps until he is answered, so that both fit on one processor. Left alone, the scheduler wakes the server on an idle one, and
//! who asked on the next idle one: interrupts to sleeping processors, which in a virtual machine cost more than the answers. So a
//! thread of the server goes where its asker is, and sends its answer under `SCHED_IDLE` (sched(7)): a processor on which nothing else
//! runs is as good as an idle one then, and the asker is woken there and goes first. Until it answers, the thread is one like all
//! others. Several who ask in turns are no one to follow.
//!
//! For the same reason one thread of each connection rests while one process asks at a time. Of two that wait for a request the kernel wakes
//! the one that has waited longer, which sleeps on another processor, and often the other one, just about to wait, takes the request: waking for
//! nothing costs more than most answers. Where nobody gives way it is the other way round: who asks and two who answer in turns wake each
//! other on processors that are idle, and one who answers alone is always waited for.
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
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use rustix::{
    fs::{Mode, OFlags, openat},
    process::Pid,
    thread::{CpuSet, gettid, sched_getaffinity, sched_setaffinity},
};

thread_local! {
    /// The one processor that this thread is bound to. A server's threads serve one session only.
    static BOUND: Cell<Option<usize>> = const { Cell::new(None) };

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

/// How many threads of this process have given way and not been on a processor since.
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
        if let Some(ways) = self.ways.as_ref().filter(|_| thread != 0) {
            let (place, several) = ways.asked_by(thread);
            ways.bind(place);
            self.gate.set(several);
        }
        Asked {
            gate: &self.gate,
            connection,
        }
    }

    /// No thread rests any more.
    pub(crate) fn end(&self) {
        self.gate.end();
    }

    /// This thread gives way to whom it follows until the result is dropped. Nothing that may take long belongs there.
    pub(crate) fn give_way(&self) -> GivesWay {
        let follows = self.ways.as_ref().filter(|_| BOUND.get().is_some());
        let gives = follows.is_some_and(|ways| ways.is_calm() && set_policy(libc::SCHED_IDLE).is_ok());
        GIVEN.fetch_add(u32::from(gives), Ordering::Relaxed);
        GivesWay(gives)
    }

    /// For a thread that one of the server's has begun: it has inherited where that one is bound.
    pub(crate) fn go_home(&self) {
        if let Some(ways) = &self.ways {
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

/// The receiving threads of a connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Those that do not rest; changed under the gate's lock.
    receiving: AtomicU32,
}

impl Connection {
    /// How many threads receive requests when several processes ask: one goes on while another waits for the disk.
    pub(crate) const THREADS: u32 = 2;

    pub(crate) const fn new() -> Self {
        Self {
            receiving: AtomicU32::new(Self::THREADS),
        }
    }
}

/// A request that is being answered.
pub(crate) struct Asked<'a> {
    gate: &'a Gate,
    connection: &'a Connection,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            // This one will not receive any more.
            self.gate.end();
        } else {
            self.gate.pass(self.connection);
        }
    }
}

/// Where threads rest while fewer are enough.
#[derive(Debug, Default)]
struct Gate {
    /// Told without the lock.
    is_open: AtomicBool,
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct GateState {
    open: bool,
    ended: bool,
}

impl Gate {
    fn set(&self, open: bool) {
        if self.is_open.load(Ordering::Relaxed) == open {
            return;
        }
        let mut state = lock(&self.state);
        state.open = open;
        self.tell(&state);
    }

    fn end(&self) {
        let mut state = lock(&self.state);
        state.ended = true;
        self.tell(&state);
    }

    fn tell(&self, state: &GateState) {
        self.is_open.store(state.is_open(), Ordering::Relaxed);
        if state.is_open() {
            self.changed.notify_all();
        }
    }

    /// The calling thread rests until the gate is open, unless it is the last one that receives.
    fn pass(&self, connection: &Connection) {
        if self.is_open.load(Ordering::Relaxed) {
            return;
        }
        let mut state = lock(&self.state);
        if state.is_open() || connection.receiving.load(Ordering::Relaxed) < 2 {
            return;
        }
        connection.receiving.fetch_sub(1, Ordering::Relaxed);
        while !state.is_open() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        connection.receiving.fetch_add(1, Ordering::Relaxed);
    }
}

impl GateState {
    const fn is_open(&self) -> bool {
        self.open || self.ended
    }
}

/// A thread that gives way to others.
pub(crate) struct GivesWay(bool);

impl Drop for GivesWay {
    fn drop(&mut self) {
        if self.0 {
            // It was tried that this is allowed.
            let _ = set_policy(libc::SCHED_OTHER);
            GIVEN.fetch_sub(1, Ordering::Relaxed);
        }
    }
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

/// When somebody looks where the askers are: when another one asks, often after one has moved, then so that looking costs a fraction of what
/// it saves.
#[derive(Debug)]
struct Turns {
    asker: u32,
    /// Whether several asked in turns in the last round.
    several: bool,
    /// How often another thread asked than before, in this round.
    changes: u32,
    /// Requests to come in this round.
    left: u32,
    /// Requests of the whole round.
    round: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Stay,
    Look,
    Leave,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            asker: 0,
            several: false,
            changes: 0,
            left: Self::SHORTEST_ROUND,
            round: Self::SHORTEST_ROUND,
        }
    }
}

impl Turns {
    const SHORTEST_ROUND: u32 = 2;
    const LONGEST_ROUND: u32 = 16;

    fn asked_by(&mut self, thread: u32) -> Turn {
        let other = thread != self.asker;
        self.asker = thread;
        self.changes += u32::from(other);
        self.left -= 1;
        if self.left > 0 {
            return if other && !self.several {
                Turn::Look
            } else {
                Turn::Stay
            };
        }
        // One process after the other asks at least four times each.
        self.several = self.changes > self.round.div_ceil(4);
        self.begin((self.round + 1).min(Self::LONGEST_ROUND));
        if self.several { Turn::Leave } else { Turn::Look }
    }

    /// Somebody looked, and the asker was elsewhere than the last one. Between two who are in different places that means nothing.
    const fn moved(&mut self) {
        if self.changes == 0 {
            self.begin(Self::SHORTEST_ROUND);
        }
    }

    const fn begin(&mut self, round: u32) {
        self.changes = 0;
        self.round = round;
        self.left = round;
    }
}

/// The last asker's proc_pid_stat(5), which stays open: opening it costs more than reading it.
#[derive(Debug, Default)]
struct Sight(Option<(u32, File)>);

impl Sight {
    /// On which processor a sleeping thread was last.
    fn processor_of(&mut self, thread: u32, processes: &OwnedFd) -> Option<usize> {
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
fn is_calm(load: &[u8], given: u32, processors: u32) -> bool {
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
    use std::{
        sync::{Barrier, mpsc},
        time::Duration,
    };

    use super::*;

    static CONNECTION: Connection = Connection {
        receiving: AtomicU32::new(1),
    };

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

    /// What becomes of requests by the threads of these numbers, each in a place of its own.
    fn turns(askers: impl IntoIterator<Item = u32>) -> String {
        let mut turns = Turns::default();
        let mut place = 0;
        let mut turn = |asker| match turns.asked_by(asker) {
            Turn::Stay => '.',
            Turn::Look => {
                if std::mem::replace(&mut place, asker) != asker {
                    turns.moved();
                }
                'L'
            }
            Turn::Leave => 'x',
        };
        askers.into_iter().map(&mut turn).collect()
    }

    #[test]
    fn looks_often_at_first() {
        assert_eq!(turns([7; 27]), "LL..L...L....L.....L......L");
        assert!(
            turns([7; 279]).ends_with("L...............L"),
            "then each sixteenth time"
        );
    }

    #[test]
    fn looks_often_after_a_move() {
        let mut turns = Turns::default();
        (0..279).for_each(|_| _ = turns.asked_by(7));
        turns.moved();
        let next = [(); 5].map(|()| turns.asked_by(7));
        let (stay, look) = (Turn::Stay, Turn::Look);
        assert_eq!(next, [stay, look, stay, stay, look]);
    }

    #[test]
    fn leaves_when_several_ask_in_turns() {
        assert_eq!(turns([1, 2].repeat(10)), "Lx..x...x....x.....x");
        let one_after_the_other = (0..30).map(|number| 1 + number / 5);
        assert_eq!(turns(one_after_the_other), "LL..LL..L.L..L.L...LL....LL...");
    }

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
            let begun = || {
                assert_eq!(now().count(), 1);
                follow.go_home();
                now()
            };
            assert_eq!(thread::scope(|scope| scope.spawn(begun).join().unwrap()), home);
            // Not on a busy machine, and a test shall pass there too.
            let turn = follow.give_way();
            assert_eq!(policy() == libc::SCHED_IDLE, turn.0);
            drop(turn);
            assert_eq!(policy(), libc::SCHED_OTHER);
        }
        (0..64).for_each(|number| _ = follow.asked_by(1 + number % 2, &CONNECTION));
        assert_eq!(now(), home);
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
    fn one_of_two_rests_until_several_ask() {
        let gate = Gate::default();
        let connection = Connection::new();
        let passed = |gate: &Gate| {
            let (tell, told) = mpsc::channel();
            thread::scope(|scope| {
                for _ in 0..Connection::THREADS {
                    let tell = tell.clone();
                    let (gate, connection) = (&*gate, &connection);
                    scope.spawn(move || {
                        gate.pass(connection);
                        let _ = tell.send(());
                    });
                }
                told.recv().unwrap();
                let one_rests = told.recv_timeout(Duration::from_millis(50)).is_err();
                gate.set(true);
                if one_rests {
                    told.recv().unwrap();
                }
                one_rests
            })
        };
        assert!(passed(&gate));
        assert!(!passed(&gate), "the gate is open");
        gate.set(false);
        assert!(passed(&gate));
        gate.set(false);
        gate.end();
        gate.set(false);
        assert!(!passed(&gate), "for ever");
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
