//! One build from top to bottom.

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroUsize,
    path::Path,
    sync::Arc,
    thread,
};

use wharf_dockerfile::Dockerfile;
use wharf_graph::{
    BaseImage, BaseRequest, Bases, ContextName, Graph, LowerError, LowerOptions,
    NamedContext as LowerContext, Op,
    event::{Event, PhaseKind, StepInfo, Warning},
    lower, required_bases,
};
use wharf_oci::Platform;
use wharf_sandbox::Sandbox;
use wharf_solver::{Cancel, Limits, Observer, Solution, SolveError, solve};
use wharf_store::Store;

use crate::{
    attest::{Facts, vcs},
    check,
    context::{Context, ContextFiles},
    context_source::{Held, Pin},
    credentials::Credentials,
    emulation::Emulation,
    error::BuildError,
    exec::{
        Agent, Ahead, Engine, Lanes, Processes, RungChoice, SourceRoots, StepEnvironment, StepFailure,
        StepOutput, Undertaker,
    },
    from_lock::FromLock,
    image_source::{ImageSourceError, Images},
    lower_options::lower_options,
    net::Network,
    output::{self, Exported},
    phases::Phases,
    project,
    read::{self, ReadDockerfile},
    request::{BuildRequest, ContextSource, SshAgent},
    root::Roots,
    ssh_agent::{KeyAgent, SshAgentError},
};

/// What a build needs of the machine.
#[derive(Debug)]
pub struct Machine {
    /// Where everything is kept.
    pub store: Store,
    /// Talks to registries, mirrors and web servers.
    pub network: Arc<Network>,
    /// Starts processes.
    pub sandbox: Arc<Sandbox>,
    /// How roots are made.
    pub rung: Arc<RungChoice>,
    /// Says how programs of other processors are run.
    pub emulation: Arc<Emulation>,
    /// What steps see besides their roots.
    pub environment: StepEnvironment,
    /// Registry images, layouts and bases.
    pub images: Arc<Images>,
    /// Merged trees.
    pub roots: Arc<Roots>,
    /// Sockets of engines for `--load`.
    pub engine_sockets: Vec<std::path::PathBuf>,
}

/// What a build made.
#[derive(Debug)]
pub struct BuildResult {
    /// One for each platform and output.
    pub exported: Vec<Exported>,
    /// How the image for each platform was made, if that was asked for: predicates.
    pub provenance: Vec<(Platform, serde_json::Value)>,
}

/// Builds what `request` asks for.
pub fn build(
    request: &BuildRequest,
    machine: &Machine,
    observer: &Arc<dyn Observer + Send + Sync>,
    cancel: &Cancel,
) -> Result<BuildResult, BuildError> {
    let phases = Phases::new(&**observer);
    let started = jiff::Timestamp::now();
    let agents = agents(request, machine)?;
    let credentials = Credentials::new(&request.secrets, &agents);
    let opened = open(request, machine, &credentials, observer, cancel, &phases)?;
    let Opened { contexts, held, read } = opened;
    let dockerfile = read::parse(request, &read)?;
    let graph = lower_graph(request, machine, &dockerfile, &read, &contexts, &phases)?;
    observer.observe(Event::GraphKnown {
        steps: graph.steps.iter().map(info).collect(),
    });
    check_emulation(&graph, machine, &read)?;
    let engine = engine(request, machine, contexts, &agents, &graph);
    let facts = Facts {
        started,
        dockerfile: &read,
        pins: pins(&held),
        vcs: match request.attestations.provenance {
            Some(_) => vcs::of_context(request),
            None => serde_json::Map::new(),
        },
    };
    let dated = dated(request, &graph);
    let made = heal(machine, &**observer, cancel, |cancel| {
        let solution = run(&graph, request, &engine, &**observer, cancel, &read)?;
        if cancel.is_cancelled() {
            return Err(BuildError::Interrupted);
        }
        Ok(output::export(
            &dated, machine, &graph, &solution, &phases, &facts,
        )?)
    });
    drop(held);
    let made = made?;
    Ok(BuildResult {
        exported: made.exported,
        provenance: made.provenance,
    })
}

