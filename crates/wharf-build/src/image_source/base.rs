//! Bases made of packages: resolved, made, and remembered for the rest of the build.

use std::{
    fs, io,
    path::PathBuf,
    sync::{Arc, PoisonError},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use wharf_base::{
    Base, BaseSettings, Bases, Context, LockFile, Mirrors, Options, Phase, Progress, Resolution,
    apt::architecture,
};
use wharf_graph::{
    BaseImage, LayoutSource,
    event::{self, Event, PhaseFinished, PhaseId, PhaseKind, PhaseStarted},
};
use wharf_oci::{
    Digest, Hasher, Manifest, Platform,
    config::{History, ImageConfig},
};
use wharf_solver::{Cancel, Observer};
use wharf_store::{MemoKey, Root as Kept};

use super::{ImageSourceError, Images};
use crate::{
    emulation::EmulationError,
    exec::{StepConfigurer, now},
    from_lock::FromLock,
    phases::next_phase,
    request::TAG_LIFETIME,
    root::{Layers, Root},
};

/// Where packages come from when the host's own sources do not say it.
pub type BaseOptions = Mirrors;

/// A base cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// wharf.toml has no such table.
    #[error("there is no base called {0} in wharf.toml")]
    Unknown(String),
    /// Its packages cannot be had or do not fit.
    #[error(transparent)]
    Make(#[from] wharf_base::BaseError),
    /// Its packages' scripts are for another processor.
    #[error(transparent)]
    Emulation(#[from] EmulationError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] wharf_store::StoreError),
    /// The lock cannot be read.
    #[error("cannot read {path}")]
    ReadLock {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The lock is wrong.
    #[error("{path}")]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        source: wharf_base::LockError,
    },
}

impl BaseError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Make(error) => error.hint(),
            Self::Emulation(error) => error.hint(),
            Self::Lock { source, .. } => source.hint().map(str::to_owned),
            Self::Unknown(_) | Self::Store(_) | Self::ReadLock { .. } => None,
        }
    }

    /// Whether settings are at fault rather than the world.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Make(error) => error.is_usage(),
            Self::Unknown(_) | Self::Lock { .. } => true,
            Self::Emulation(_) | Self::Store(_) | Self::ReadLock { .. } => false,
        }
    }
}

impl Images {
    pub(super) fn base_config(&self, name: &str, platform: &Platform) -> Result<BaseImage, ImageSourceError> {
        let base = self.make_base(name, platform)?;
        let config = ImageConfig {
            architecture: platform.architecture.clone(),
            variant: Some(platform.variant.clone()).filter(|variant| !variant.is_empty()),
            os: platform.os.clone(),
            config: base.config.clone(),
            history: base_history(name, base.layers.len()),
            ..ImageConfig::default()
        };
        Ok(BaseImage { config, digest: None })
    }

    /// The files of a base.
    pub fn base(&self, name: &str, platform: &Platform) -> Result<Root, ImageSourceError> {
        let base = self.make_base(name, platform)?;
        Ok(Root {
            layers: Layers::Stored(base.layers.clone()),
            tree: base.tree,
        })
    }

    /// The base of this name, made if it is not there.
    pub fn make_base(&self, name: &str, platform: &Platform) -> Result<Arc<Base>, BaseError> {
        let key = (name.to_owned(), platform.to_string());
        if let Some(base) = self.project().made.get(&key) {
            return Ok(Arc::clone(base));
        }
        let question = self.question(name, platform)?;
        if let Some(base) = self.recent(&question)? {
            let base = Arc::new(base);
            self.project().made.insert(key, Arc::clone(&base));
            return Ok(base);
        }
        let emulators = self.emulation.emulators(platform)?;
        let bases = self.bases(name)?;
        let resolution = self.resolve_with(&bases, name, platform, true)?;
        let configurer = Arc::new(StepConfigurer {
            processes: Arc::clone(&self.processes),
            cancel: self.project().cancel.clone(),
            emulators,
        });
        let base = Arc::new(self.network.wait(bases.make(&resolution, configurer))?);
        self.remember(&question, &base)?;
        self.project().made.insert(key, Arc::clone(&base));
        Ok(base)
    }

