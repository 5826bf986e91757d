//! Starting processes: the program starts itself again as each one's first.

use std::{
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::{
    process::{getegid, geteuid},
    thread::CapabilitySet,
};

use crate::{
    Ahead, Capabilities, Io, Network, Running, SandboxError, Seccomp, Spec,
    cgroup::Cgroup,
    identity::{IdMap, Identity, MapTools, Mapper, find, subordinate},
    kernel,
    launch::{Began, Launch, Orders},
    message::{Role, Run, Users},
    net::Links,
    seccomp::{self, Arch, Context, Program},
};

/// What may vary between machines and tests.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program whose `main` begins with [`init_if_asked`](crate::init_if_asked).
    pub program: PathBuf,
    /// Where `newuidmap`, `newgidmap` and `pasta` are searched.
    pub tools: Vec<PathBuf>,
    /// Where `passwd`, `subuid` and `subgid` lie.
    pub etc: PathBuf,
    /// Whether subordinate ids are used where there are some.
    pub subordinate_ids: bool,
    /// Whether a root that may do without makes a user namespace all the same.
    pub user_namespace: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            program: "/proc/self/exe".into(),
            tools: ["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from).to_vec(),
            etc: "/etc".into(),
            subordinate_ids: true,
            user_namespace: false,
        }
    }
}

/// Starts processes. One value serves a whole program, from any thread: it keeps the user namespace that its processes share.
#[derive(Debug)]
pub struct Sandbox {
    pub(crate) options: Options,
    identity: Identity,
    tools: Option<MapTools>,
    /// Made by the first process, joined by the others: mapping ids costs more than all the rest.
    namespace: Mutex<Option<OwnedFd>>,
    /// The same for processes with emulators.
    emulating: Mutex<Option<OwnedFd>>,
    /// Set when the kernel refused a procfs: the pid namespace is then shared.
    procfs_refused: AtomicBool,
    /// The last filter and what it was compiled for.
    filter: Mutex<Option<(Seccomp, Context, Option<Program>)>>,
}

impl Sandbox {
    /// Looks at who the caller is; makes nothing yet.
    pub fn new(options: Options) -> Self {
        let tools = MapTools::find(&options.tools).filter(|_| options.subordinate_ids);
        Self {
            identity: identify(&options, tools.is_some()),
            options,
            tools,
            namespace: Mutex::new(None),
            emulating: Mutex::new(None),
            procfs_refused: AtomicBool::new(false),
            filter: Mutex::new(None),
        }
    }

    /// How ids inside relate to ids outside.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether overlays of a process keep their marks in `user.overlay.*` and not in `trusted.overlay.*`.
    pub fn user_xattrs(&self, spec: &Spec) -> bool {
        self.identity != Identity::Root || !spec.emulators.is_empty() || !is_first_user_namespace()
    }

    /// Whether a process may have a layer of [`Large`](crate::Large) files: from Linux 6.16 on, which follows their marks in user namespaces
    /// too. Not where the process may mount: an overlay of its own over that root would be one too deep.
    pub fn layers_large(&self, spec: &Spec) -> bool {
        let mounts = Capabilities::parse("CAP_SYS_ADMIN").expect("a capability");
        kernel_version() >= (6, 16) && !spec.capabilities.has(mounts)
    }

    /// Whether processes see those of the caller, because the kernel refused a procfs of their own; known after the first start.
    pub fn shares_processes(&self) -> bool {
        self.procfs_refused.load(Ordering::Relaxed)
    }

    /// Starts a process; returns when its surroundings stand. With a FUSE root it returns earlier, and [`Running::fuse`] and
    /// [`Running::served`] are to be called.
    ///
    /// # Errors
    /// When the machine refuses namespaces, maps or mounts, the seccomp profile is none, or a published port is taken. That the
    /// program itself cannot be executed is no error but an [`Exit`](crate::Exit).
    pub fn start(&self, spec: &Spec, io: Io) -> Result<Running, SandboxError> {
        self.begin(spec, io, false)
    }