/// The request with the epoch that counts: a global `ARG SOURCE_DATE_EPOCH=…` sets one as well.
fn dated(request: &BuildRequest, graph: &Graph) -> BuildRequest {
    BuildRequest {
        source_date_epoch: graph.targets.iter().find_map(|target| target.epoch),
        ..request.clone()
    }
}

/// What a build begins with.
pub(crate) struct Opened {
    pub(crate) contexts: Contexts,
    /// Keeps those contexts alive that were unpacked for this build.
    held: HeldContexts,
    pub(crate) read: ReadDockerfile,
}

/// Opens the contexts and reads the Dockerfile.
pub(crate) fn open(
    request: &BuildRequest,
    machine: &Machine,
    credentials: &Credentials,
    observer: &Arc<dyn Observer + Send + Sync>,
    cancel: &Cancel,
    phases: &Phases<'_>,
) -> Result<Opened, BuildError> {
    machine
        .images
        .begin(&request.bases, request.pull, Some(Arc::clone(observer)), cancel);
    let (contexts, held) = open_contexts(request, machine, credentials, cancel)?;
    let read = phases.phase(PhaseKind::Read, "read the Dockerfile", || {
        read::read(request, &contexts, machine, credentials)
    })?;
    if let Some(path) = &read.path {
        machine.images.set_from_lock(FromLock::read(path)?);
    }
    Ok(Opened {
        contexts: with_ignore_file(request, contexts, &read)?,
        held,
        read,
    })
}

/// More objects than a crash leaves damaged on any path through a build.
const HEALING_ATTEMPTS: usize = 200;

/// Does `work`, and once more each time that it failed and an object of the store turned out to be damaged or lost: such an object is
/// forgotten, so that the step which made it runs again.
fn heal<T>(
    machine: &Machine,
    observer: &dyn Observer,
    cancel: &Cancel,
    work: impl Fn(&Cancel) -> Result<T, BuildError>,
) -> Result<T, BuildError> {
    for _ in 1..HEALING_ATTEMPTS {
        let losses = machine.store.losses();
        // A failed step cancels all others of its attempt, and those alone.
        let attempt = cancel.child();
        let done = work(&attempt);
        let Err(error) = &done else { return done };
        if cancel.is_cancelled() || machine.store.losses() == losses {
            return done;
        }
        observer.observe(Event::Warning(Warning {
            code: None,
            message: format!(
                "the store has lost something and makes it anew: {}",
                innermost(error)
            ),
            hint: None,
            span: None,
        }));
    }
    work(cancel)
}