    /// Everything that decides which packages a base has, but the state of the archives.
    fn question(&self, name: &str, platform: &Platform) -> Result<MemoKey, BaseError> {
        let settings = format!("{:?}", self.base_settings(name)?);
        let lock = match self.lock_path() {
            Some(path) => fs::read(path).unwrap_or_default(),
            None => Vec::new(),
        };
        let mirrors = format!("{:?}", self.base_options);
        let (platform, apt) = (platform.to_string(), apt_configuration());
        let parts: [&[u8]; 6] = [
            settings.as_bytes(),
            platform.as_bytes(),
            &lock,
            mirrors.as_bytes(),
            apt.as_bytes(),
            env!("CARGO_PKG_VERSION").as_bytes(),
        ];
        Ok(MemoKey::new("base-of-settings", &parts))
    }

    /// The answer of today, unless `--pull`.
    fn recent(&self, question: &MemoKey) -> Result<Option<Base>, BaseError> {
        if self.project().pull {
            return Ok(None);
        }
        let known: Option<Remembered> = self.store.memo(question)?;
        let fresh = |known: &Remembered| now().saturating_sub(known.asked_at) < TAG_LIFETIME.as_secs() as i64;
        Ok(known.filter(fresh).map(|known| known.base))
    }

    fn remember(&self, question: &MemoKey, base: &Base) -> Result<(), BaseError> {
        let roots: Vec<_> = base.layers.iter().copied().map(Kept::Layer).collect();
        let remembered = Remembered {
            asked_at: now(),
            base: base.clone(),
        };
        Ok(self.store.set_memo(question, &remembered, &roots)?)
    }

    /// Which packages a base has; with `locked` as its lock says, if there is one.
    pub fn resolve_base(
        &self,
        name: &str,
        platform: &Platform,
        locked: bool,
    ) -> Result<Resolution, BaseError> {
        self.resolve_with(&self.bases(name)?, name, platform, locked)
    }

    fn resolve_with(
        &self,
        bases: &Bases,
        name: &str,
        platform: &Platform,
        locked: bool,
    ) -> Result<Resolution, BaseError> {
        let settings = self.base_settings(name)?;
        let lock = if locked { self.lock_file()? } else { None };
        let architecture = debian_architecture(platform);
        let locked = lock.as_ref().and_then(|lock| lock.base(name, architecture));
        if locked.is_none() && lock.as_ref().is_some_and(|lock| lock.has(name)) {
            self.warn_unlocked(name, platform);
        }
        Ok(self
            .network
            .wait(bases.resolve(name, &settings, platform, locked))?)
    }

    fn warn_unlocked(&self, name: &str, platform: &Platform) {
        let Some(observer) = self.project().observer.clone() else {
            return;
        };
        observer.observe(Event::Warning(event::Warning {
            code: None,
            message: format!(
                "wharf.lock has the base {name} for other platforms than {platform}: its packages are today's"
            ),
            hint: Some(format!("to lock them: wharf lock --platform={platform}")),
            span: None,
        }));
    }

    /// The settings of a base.
    pub fn base_settings(&self, name: &str) -> Result<BaseSettings, BaseError> {
        self.project()
            .bases
            .get(name)
            .cloned()
            .ok_or_else(|| BaseError::Unknown(name.to_owned()))
    }

    /// `wharf.lock` beside `wharf.toml`.
    pub fn lock_path(&self) -> Option<PathBuf> {
        self.project()
            .file
            .as_ref()
            .map(|file| file.with_file_name("wharf.lock"))
    }

