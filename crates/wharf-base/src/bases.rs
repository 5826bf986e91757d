//! Making bases: settings → resolution → plan → base, with everything kept that can be kept.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::task::spawn_blocking;
use wharf_http::Client;
use wharf_oci::{Platform, config::Execution};
use wharf_store::{MemoKey, Root, Store};
use wharf_tree::{Layer, Tree, TreeDigest, diff, merge};

use crate::{
    apt::{
        acquire::Acquire,
        architecture,
        host::HostApt,
        origin::{Archive, Mirrors, archives},
        resolve::{Resolver, Wishes, marks_dependencies, sources_list},
    },
    dpkg::Dpkg,
    error::BaseError,
    fetch::Fetcher,
    lock::LockedBase,
    observe::{Observer, Phase, Progress},
    plan::{Base, BaseKey, BasePlan, ConfigureOp, Configurer, Package},
    resolution::Resolution,
    settings::BaseSettings,
    source::{Assembly, HelpedRoot, PackageFormat},
};

/// What making bases needs.
#[derive(Clone)]
pub struct Context {
    /// Where everything is kept.
    pub store: Store,
    /// How archives are asked.
    pub client: Client,
    /// Who is told.
    pub observer: Arc<dyn Observer>,
}

/// What may vary.
#[derive(Debug, Clone)]
pub struct Options {
    /// Below which the machine's apt configuration lies: `/`.
    pub host_root: PathBuf,
    /// Addresses of the machine's settings.
    pub mirrors: Mirrors,
    /// How long an archive's state is believed without asking again: a day, or zero for `--pull`.
    pub lifetime: Duration,
    /// The time.
    pub now: SystemTime,
}

/// Makes bases.
#[derive(Clone)]
pub struct Bases {
    context: Context,
    options: Options,
    host: Arc<HostApt>,
}

/// A base's packages, unpacked and merged, before its scripts have run.
pub struct Prepared {
    resolution: Resolution,
    assembly: Assembly,
    helped: Option<HelpedRoot>,
    plan: BasePlan,
}

impl Bases {
    /// Reads the machine's apt configuration.
    pub fn new(context: Context, options: Options) -> Result<Self, BaseError> {
        let host = Arc::new(HostApt::read(&options.host_root)?);
        Ok(Self {
            context,
            options,
            host,
        })
    }

    /// Chooses the packages of a base for a platform. With a lock, no archive is asked.
    pub async fn resolve(
        &self,
        name: &str,
        settings: &BaseSettings,
        platform: &Platform,
        lock: Option<&LockedBase>,
    ) -> Result<Resolution, BaseError> {
        let architectures = architectures(settings, platform)?;
        let archives = archives(settings, &self.host, &self.options.mirrors, &architectures[0])?;
        match lock {
            Some(lock) => locked(name, settings, &architectures[0], &archives, lock),
            None => self.resolve_now(settings, &architectures, &archives).await,
        }
    }

