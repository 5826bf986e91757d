//! Steps for other processors: whether this machine runs their programs, by itself or by an emulator, found out by trying.
//!
//! An emulator that is registered for the whole machine is used as it is. Without one, QEMU's static programs are registered for wharf's
//! own processes alone, in a user namespace of theirs, which asks for no privilege and leaves the machine as it was.

mod elf;
mod handler;

use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use wharf_oci::Platform;
use wharf_sandbox::{Emulator, Exit, Io, Root, Sandbox, SandboxError, Spec};
use wharf_store::{Store, StoreError};

use elf::{Architecture, architectures};

/// Which emulators processes are given.
#[derive(Debug)]
pub struct Emulation {
    sandbox: Arc<Sandbox>,
    store: Store,
    /// Where emulators are searched.
    folders: Vec<PathBuf>,
    /// What was found out, by architecture.
    known: Mutex<BTreeMap<String, Arc<Vec<Emulator>>>>,
}

/// Programs for a platform cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum EmulationError {
    /// It is no Linux, or a processor that nobody emulates.
    #[error("this machine ({host}) does not run programs for {0}", host = Platform::host())]
    Unknown(Box<Platform>),
    /// No emulator is registered and none can be found.
    #[error(
        "this machine ({}) does not run programs for {platform}: {found}, and there is no {program}",
        Platform::host()
    )]
    Missing {
        /// The platform.
        platform: Box<Platform>,
        /// What is registered for it.
        found: String,
        /// The emulator that was looked for.
        program: String,
    },
    /// There is an emulator, and it does not run inside.
    #[error(
        "{program} does not run programs for {platform} in a sandbox of this machine ({}): {why}",
        Platform::host()
    )]
    Refused {
        /// The platform.
        platform: Box<Platform>,
        /// The emulator.
        program: PathBuf,
        /// What the kernel said.
        why: String,
    },
    /// Nothing could be tried.
    #[error("cannot try whether this machine runs programs for {platform}")]
    Try {
        /// The platform.
        platform: Box<Platform>,
        /// Why not.
        source: io::Error,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EmulationError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some(
                "install the package qemu-user-static, which wharf then uses without further set-up (Linux 6.7 or newer; on an older one \
                 install binfmt-support too), or compile in a stage FROM --platform=$BUILDPLATFORM and copy the result"
                    .to_owned(),
            ),
            Self::Refused { .. } => Some(
                "have it registered for the whole machine with the flag F: install qemu-user-static and binfmt-support as root \
                 (`wharf host` tells what this kernel allows; registering for one process needs Linux 6.7)"
                    .to_owned(),
            ),
            Self::Unknown(_) => Some("build there, or for another --platform".to_owned()),
            Self::Try { .. } | Self::Store(_) => None,
        }
    }
}

impl Emulation {
    /// Nothing is tried yet. Emulators are searched in `folders`.
    pub fn new(sandbox: Arc<Sandbox>, store: Store, folders: Vec<PathBuf>) -> Self {
        Self {
            sandbox,
            store,
            folders,
            known: Mutex::default(),
        }
    }

    /// The emulators that processes for `platform` are to be given: none where the machine runs their programs as it is.
    ///
    /// # Errors
    /// When the programs cannot be run.
    pub fn emulators(&self, platform: &Platform) -> Result<Vec<Emulator>, EmulationError> {
        let host = Platform::host();
        if platform.os == host.os && platform.architecture == host.architecture {
            return Ok(Vec::new());
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(emulators) = known.get(&platform.architecture) {
            return Ok((**emulators).clone());
        }
        let emulators = self.find(platform)?;
        known.insert(platform.architecture.clone(), Arc::new(emulators.clone()));
        Ok(emulators)
    }

    /// The other platforms whose programs run here, and whether only under emulators of wharf's own.
    pub fn platforms(&self) -> Vec<(Platform, bool)> {
        let host = Platform::host().architecture;
        architectures()
            .filter(|architecture| architecture.name != host)
            .map(|architecture| Platform::new("linux", architecture.name, ""))
            .filter_map(|platform| {
                let emulators = self.emulators(&platform).ok()?;
                Some((platform, !emulators.is_empty()))
            })
            .collect()
    }

    fn find(&self, platform: &Platform) -> Result<Vec<Emulator>, EmulationError> {
        let architecture = architectures()
            .find(|known| known.name == platform.architecture && platform.os == "linux")
            .ok_or_else(|| EmulationError::Unknown(Box::new(platform.clone())))?;
        if self.runs(platform, architecture, &[])?.is_ok() {
            return Ok(Vec::new());
        }
        let Some(program) = self.program(architecture) else {
            return Err(EmulationError::Missing {
                platform: Box::new(platform.clone()),
                found: handler::describe(&architecture.program()),
                program: format!("qemu-{}-static in PATH", architecture.qemu),
            });
        };
        let emulators = self.all();
        match self.runs(platform, architecture, &emulators)? {
            Ok(()) => Ok(emulators),
            Err(why) => Err(EmulationError::Refused {
                platform: Box::new(platform.clone()),
                program,
                why,
            }),
        }
    }

    /// An emulator for every architecture that has one: a step sees the same, whatever others run beside it.
    fn all(&self) -> Vec<Emulator> {
        let host = Platform::host().architecture;
        architectures()
            .filter(|architecture| architecture.name != host)
            .filter_map(|architecture| {
                Some(Emulator {
                    name: format!("wharf-{}", architecture.name),
                    magic: architecture.magic(),
                    mask: architecture.mask(),
                    program: self.program(architecture)?,
                })
            })
            .collect()
    }

    fn program(&self, architecture: &Architecture) -> Option<PathBuf> {
        let names = ["-static", ""].map(|end| format!("qemu-{}{end}", architecture.qemu));
        let places = names
            .iter()
            .flat_map(|name| self.folders.iter().map(move |folder| folder.join(name)));
        places
            .filter_map(|path| fs::canonicalize(path).ok())
            .find(|path| is_static(path))
    }

    /// Whether a program that does nothing ends well in a root that has nothing else.
    fn runs(
        &self,
        platform: &Platform,
        architecture: &Architecture,
        emulators: &[Emulator],
    ) -> Result<Result<(), String>, EmulationError> {
        let work = self.store.work_dir()?;
        let dir = work.path().join("upper");
        let failed = |source| EmulationError::Try {
            platform: Box::new(platform.clone()),
            source,
        };
        make_root(&dir, &architecture.program()).map_err(failed)?;
        let mut spec = Spec::new(Root::Plain { dir }, vec!["/try".into()]);
        spec.emulators = emulators.to_vec();
        Ok(match self.try_one(&spec) {
            Ok(Exit::Code(0)) => Ok(()),
            Ok(Exit::NotExecuted(why)) => Err(why.to_string()),
            Ok(exit) => Err(format!("it ended with code {}", exit.code())),
            Err(error) => Err(error.to_string()),
        })
    }

    fn try_one(&self, spec: &Spec) -> Result<Exit, SandboxError> {
        let io = Io::null().map_err(SandboxError::Channel)?;
        self.sandbox.start(spec, io)?.wait()
    }
}

fn make_root(dir: &Path, program: &[u8]) -> io::Result<()> {
    for name in ["dev", "proc", "sys"] {
        fs::create_dir_all(dir.join(name))?;
    }
    let path = dir.join("try");
    fs::write(&path, program)?;
    fs::set_permissions(&path, Permissions::from_mode(0o755))
}

/// Headers lie at the beginning.
const HEAD: u64 = 4 << 10;

fn is_static(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    read.is_ok() && elf::is_static(&head)
}