    /// The project's lock, if there is one.
    pub fn lock_file(&self) -> Result<Option<LockFile>, BaseError> {
        let Some(path) = self.lock_path() else {
            return Ok(None);
        };
        match fs::read_to_string(&path) {
            Ok(text) => LockFile::parse(&text)
                .map(Some)
                .map_err(|source| BaseError::Lock { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(BaseError::ReadLock { path, source }),
        }
    }

    fn bases(&self, name: &str) -> Result<Bases, BaseError> {
        let (observer, pull) = {
            let project = self.project();
            (project.observer.clone(), project.pull)
        };
        let observer = Arc::new(BaseProgress::new(name, observer));
        let context = Context {
            store: self.store.clone(),
            client: self.network.client(),
            observer,
        };
        let options = Options {
            host_root: "/".into(),
            mirrors: self.base_options.clone(),
            lifetime: if pull { Duration::ZERO } else { TAG_LIFETIME },
            now: SystemTime::now(),
        };
        Ok(Bases::new(context, options)?)
    }
}

/// What is remembered of a base's settings.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    asked_at: i64,
    base: Base,
}

/// One entry for each layer. The image specification leaves it open, but tools that build upon an image (buildah, Docker) refuse
/// a history that tells of other layers than there are.
fn base_history(name: &str, layers: usize) -> Vec<History> {
    ["packages", "configured"]
        .into_iter()
        .chain(std::iter::repeat("more"))
        .take(layers)
        .map(|part| History {
            created_by: format!("base {name}: {part}"),
            comment: "wharf".to_owned(),
            ..History::default()
        })
        .collect()
}

/// The machine's apt sources as they are: a base of yesterday's is not one of today's.
fn apt_configuration() -> Digest {
    let mut hasher = Hasher::new();
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    let drop_ins = fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .flatten();
    files.extend(drop_ins.map(|entry| entry.path()));
    files.sort();
    for file in files {
        hasher.update(file.as_os_str().as_encoded_bytes());
        hasher.update(&fs::read(&file).unwrap_or_default());
    }
    hasher.finish()
}

/// Debian's name of a platform's architecture; of one that Debian does not know, the platform's own.
pub fn debian_architecture(platform: &Platform) -> &str {
    architecture::of_platform(platform).unwrap_or(&platform.architecture)
}

/// What makes a base tells, as events of the build.
struct BaseProgress {
    name: String,
    observer: Option<Arc<dyn Observer + Send + Sync>>,
    state: std::sync::Mutex<Vec<Running>>,
}

struct Running {
    phase: Phase,
    id: PhaseId,
    done: u64,
    total: u64,
    told: std::time::Instant,
}

impl BaseProgress {
    fn new(name: &str, observer: Option<Arc<dyn Observer + Send + Sync>>) -> Self {
        Self {
            name: name.to_owned(),
            observer,
            state: std::sync::Mutex::default(),
        }
    }

    fn tell(&self, event: Event) {
        if let Some(observer) = &self.observer {
            observer.observe(event);
        }
    }
}

const fn describe(phase: Phase) -> (PhaseKind, &'static str) {
    match phase {
        Phase::Index => (PhaseKind::Resolve, "read the archives' indexes"),
        Phase::Solve => (PhaseKind::Resolve, "choose packages"),
        Phase::Download => (PhaseKind::Pull, "download packages"),
        Phase::Unpack => (PhaseKind::Pull, "unpack packages"),
        Phase::Assemble => (PhaseKind::Internal, "merge packages"),
        Phase::Configure => (PhaseKind::Internal, "configure packages"),
    }
}

impl wharf_base::Observer for BaseProgress {
    fn progress(&self, progress: Progress) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            Progress::Started { phase, bytes, .. } => {
                let (kind, what) = describe(phase);
                let id = next_phase();
                state.push(Running {
                    phase,
                    id,
                    done: 0,
                    total: bytes,
                    told: std::time::Instant::now(),
                });
                let name = format!("base {}: {what}", self.name);
                self.tell(Event::PhaseStarted(PhaseStarted {
                    phase: id,
                    kind,
                    name,
                }));
            }
            Progress::Advanced { phase, bytes, .. } => {
                let Some(running) = state.iter_mut().find(|running| running.phase == phase) else {
                    return;
                };
                running.done += bytes;
                if running.told.elapsed().as_millis() < 100 {
                    return;
                }
                running.told = std::time::Instant::now();
                self.tell(Event::StepProgress(event::Progress {
                    step: None,
                    phase: Some(running.id),
                    item: String::new(),
                    done: running.done,
                    total: (running.total > 0).then_some(running.total),
                }));
            }
            Progress::Finished(phase) => {
                let Some(position) = state.iter().position(|running| running.phase == phase) else {
                    return;
                };
                let id = state.remove(position).id;
                self.tell(Event::PhaseFinished(PhaseFinished {
                    phase: id,
                    error: None,
                }));
            }
        }
    }
}

/// What a build tells the images before it begins.
pub(super) struct Project {
    pub(super) bases: std::collections::BTreeMap<String, BaseSettings>,
    pub(super) file: Option<PathBuf>,
    pub(super) pull: bool,
    pub(super) observer: Option<Arc<dyn Observer + Send + Sync>>,
    pub(super) cancel: Cancel,
    pub(super) from: FromLock,
    pub(super) made: std::collections::BTreeMap<(String, String), Arc<Base>>,
    /// By layout and platform.
    pub(super) layouts: std::collections::BTreeMap<(LayoutSource, String), (Digest, Arc<Manifest>)>,
}

impl Default for Project {
    fn default() -> Self {
        Self {
            bases: std::collections::BTreeMap::new(),
            file: None,
            pull: false,
            observer: None,
            cancel: Cancel::new(),
            from: FromLock::default(),
            made: std::collections::BTreeMap::new(),
            layouts: std::collections::BTreeMap::new(),
        }
    }
}

impl std::fmt::Debug for Project {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Project")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}