    /// Makes the surroundings of a process that is not known yet, as far as it does not matter what runs in them and on which files: of `spec`'s
    /// mounts the directories in memory, for processes that have the same ones, wherever. To be
    /// served like what [`start`](Self::start) gives with a FUSE root.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn start_ahead(&self, spec: &Spec) -> Result<Ahead, SandboxError> {
        let io = Io::null().map_err(SandboxError::Channel)?;
        Ok(Ahead {
            running: self.begin(spec, io, true)?,
            spec: spec.clone(),
        })
    }

    /// Starts a process in surroundings that were made ahead and [fit](Ahead::fits) it; returns when all of them stand.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn start_in(&self, ahead: Ahead, spec: &Spec, io: Io) -> Result<Running, SandboxError> {
        let mut run = self.role(spec, self.filters(spec)?, None, false);
        run.made = ahead.leave_out(&mut run.spec.mounts);
        let mut running = ahead.running;
        running.order(run, spec, io)?;
        Ok(running)
    }

    fn role(&self, spec: &Spec, filters: Vec<Vec<u8>>, pasta: Option<PathBuf>, ahead: bool) -> Run {
        Run {
            spec: spec.clone(),
            own_processes: !self.shares_processes(),
            user_xattrs: self.user_xattrs(spec),
            ids: self.ids(),
            pasta,
            filters,
            ahead,
            made: Vec::new(),
        }
    }

    fn begin(&self, spec: &Spec, io: Io, ahead: bool) -> Result<Running, SandboxError> {
        let filters = self.filters(spec)?;
        let streams = [io.stdin, io.stdout, io.stderr];
        let mut notes = Vec::new();
        let egress = matches!(&spec.network, Network::Private(private) if private.egress);
        let pasta = egress.then(|| find(&self.options.tools, "pasta")).flatten();
        if egress && pasta.is_none() {
            notes.push("no way out of the network: `pasta` is not installed (package passt)".to_owned());
        }
        loop {
            let run = self.role(spec, filters.clone(), pasta.clone(), ahead);
            let cgroup = Cgroup::wanted(&spec.limits).unwrap_or_else(|error| {
                notes.push(format!("limits are not kept: {error}"));
                None
            });
            let (links, relay) = Links::lay(&spec.network)?;
            let orders = Orders {
                role: Role::Run(Box::new(run)),
                streams: streams.each_ref().map(AsFd::as_fd),
                relay,
                cgroup,
            };
            match self.launch(orders)?.begin()? {
                Began::Running(launch) => {
                    let mut running = Running::new(launch, links, spec, notes);
                    if !spec.root.is_fuse() {
                        running.settle()?;
                    }
                    return Ok(running);
                }
                Began::ProcfsRefused => self.share_processes(),
            }
        }
    }

    /// From now on the caller's processes are seen inside; its own memory and environment shall not be.
    fn share_processes(&self) {
        self.procfs_refused.store(true, Ordering::Relaxed);
        kernel::lower_dumpable();
    }

    /// Starts this program again and puts it into the user namespace.
    pub(crate) fn launch(&self, orders: Orders<'_>) -> Result<Launch, SandboxError> {
        let program = &self.options.program;
        let emulates = matches!(&orders.role, Role::Run(run) if !run.spec.emulators.is_empty());
        let same;
        let (map, kept) = match (self.identity.map(), emulates) {
            (Some(map), false) => (map, &self.namespace),
            (Some(map), true) => (map, &self.emulating),
            (None, false) => return Launch::start(program, orders, Users::Same, None),
            (None, true) => {
                same = IdMap::same().map_err(SandboxError::Identity)?;
                (&same, &self.emulating)
            }
        };
        let mut kept = lock(kept);
        if let Some(namespace) = &*kept {
            return Launch::start(program, orders, Users::Join, Some(namespace));
        }
        let mut launch = Launch::start(program, orders, Users::New, None)?;
        *kept = Some(launch.map_users(map, self.mapper())?);
        Ok(launch)
    }

    /// Who may write the map.
    fn mapper(&self) -> Mapper<'_> {
        match (&self.identity, &self.tools) {
            (Identity::Root, _) => Mapper::Root,
            (Identity::Subordinate(_), Some(tools)) => Mapper::Tools(tools),
            _ => Mapper::Alone,
        }
    }

    /// Ids from 0 to below this one exist inside.
    fn ids(&self) -> u64 {
        self.identity.map().map_or(1 << 32, |map| map.span().into())
    }

    /// The filters of a process, in the order of their installation.
    fn filters(&self, spec: &Spec) -> Result<Vec<Vec<u8>>, SandboxError> {
        let mut filters = Vec::new();
        if matches!(self.identity, Identity::OneId(_)) {
            filters.push(seccomp::ids_and_devices(Arch::native())?.to_bytes());
        }
        filters.extend(self.profile(spec)?.map(|program| program.to_bytes()));
        Ok(filters)
    }

    fn profile(&self, spec: &Spec) -> Result<Option<Program>, SandboxError> {
        let context = Context {
            capabilities: spec.capabilities,
            arch: Arch::native(),
            kernel: kernel_version(),
        };
        let mut last = lock(&self.filter);
        if let Some((profile, of, program)) = &*last
            && (profile, of) == (&spec.seccomp, &context)
        {
            return Ok(program.clone());
        }
        let program = spec.seccomp.compile(&context)?;
        *last = Some((spec.seccomp.clone(), context, program.clone()));
        Ok(program)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is kept behind it is replaced as a whole: a panic elsewhere leaves it usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn identify(options: &Options, tools: bool) -> Identity {
    if geteuid().is_root() && may_administrate() && !options.user_namespace {
        return Identity::Root;
    }
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let map = subordinate(&options.etc, uid, gid).filter(|_| tools && options.subordinate_ids);
    map.map_or_else(|| Identity::OneId(IdMap::single(uid, gid)), Identity::Subordinate)
}

fn may_administrate() -> bool {
    rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
}

/// Whether all ids are mapped to themselves.
fn is_first_user_namespace() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

fn kernel_version() -> (u32, u32) {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let mut next = || numbers.next().and_then(Result::ok).unwrap_or(0);
    (next(), next())
}