fn innermost(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

/// What nothing here can run is better known before the first step than after an hour.
fn check_emulation(graph: &Graph, machine: &Machine, read: &ReadDockerfile) -> Result<(), BuildError> {
    for step in graph.steps.iter().filter(|step| matches!(step.op, Op::Run(_))) {
        machine
            .emulation
            .emulators(&step.platform)
            .map_err(|error| BuildError::step(read, step, error.into()))?;
    }
    Ok(())
}

fn info(step: &wharf_graph::Step) -> StepInfo {
    StepInfo {
        step: step.id,
        name: step.name.clone(),
        inputs: step.inputs.clone(),
        platform: step.platform.to_string(),
        origin: step.origin.clone(),
        parts: step.parts(),
    }
}

/// The directories of all contexts, and what keeps those alive that were unpacked for this build.
pub(crate) type Contexts = HashMap<ContextName, Context>;

/// What was unpacked of contexts, by name.
pub(crate) type HeldContexts = Vec<(ContextName, Held)>;

/// What the contexts from elsewhere were.
fn pins(held: &HeldContexts) -> BTreeMap<ContextName, Pin> {
    let pins = held
        .iter()
        .filter_map(|(name, held)| Some((name.clone(), held.pin()?.clone())));
    pins.collect()
}

fn open_contexts(
    request: &BuildRequest,
    machine: &Machine,
    credentials: &Credentials,
    cancel: &Cancel,
) -> Result<(Contexts, HeldContexts), BuildError> {
    let mut contexts = Contexts::new();
    let mut held = Vec::new();
    let mut add = |name: ContextName, found: Option<Held>| -> Result<(), BuildError> {
        if let Some(found) = found {
            // The ignore file of what was fetched is a file like any other, as BuildKit has it.
            let context = if found.is_fetched() {
                Context::whole(found.directory())
            } else {
                Context::open(found.directory(), None)?
            };
            contexts.insert(name.clone(), context);
            held.push((name, found));
        }
        Ok(())
    };
    add(
        ContextName::Main,
        crate::context_source::open(&request.context, machine, credentials, cancel)?,
    )?;
    for (name, context) in &request.named_contexts {
        let key = LowerContext::key(name);
        add(
            ContextName::Named(key),
            crate::context_source::open_named(context, machine, credentials, cancel)?,
        )?;
    }
    Ok((contexts, held))
}

/// The main context's ignore file may stand beside the Dockerfile, which is known only now.
fn with_ignore_file(
    request: &BuildRequest,
    mut contexts: Contexts,
    read: &ReadDockerfile,
) -> Result<Contexts, BuildError> {
    if let (Some(main), Some(path)) = (contexts.get_mut(&ContextName::Main), &read.path)
        && matches!(request.context, ContextSource::Directory(_))
    {
        *main = Context::open(&main.directory.clone(), Some(Path::new(path)))?;
    }
    Ok(contexts)
}

fn lower_graph(
    request: &BuildRequest,
    machine: &Machine,
    dockerfile: &Dockerfile,
    read: &ReadDockerfile,
    contexts: &Contexts,
    phases: &Phases<'_>,
) -> Result<Graph, BuildError> {
    let options = lower_options(request);
    let bases =
        resolve_bases(dockerfile, &options, machine, phases).map_err(|why| why.told(read, dockerfile))?;
    let inputs = check::Inputs {
        dockerfile,
        options: &options,
        bases: &bases,
        contexts,
    };
    for finding in inputs.accept(read)?.findings {
        let warning = check::warning(dockerfile, &finding);
        phases.observer.observe(Event::Warning(warning));
    }
    lower(dockerfile, &options, &bases).map_err(|errors| BuildError::lowering(read, dockerfile, &errors))
}

/// Why the bases of a Dockerfile are not known.
pub(crate) enum Unresolved {
    /// Nobody can tell which they are.
    Stages(Vec<LowerError>),
    /// One cannot be had.
    Base(Box<BaseRequest>, Box<ImageSourceError>),
}

impl Unresolved {
    /// The error of a build.
    pub(crate) fn told(self, read: &ReadDockerfile, dockerfile: &Dockerfile) -> BuildError {
        match self {
            Self::Stages(errors) => BuildError::lowering(read, dockerfile, &errors),
            Self::Base(request, error) => BuildError::base(read, dockerfile, &request, *error),
        }
    }
}

/// All that lowering has to know of bases.
pub(crate) fn resolve_bases(
    dockerfile: &Dockerfile,
    options: &LowerOptions,
    machine: &Machine,
    phases: &Phases<'_>,
) -> Result<Bases, Unresolved> {
    let mut bases = Bases::new();
    loop {
        let wanted = required_bases(dockerfile, options, &bases).map_err(Unresolved::Stages)?;
        if wanted.is_empty() {
            return Ok(bases);
        }
        for (request, found) in resolve_all(wanted, machine, phases) {
            match found {
                Ok(image) => bases.insert(request, image),
                Err(error) => return Err(Unresolved::Base(Box::new(request), Box::new(error))),
            }
        }
    }
}

/// Asks for all bases at once: each is a wait for a network, or minutes of making it. The last is asked for here, and mostly there is one.
fn resolve_all(
    mut wanted: Vec<BaseRequest>,
    machine: &Machine,
    phases: &Phases<'_>,
) -> Vec<(BaseRequest, Result<BaseImage, ImageSourceError>)> {
    let resolve = |request: BaseRequest| {
        let name = format!("resolve {}", request.name);
        let found = phases.phase(PhaseKind::Resolve, name, || {
            machine.images.config(&request.source, &request.platform)
        });
        (request, found)
    };
    let last = wanted.pop();
    thread::scope(|scope| {
        let asked: Vec<_> = wanted
            .into_iter()
            .map(|request| scope.spawn(|| resolve(request)))
            .collect();
        let last = last.map(&resolve);
        asked
            .into_iter()
            .map(|asked| asked.join().expect("asking does not panic"))
            .chain(last)
            .collect()
    })
}

/// The agents of `--ssh`, those for key files started: a key that cannot be used is better known before the first step.
pub(crate) fn agents(
    request: &BuildRequest,
    machine: &Machine,
) -> Result<BTreeMap<String, Agent>, SshAgentError> {
    let open = |(id, agent): (&String, &SshAgent)| {
        let agent = match agent {
            SshAgent::Socket(socket) => Agent::Forwarded(socket.clone()),
            SshAgent::Keys(paths) => Agent::Keys(Arc::new(KeyAgent::start(id, paths, &machine.store)?)),
        };
        Ok((id.clone(), agent))
    };
    request.ssh.iter().map(open).collect()
}

fn engine(
    request: &BuildRequest,
    machine: &Machine,
    contexts: Contexts,
    agents: &BTreeMap<String, Agent>,
    graph: &Graph,
) -> Engine {
    let files = Arc::new(ContextFiles::default());
    machine.store.add_source(Arc::clone(&files) as _);
    let environment = StepEnvironment {
        secrets: request.secrets.clone(),
        ssh: agents.clone(),
        allow: request.allow.clone(),
        ..machine.environment.clone()
    };
    let runs = graph
        .steps
        .iter()
        .filter(|step| matches!(step.op, Op::Run(_)))
        .count();
    let mut engine = Engine {
        store: machine.store.clone(),
        roots: Arc::clone(&machine.roots),
        processes: Processes {
            store: machine.store.clone(),
            sandbox: Arc::clone(&machine.sandbox),
            rung: Arc::clone(&machine.rung),
            surveys: Arc::default(),
            threads: request.parallel.min(4),
            slots: request.parallel,
            undertaker: Undertaker::default(),
            ahead: Ahead::expecting(runs),
        },
        emulation: Arc::clone(&machine.emulation),
        environment,
        sources: SourceRoots {
            store: machine.store.clone(),
            contexts,
            files,
            images: Arc::clone(&machine.images),
            network: Arc::clone(&machine.network),
            credentials: Credentials::new(&request.secrets, agents),
            scanned: std::sync::Mutex::default(),
        },
        lanes: Lanes::default(),
        verify: request.verify_cache,
    };
    engine.lanes = Lanes::new(graph, &project::name(request), &engine.resolved());
    engine
}

fn run(
    graph: &Graph,
    request: &BuildRequest,
    engine: &Engine,
    observer: &dyn Observer,
    cancel: &Cancel,
    read: &ReadDockerfile,
) -> Result<Solution<StepOutput>, BuildError> {
    let steps = NonZeroUsize::new(request.parallel).unwrap_or(NonZeroUsize::MIN);
    let limits = Limits {
        steps,
        sources: NonZeroUsize::new(4).expect("four is not zero"),
    };
    let scanned = graph.targets.iter().flat_map(|target| &target.scans);
    let wanted: Vec<_> = graph
        .targets
        .iter()
        .map(|target| target.root)
        .chain(scanned.map(|scan| scan.root))
        .collect();
    solve(graph, &wanted, limits, engine, engine, observer, cancel).map_err(|error| match error {
        SolveError::Interrupted => BuildError::Interrupted,
        SolveError::Failed(failures) => {
            let failure = failures
                .into_iter()
                .next()
                .expect("a failed solve names a failure");
            let failed: StepFailure = failure.error;
            BuildError::step(read, graph.step(failure.step), failed)
        }
    })
}