    async fn resolve_now(
        &self,
        settings: &BaseSettings,
        architectures: &[String],
        archives: &[Archive],
    ) -> Result<Resolution, BaseError> {
        let now = self
            .options
            .now
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs() as i64);
        let acquire = Acquire {
            store: self.context.store.clone(),
            client: self.context.client.clone(),
            now,
            lifetime: self.options.lifetime,
        };
        let observer = Arc::clone(&self.context.observer);
        let resolver = Resolver {
            acquire,
            host: Arc::clone(&self.host),
            observer,
        };
        Ok(resolver
            .resolve(Wishes {
                settings,
                architectures,
                archives,
            })
            .await?)
    }

    /// The base of a resolution, if it was made before and is still in the store.
    pub fn finished(&self, resolution: &Resolution) -> Result<Option<Base>, BaseError> {
        Ok(self.context.store.memo(&memo_key(resolution.key()))?)
    }

    /// The base of a resolution: the one that was made before, or a new one. What its packages' scripts need is run by
    /// `configurer`, at most twice: for the helper, where one is needed and not there, and for the base.
    pub async fn make(
        &self,
        resolution: &Resolution,
        configurer: Arc<dyn Configurer>,
    ) -> Result<Base, BaseError> {
        if let Some(base) = self.finished(resolution)? {
            return Ok(base);
        }
        let mut prepared = self.prepare(resolution).await?;
        if prepared.needs_helper() {
            let helper = resolution.of_helper().ok_or(BaseError::NoHelper)?;
            let helper = self.make_alone(&helper, Arc::clone(&configurer)).await?;
            prepared = self.with_helper(prepared, &helper)?;
        }
        self.configure(prepared, configurer).await
    }

    async fn make_alone(
        &self,
        resolution: &Resolution,
        configurer: Arc<dyn Configurer>,
    ) -> Result<Base, BaseError> {
        if let Some(base) = self.finished(resolution)? {
            return Ok(base);
        }
        let prepared = self.prepare(resolution).await?;
        if prepared.needs_helper() {
            return Err(BaseError::NoHelper);
        }
        self.configure(prepared, configurer).await
    }

    async fn configure(
        &self,
        prepared: Prepared,
        configurer: Arc<dyn Configurer>,
    ) -> Result<Base, BaseError> {
        let bases = self.clone();
        let done = spawn_blocking(move || {
            let upper = match &prepared.plan.configure {
                None => Layer::empty(),
                Some(op) => {
                    bases.tell(Progress::Started {
                        phase: Phase::Configure,
                        bytes: 0,
                        items: 0,
                    });
                    let upper = configurer.configure(op)?;
                    bases.tell(Progress::Finished(Phase::Configure));
                    upper
                }
            };
            bases.finish(&prepared, &upper)
        });
        done.await.map_err(|_| BaseError::Stopped)?
    }

    /// Fetches, unpacks and merges the packages of a resolution.
    pub async fn prepare(&self, resolution: &Resolution) -> Result<Prepared, BaseError> {
        let Context {
            store,
            client,
            observer,
        } = self.context.clone();
        let unpacked = Fetcher {
            store,
            client,
            observer,
        }
        .unpacked::<Dpkg>(resolution)
        .await?;
        let (bases, resolution) = (self.clone(), resolution.clone());
        let assembled = spawn_blocking(move || {
            bases.tell(Progress::Started {
                phase: Phase::Assemble,
                bytes: 0,
                items: unpacked.len() as u64,
            });
            let assembly = Dpkg::assemble(&resolution, &unpacked, &bases.context.store)?;
            let prepared = bases.prepared(resolution, assembly)?;
            bases.tell(Progress::Finished(Phase::Assemble));
            Ok(prepared)
        });
        assembled.await.map_err(|_| BaseError::Stopped)?
    }

    fn prepared(&self, resolution: Resolution, assembly: Assembly) -> Result<Prepared, BaseError> {
        let store = &self.context.store;
        let unpacked = store.put_layer(&diff(&Tree::empty(), &assembly.unpacked))?;
        let database = store.put_layer(&assembly.database)?;
        let configure = assembly.run.clone().map(|run| ConfigureOp {
            run,
            layers: vec![unpacked, database],
            root: Arc::new(assembly.base.clone()),
        });
        let packages: Vec<_> = assembly
            .order
            .iter()
            .map(|position| resolution.packages[*position].clone())
            .collect();
        let config = config(&packages);
        let plan = BasePlan {
            key: resolution.key(),
            packages,
            unpacked,
            database,
            configure,
            config,
        };
        Ok(Prepared {
            resolution,
            assembly,
            helped: None,
            plan,
        })
    }

    /// Puts a finished base of the essential packages below one that lacks what its scripts need.
    pub fn with_helper(&self, prepared: Prepared, helper: &Base) -> Result<Prepared, BaseError> {
        let store = &self.context.store;
        let helped = Dpkg::over_helper(&prepared.assembly, helper, store)?;
        let mut plan = prepared.plan;
        if let Some(op) = &mut plan.configure {
            let below = store.put_layer(&diff(&Tree::empty(), &helped.helper))?;
            let joint = store.put_layer(&helped.database)?;
            op.layers = vec![below, plan.unpacked, plan.database, joint];
            op.root = Arc::new(helped.root.clone());
        }
        Ok(Prepared {
            plan,
            helped: Some(helped),
            ..prepared
        })
    }

    /// The base, given what its configure step wrote over the plan's root.
    pub fn finish(&self, prepared: &Prepared, upper: &Layer) -> Result<Base, BaseError> {
        let store = &self.context.store;
        let Prepared {
            resolution,
            assembly,
            helped,
            plan,
        } = prepared;
        let second = Dpkg::finish(resolution, assembly, helped.as_ref(), upper, store)?;
        let layers = vec![plan.unpacked, store.put_layer(&second)?];
        let tree: TreeDigest = merge(&assembly.unpacked, &second).digest();
        let base = Base {
            key: plan.key,
            layers,
            tree,
            config: plan.config.clone(),
            packages: plan.packages.clone(),
        };
        let roots: Vec<_> = base.layers.iter().copied().map(Root::Layer).collect();
        store.set_memo(&memo_key(base.key), &base, &roots)?;
        Ok(base)
    }

    fn tell(&self, progress: Progress) {
        self.context.observer.progress(progress);
    }
}

impl Prepared {
    /// What is to be run, and where.
    pub const fn plan(&self) -> &BasePlan {
        &self.plan
    }

    /// Whether a helper must be put below before the plan's step can run.
    pub const fn needs_helper(&self) -> bool {
        self.plan.configure.is_some() && !self.assembly.self_sufficient && self.helped.is_none()
    }
}

/// The base's own architecture, which is the platform's, then foreign ones.
fn architectures(settings: &BaseSettings, platform: &Platform) -> Result<Vec<String>, BaseError> {
    let wanted =
        architecture::of_platform(platform).ok_or_else(|| BaseError::Architecture(platform.to_string()))?;
    match settings.architectures.first() {
        None => Ok(vec![wanted.to_owned()]),
        Some(own) if own == wanted => Ok(settings.architectures.clone()),
        Some(own) => Err(BaseError::OtherArchitecture {
            own: own.clone(),
            platform: platform.to_string(),
            wanted,
        }),
    }
}

fn locked(
    name: &str,
    settings: &BaseSettings,
    architecture: &str,
    archives: &[Archive],
    lock: &LockedBase,
) -> Result<Resolution, BaseError> {
    let addresses: Vec<_> = archives.iter().map(|archive| archive.entry.uri.clone()).collect();
    let resolution = lock.resolution(name, settings, architecture, &addresses)?;
    Ok(Resolution {
        sources: sources_list(archives),
        marks_dependencies: marks_dependencies(settings.variant),
        ..resolution
    })
}

fn config(packages: &[Package]) -> Execution {
    let mut config = Execution::default();
    config.set_env("PATH", crate::dpkg::configure::PATH);
    if packages.iter().any(|package| package.name == "bash") {
        config.cmd = vec!["bash".to_owned()];
    }
    config
}

fn memo_key(key: BaseKey) -> MemoKey {
    MemoKey::new("base 1", &[key.0.as_bytes()])
}
