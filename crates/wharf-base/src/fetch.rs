//! Fetching and unpacking package files, several at once, each at most once in a store's life.

use std::{
    fs::File,
    io::{self, Read, Seek as _, Write as _},
    sync::Arc,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::{sync::Semaphore, task::spawn_blocking};
use wharf_http::{Client, Expect, Request};
use wharf_oci::Hasher;
use wharf_store::{MemoKey, Store, WorkDir};

use crate::{
    apt::acquire::local_root,
    error::BaseError,
    observe::{Observer, Phase, Progress},
    plan::Package,
    resolution::Resolution,
    source::PackageFormat,
};

/// Package files that are fetched at once: more gain nothing from one server, fewer leave its latency to be seen.
const CONNECTIONS: usize = 8;

/// What fetching needs.
#[derive(Clone)]
pub(crate) struct Fetcher {
    pub(crate) store: Store,
    pub(crate) client: Client,
    pub(crate) observer: Arc<dyn Observer>,
}

impl Fetcher {
    /// What the store remembers of each package, in the resolution's order; what it does not know is fetched and unpacked.
    pub(crate) async fn unpacked<F: PackageFormat>(
        &self,
        resolution: &Resolution,
    ) -> Result<Vec<F::Unpacked>, BaseError> {
        let kept = resolution.packages.iter().map(|package| self.kept::<F>(package));
        let mut all: Vec<Option<F::Unpacked>> = kept.collect::<Result<_, _>>()?;
        let missing: Vec<_> = (0..all.len())
            .filter(|position| all[*position].is_none())
            .collect();
        if !missing.is_empty() {
            for (position, unpacked) in self.fetch_all::<F>(resolution, &missing).await? {
                all[position] = Some(unpacked);
            }
        }
        Ok(all.into_iter().flatten().collect())
    }

    fn kept<F: PackageFormat>(&self, package: &Package) -> Result<Option<F::Unpacked>, BaseError> {
        Ok(self.store.memo(&memo_key::<F>(package))?)
    }

    async fn fetch_all<F: PackageFormat>(
        &self,
        resolution: &Resolution,
        missing: &[usize],
    ) -> Result<Vec<(usize, F::Unpacked)>, BaseError> {
        let bytes = missing
            .iter()
            .map(|position| resolution.packages[*position].size)
            .sum();
        let items = missing.len() as u64;
        self.observer.progress(Progress::Started {
            phase: Phase::Download,
            bytes,
            items,
        });
        self.observer.progress(Progress::Started {
            phase: Phase::Unpack,
            bytes,
            items,
        });
        let folder = Arc::new(self.store.work_dir()?);
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let unpacking = Arc::new(Semaphore::new(threads));
        let tasks = missing.iter().map(|position| {
            let (fetcher, package, url) = (
                self.clone(),
                resolution.packages[*position].clone(),
                resolution.url(&resolution.packages[*position]),
            );
            let (folder, unpacking) = (Arc::clone(&folder), Arc::clone(&unpacking));
            async move {
                let file = fetcher.fetch(&package, &url, &folder).await?;
                fetcher.observer.progress(Progress::Advanced {
                    phase: Phase::Download,
                    bytes: 0,
                    items: 1,
                });
                let unpacked = fetcher.unpack::<F>(package, file, unpacking).await?;
                Ok::<_, BaseError>((*position, unpacked))
            }
        });
        // Twice as many tasks as connections: a task that unpacks does not keep the line idle.
        let done = stream::iter(tasks)
            .buffer_unordered(CONNECTIONS + threads)
            .try_collect()
            .await?;
        self.observer.progress(Progress::Finished(Phase::Download));
        self.observer.progress(Progress::Finished(Phase::Unpack));
        Ok(done)
    }

    /// The verified package file, at its start.
    async fn fetch(&self, package: &Package, url: &str, folder: &Arc<WorkDir>) -> Result<File, BaseError> {
        if local_root(url).is_some() {
            return open_local(package, url);
        }
        let failed = |source| BaseError::Download {
            package: package.name.clone(),
            version: package.version.clone(),
            source: Box::new(source),
        };
        let path = folder.path().join(package.sha256.hex());
        let mut file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)?;
        // Nothing needs the name: the file goes when it is closed.
        std::fs::remove_file(&path)?;
        let request = Request::get_text(url).map_err(failed)?;
        let expect = Expect::content(package.sha256, package.size);
        let mut download = self.client.download(request, expect).await.map_err(failed)?;
        while let Some(chunk) = download.chunk().await.map_err(failed)? {
            file.write_all(&chunk)?;
            let bytes = chunk.len() as u64;
            self.observer.progress(Progress::Advanced {
                phase: Phase::Download,
                bytes,
                items: 0,
            });
        }
        file.rewind()?;
        Ok(file)
    }

    async fn unpack<F: PackageFormat>(
        &self,
        package: Package,
        file: File,
        unpacking: Arc<Semaphore>,
    ) -> Result<F::Unpacked, BaseError> {
        let _turn = unpacking.acquire().await.map_err(|_| BaseError::Stopped)?;
        let (store, bytes) = (self.store.clone(), package.size);
        let unpacked = spawn_blocking(move || {
            let (unpacked, roots) = F::unpack(&package, file, &store)?;
            store.set_memo(&memo_key::<F>(&package), &unpacked, &roots)?;
            Ok::<_, BaseError>(unpacked)
        });
        let unpacked = unpacked.await.map_err(|_| BaseError::Stopped)??;
        self.observer.progress(Progress::Advanced {
            phase: Phase::Unpack,
            bytes,
            items: 1,
        });
        Ok(unpacked)
    }
}

fn memo_key<F: PackageFormat>(package: &Package) -> MemoKey {
    MemoKey::new(F::MEMO, &[package.sha256.as_bytes()])
}

fn open_local(package: &Package, url: &str) -> Result<File, BaseError> {
    let failed = |source| BaseError::Local {
        package: package.name.clone(),
        source,
    };
    let path = local_root(url).unwrap_or_default().replace("%25", "%");
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = Hasher::new();
    io::copy(
        &mut std::io::Read::by_ref(&mut file).take(package.size),
        &mut hasher,
    )
    .map_err(failed)?;
    if hasher.finish() != package.sha256 {
        return Err(BaseError::Hash {
            package: package.name.clone(),
        });
    }
    file.rewind().map_err(failed)?;
    Ok(file)
}
