//! `wharf build`.

use std::{
    collections::VecDeque,
    env, fs, io,
    io::Write as _,
    path::Path,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::json;
use wharf_build::{
    attest::for_metadata,
    build::{BuildResult, build},
    error::{Blame, BuildError},
    output::{Exported, ExportedImage},
    request::{BuildRequest, OutputKind, ProvenanceMode},
};
use wharf_graph::{
    StepId,
    event::{self, BuildFinished, BuildStarted, Event, Outcome, Record},
};
use wharf_oci::Platform;
use wharf_solver::Observer;
use wharf_store::RecordWriter;

use crate::{
    args::{
        attest::boolean,
        build::{BuildArgs, ProgressMode},
        call::{Method, call},
        cli::GlobalArgs,
    },
    interrupt,
    machine::{Choices, Local, local, machine},
    progress::{self, Display, StepTitles, Summary},
    report::{Code, DISK_FULL, Message, Report},
    request::request,
};

/// Lines of a failed step's output that are shown again at the end.
const TAIL: usize = 40;

/// Builds, and says what came of it.
pub(crate) fn run(global: &GlobalArgs, args: &BuildArgs) -> Result<ExitCode, Report> {
    let call = call(&args.call, args.check).map_err(|error| Report::new(Code::Usage, error))?;
    match call.method {
        Method::Build => {}
        Method::Check => return super::check::run_for_build(global, args, call),
        Method::Outline | Method::Targets => return super::call::run(global, args, call),
    }
    let mut requested = request(args)?;
    let local = local(global)?;
    let choices = Choices {
        ca: args.wharf.ca.clone(),
        sandbox: args.wharf.sandbox.clone(),
        seccomp: Some(args.wharf.seccomp.clone()),
    };
    let machine = machine(&local, &choices)?;
    let mode = if args.quiet {
        ProgressMode::Quiet
    } else {
        args.progress
    };
    let watcher = Arc::new(Watcher::new(progress::display(mode), &local)?);
    requested.build.attestations.invocation.clone_from(&watcher.build);
    for warning in &requested.warnings {
        eprintln!("warning: {warning}");
    }
    let cancel = interrupt::on_signal();
    watcher.observe(started(&requested.build, args, &watcher.build));
    let observer: Arc<dyn Observer + Send + Sync> = Arc::clone(&watcher) as _;
    let result = build(&requested.build, &machine, &observer, &cancel);
    watcher.observe(finished(&result));
    watcher.display.finish();
    let result = result.map_err(|error| failed(error, &watcher))?;
    write_files(args, &result, &watcher.build)?;
    if args.quiet {
        print_ids(&result);
    } else if args.progress != ProgressMode::Rawjson {
        // The events say it all, and their reader expects nothing else.
        conclude(&requested.build, &result, &watcher, &local);
    }
    Ok(ExitCode::SUCCESS)
}

fn started(request: &BuildRequest, args: &BuildArgs, build: &str) -> Event {
    Event::BuildStarted(BuildStarted {
        build: build.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        context: args.context.clone(),
        dockerfile: request.dockerfile.display_name(),
        target: request.target.clone(),
        platforms: request.platforms.iter().map(ToString::to_string).collect(),
    })
}

fn finished(result: &Result<BuildResult, BuildError>) -> Event {
    let (outcome, images) = match result {
        Ok(result) => (
            Outcome::Succeeded,
            result.exported.iter().filter_map(built_image).collect(),
        ),
        Err(BuildError::Interrupted) => (Outcome::Interrupted, Vec::new()),
        Err(_) => (Outcome::Failed, Vec::new()),
    };
    Event::BuildFinished(BuildFinished { outcome, images })
}

fn built_image(exported: &Exported) -> Option<event::BuiltImage> {
    let image = exported.image.as_ref()?;
    Some(event::BuiltImage {
        platform: names(&exported.platforms),
        digest: image.digest,
        size: image.size,
        names: image.names.iter().map(ToString::to_string).collect(),
    })
}

fn names(platforms: &[Platform]) -> String {
    let names: Vec<_> = platforms.iter().map(ToString::to_string).collect();
    names.join(",")
}

/// Hears every event: the display, the summary, the build record, and the ends of steps' outputs.
struct Watcher {
    display: Box<dyn Display>,
    build: String,
    state: Mutex<Watched>,
}

struct Watched {
    summary: Summary,
    titles: StepTitles,
    record: RecordWriter,
    tails: std::collections::BTreeMap<StepId, VecDeque<u8>>,
}

/// The most of a step's output that is kept for the end.
const TAIL_BYTES: usize = 64 << 10;

impl Watcher {
    fn new(display: Box<dyn Display>, local: &Local) -> Result<Self, Report> {
        let record = local
            .store
            .begin_record()
            .map_err(|error| Report::new(Code::Environment, error))?;
        let build = record.id().to_string();
        let state = Watched {
            summary: Summary::default(),
            titles: StepTitles::default(),
            record,
            tails: std::collections::BTreeMap::new(),
        };
        Ok(Self {
            display,
            build,
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Watched> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last lines that a step wrote.
    fn tail(&self, step: StepId) -> Option<String> {
        let state = self.state();
        let bytes: Vec<u8> = state.tails.get(&step)?.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lines: Vec<_> = text.lines().collect();
        let shown = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        Some(format!("{}\n{shown}", state.titles.title(step)))
    }
}

impl Observer for Watcher {
    fn observe(&self, event: Event) {
        let record = Record::now(event);
        self.state().take(&record);
        self.display.show(&record);
    }
}

impl Watched {
    fn take(&mut self, record: &Record) {
        self.summary.add(record);
        self.titles.learn(&record.event);
        if let Event::StepLog { step, data, .. } = &record.event {
            let tail = self.tails.entry(*step).or_default();
            tail.extend(&data.0);
            let surplus = tail.len().saturating_sub(TAIL_BYTES);
            tail.drain(..surplus);
        }
        if let Event::StepFinished { step } | Event::StepCached { step, .. } = &record.event {
            self.tails.remove(step);
        }
        // A record that cannot be written is no reason to fail a build.
        let _ = self.record.append(record);
    }
}

fn failed(error: BuildError, watcher: &Watcher) -> Report {
    let tail = match &error {
        BuildError::Step { step, .. } => watcher.tail(*step),
        _ => None,
    };
    told(error, tail)
}

/// What the user is told of a build that failed; `tail` is the end of the failed step's output.
pub(super) fn told(error: BuildError, tail: Option<String>) -> Report {
    let code = match error.blame() {
        Blame::Step => Code::Failed,
        Blame::Request => Code::Usage,
        Blame::Machine => Code::Environment,
        Blame::User => Code::Interrupted,
    };
    let mut parts: Vec<_> = tail.into_iter().collect();
    for excerpt in error.excerpts() {
        let message = if excerpt.message.is_empty() {
            String::new()
        } else {
            format!(" {}", excerpt.message)
        };
        let hint = excerpt
            .hint
            .as_ref()
            .map(|hint| format!("\n  {hint}"))
            .unwrap_or_default();
        parts.push(format!("{}{hint}", place_first(&excerpt.text, &message)));
    }
    let context = (!parts.is_empty()).then(|| parts.join("\n\n"));
    let full = || parts.iter().any(|part| part.contains("No space left on device"));
    let hint = error.hint().or_else(|| full().then(|| DISK_FULL.to_owned()));
    Report {
        context,
        hint,
        ..Report::new(code, error)
    }
}

/// `Dockerfile:3:1: unknown instruction`, then the line with its caret.
fn place_first(text: &str, message: &str) -> String {
    if text.is_empty() {
        return message.trim_start().to_owned();
    }
    let (place, lines) = text.split_once('\n').unwrap_or((text, ""));
    let colon = if message.is_empty() { "" } else { ":" };
    format!("{place}{colon}{message}\n{lines}")
}

/// `--iidfile` and `--metadata-file`, with the keys that buildx writes.
fn write_files(args: &BuildArgs, result: &BuildResult, build: &str) -> Result<(), Report> {
    let mut images = result
        .exported
        .iter()
        .filter_map(|exported| Some((&exported.platforms[..], exported.image.as_ref()?)));
    let image = images.next();
    if let (Some(path), Some((_, image))) = (&args.iidfile, image) {
        write(path, image.id().to_string().as_bytes())?;
    }
    if let Some(path) = &args.metadata_file {
        let mut metadata = image.map_or_else(|| json!({}), |(platforms, image)| metadata(platforms, image));
        // Builder, node, build: here there is one of the first two.
        metadata["buildx.build.ref"] = format!("wharf/wharf/{build}").into();
        if let Some(mode) = metadata_provenance(&env::var("BUILDX_METADATA_PROVENANCE").unwrap_or_default()) {
            add_provenance(&mut metadata, &result.provenance, mode);
        }
        let text = serde_json::to_vec_pretty(&metadata).expect("metadata has only string keys");
        write(path, &text)?;
    }
    Ok(())
}

/// How much provenance the metadata file holds, by the value of the variable by which buildx is told so.
fn metadata_provenance(value: &str) -> Option<ProvenanceMode> {
    match value {
        "max" => Some(ProvenanceMode::Max),
        "disabled" => None,
        value if boolean(value) == Some(false) => None,
        _ => Some(ProvenanceMode::Min),
    }
}

/// One key, or one for each platform.
fn add_provenance(
    metadata: &mut serde_json::Value,
    provenance: &[(Platform, serde_json::Value)],
    mode: ProvenanceMode,
) {
    const KEY: &str = "buildx.build.provenance";
    if let [(_, only)] = provenance {
        metadata[KEY] = for_metadata(only, mode);
        return;
    }
    for (platform, predicate) in provenance {
        metadata[format!("{KEY}/{platform}")] = for_metadata(predicate, mode);
    }
}

/// The descriptor of an image says what it is for and which configuration it has; an index has neither.
fn metadata(platforms: &[Platform], image: &ExportedImage) -> serde_json::Value {
    let mut annotations = json!({});
    if let Some(created) = &image.created {
        annotations["org.opencontainers.image.created"] = created.clone().into();
    }
    let mut metadata = json!({
        "containerimage.descriptor": {
            "mediaType": image.media_type,
            "digest": image.digest,
            "size": image.manifest_size,
        },
        "containerimage.digest": image.digest,
    });
    if let (Some(config), [platform]) = (image.config, platforms) {
        annotations["config.digest"] = json!(config);
        metadata["containerimage.config.digest"] = json!(config);
        metadata["containerimage.descriptor"]["platform"] = json!(platform);
    }
    metadata["containerimage.descriptor"]["annotations"] = annotations;
    if !image.names.is_empty() {
        let names: Vec<_> = image.names.iter().map(ToString::to_string).collect();
        metadata["image.name"] = names.join(",").into();
    }
    metadata
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Report> {
    fs::write(path, bytes).map_err(|error| {
        Report::new(
            Code::Environment,
            Message(format!("cannot write {}: {error}", path.display())),
        )
    })
}

fn print_ids(result: &BuildResult) {
    let mut out = io::stdout().lock();
    for image in result
        .exported
        .iter()
        .filter_map(|exported| exported.image.as_ref())
    {
        // Whoever reads the IDs may have gone.
        let _ = writeln!(out, "{}", image.id());
    }
}

/// What was made, where it is, how long it took, and what to do next.
fn conclude(request: &BuildRequest, result: &BuildResult, watcher: &Watcher, local: &Local) {
    let state = watcher.state();
    for line in state.summary.lines() {
        eprintln!("{line}");
    }
    for exported in &result.exported {
        eprintln!("{}", describe(exported, local));
    }
    let named = request.tags.first().map(wharf_oci::Reference::familiar);
    let in_store = result
        .exported
        .iter()
        .any(|exported| exported.kind == OutputKind::Image);
    if let (Some(name), true) = (named, in_store) {
        eprintln!("\nnext:");
        eprintln!(
            "  wharf run {name}{}",
            if result.exported.is_empty() {
                ""
            } else {
                "   # try it"
            }
        );
        eprintln!("  wharf push {name} REGISTRY/NAME:TAG   # share it");
        eprintln!(
            "  wharf history show {}   # see where the time went",
            watcher.build
        );
    }
}

fn describe(exported: &Exported, local: &Local) -> String {
    let Some(image) = &exported.image else {
        let place = exported
            .dest
            .as_ref()
            .map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
        return format!("files: {place}");
    };
    let size = indicatif::HumanBytes(image.size);
    let layers = if image.layers == 1 {
        "1 layer".to_owned()
    } else {
        format!("{} layers", image.layers)
    };
    let place = match (&exported.dest, &exported.engine) {
        (Some(path), _) => path.display().to_string(),
        (None, Some(socket)) => format!("the engine at {}", socket.display()),
        _ => format!("the store, {}", local.store.path().display()),
    };
    let names: Vec<_> = image.names.iter().map(wharf_oci::Reference::familiar).collect();
    let names = if names.is_empty() {
        String::new()
    } else {
        format!(" {}", names.join(", "))
    };
    let pushed = if exported.pushed { ", pushed" } else { "" };
    format!(
        "image{names}: {} ({size}, {layers}) in {place}{pushed}",
        image.digest
    )
}
