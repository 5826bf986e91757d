//! From settings to exact packages: archives, their verified indexes, the choice among them.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_store::MemoKey;

use super::{
    acquire::{Acquire, AcquireError, Fetched},
    host::HostApt,
    index::Index,
    origin::Archive,
    release::Release,
    select::{Selection, select},
    solve::SolveError,
    universe::{Offer, PackageId, Universe},
};
use crate::{
    observe::{Observer, Phase, Progress},
    plan::{Package, Reason},
    resolution::{ArchiveState, Resolution},
    settings::{BaseSettings, Variant},
};

/// Why packages could not be chosen.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// An archive could not be read.
    #[error(transparent)]
    Acquire(#[from] AcquireError),
    /// The packages do not fit together.
    #[error(transparent)]
    Solve(#[from] SolveError),
    /// An index gives a package no usable hash.
    #[error("the archive gives no SHA-256 for {0}")]
    NoHash(String),
}

/// A resolution that was worked out before, and until when the archives' word holds.
#[derive(Serialize, Deserialize)]
struct Known {
    resolution: Resolution,
    valid_until: Option<i64>,
}

/// What choosing packages works on.
pub(crate) struct Resolver {
    pub(crate) acquire: Acquire,
    pub(crate) host: Arc<HostApt>,
    pub(crate) observer: Arc<dyn Observer>,
}

/// A base's wishes.
#[derive(Clone, Copy)]
pub(crate) struct Wishes<'a> {
    pub(crate) settings: &'a BaseSettings,
    /// The base's own first.
    pub(crate) architectures: &'a [String],
    /// Where its packages come from.
    pub(crate) archives: &'a [Archive],
}

impl Resolver {
    /// Chooses the packages of a base.
    pub(crate) async fn resolve(&self, wishes: Wishes<'_>) -> Result<Resolution, ResolveError> {
        self.observer.progress(Progress::Started {
            phase: Phase::Index,
            bytes: 0,
            items: 0,
        });
        let fetched = wishes
            .archives
            .iter()
            .map(|archive| self.acquire.release_file(archive));
        let fetched = try_join_all(fetched).await?;
        let key = self.key(wishes, &fetched)?;
        if let Some(known) = self
            .acquire
            .store
            .memo::<Known>(&key)
            .map_err(AcquireError::from)?
            && known.valid_until.is_none_or(|end| end > self.acquire.now)
        {
            self.observer.progress(Progress::Finished(Phase::Index));
            return Ok(with_addresses(known.resolution, wishes.archives));
        }
        let known = self.resolve_fetched(wishes, &fetched).await?;
        self.acquire
            .store
            .set_memo(&key, &known, &[])
            .map_err(AcquireError::from)?;
        Ok(with_addresses(known.resolution, wishes.archives))
    }

    /// Everything that the choice depends on.
    fn key(&self, wishes: Wishes<'_>, fetched: &[Fetched]) -> Result<MemoKey, AcquireError> {
        let settings = serde_json::to_vec(wishes.settings).expect("settings are JSON");
        let mut parts = vec![settings, wishes.architectures.join(" ").into_bytes()];
        for (archive, fetched) in wishes.archives.iter().zip(fetched) {
            parts.push(format!("{:?} {}", archive.entry, archive.primary).into_bytes());
            parts.push(archive.keyring(&self.host)?.fingerprints().join(" ").into_bytes());
            parts.push(fetched.text.as_bytes().to_vec());
        }
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        Ok(MemoKey::new("apt-resolution 1", &parts))
    }

    async fn resolve_fetched(&self, wishes: Wishes<'_>, fetched: &[Fetched]) -> Result<Known, ResolveError> {
        let verified = wishes.archives.iter().zip(fetched);
        let verified = verified.map(|(archive, fetched)| self.acquire.verify(archive, fetched, &self.host));
        let releases: Vec<Release> = verified.collect::<Result<_, _>>()?;
        let indexes = self.indexes(wishes, &releases).await?;
        self.observer.progress(Progress::Finished(Phase::Index));
        self.observer.progress(Progress::Started {
            phase: Phase::Solve,
            bytes: 0,
            items: 0,
        });
        let offers = indexes.iter().map(|(archive, index)| Offer {
            index,
            archive: *archive,
            automatic: releases[*archive].automatic,
            primary: wishes.archives[*archive].primary,
        });
        let universe = Universe::new(&offers.collect::<Vec<_>>(), wishes.architectures);
        let selection = select(&universe, wishes.settings)?;
        let resolution = resolution(wishes, fetched, &universe, &selection)?;
        self.observer.progress(Progress::Finished(Phase::Solve));
        Ok(Known {
            resolution,
            valid_until: releases.iter().filter_map(|release| release.valid_until).min(),
        })
    }

    /// All indexes, each with the position of its archive.
    async fn indexes(
        &self,
        wishes: Wishes<'_>,
        releases: &[Release],
    ) -> Result<Vec<(usize, Index)>, AcquireError> {
        let archives = wishes.archives.iter().zip(releases).enumerate();
        let wanted = archives.flat_map(|(position, (archive, release))| {
            let is_meant = |one: &&String| archive.entry.for_architecture(one).is_some();
            let architectures = wishes.architectures.iter().filter(is_meant);
            architectures.map(move |architecture| (position, archive, release, architecture))
        });
        let fetch = wanted.map(|(position, archive, release, architecture)| async move {
            let indexes = self.acquire.indexes(archive, release, architecture).await?;
            Ok::<_, AcquireError>(
                indexes
                    .into_iter()
                    .map(move |index| (position, index))
                    .collect::<Vec<_>>(),
            )
        });
        Ok(try_join_all(fetch).await?.into_iter().flatten().collect())
    }
}

fn resolution(
    wishes: Wishes<'_>,
    fetched: &[Fetched],
    universe: &Universe<'_>,
    selection: &Selection,
) -> Result<Resolution, ResolveError> {
    let states = wishes
        .archives
        .iter()
        .zip(fetched)
        .map(|(archive, fetched)| ArchiveState {
            suite: archive.entry.suite.clone(),
            components: archive.entry.components.clone(),
            state: fetched.text,
            uri: archive.entry.uri.clone(),
        });
    let helper =
        |ids: &BTreeSet<PackageId>| packages(universe, ids.iter().map(|id| (*id, Reason::Essential)));
    Ok(Resolution {
        architectures: wishes.architectures.to_vec(),
        archives: states.collect(),
        packages: packages(
            universe,
            selection.packages.iter().map(|(id, reason)| (*id, *reason)),
        )?,
        helper: selection.helper.as_ref().map(helper).transpose()?,
        sources: sources_list(wishes.archives),
        marks_dependencies: marks_dependencies(wishes.settings.variant),
    })
}

fn packages(
    universe: &Universe<'_>,
    chosen: impl Iterator<Item = (PackageId, Reason)>,
) -> Result<Vec<Package>, ResolveError> {
    let package = |(id, reason): (PackageId, Reason)| {
        let candidate = universe.get(id);
        let entry = candidate.entry;
        Ok(Package {
            name: entry.name().to_owned(),
            version: entry.version().to_owned(),
            architecture: entry.architecture().to_owned(),
            sha256: entry
                .sha256()
                .ok_or_else(|| ResolveError::NoHash(entry.name().to_owned()))?,
            size: entry.size(),
            path: entry.filename().to_owned(),
            archive: candidate.archive,
            reason,
        })
    };
    let mut packages = chosen.map(package).collect::<Result<Vec<_>, ResolveError>>()?;
    packages.sort();
    Ok(packages)
}

/// As mmdebstrap: what it installs with dpkg alone (custom) is unmarked, what it has apt install is marked.
pub(crate) const fn marks_dependencies(variant: Variant) -> bool {
    !matches!(variant, Variant::Custom)
}

/// The archives as lines of a sources.list, without credentials. Keys are not named: the image has its distribution's own.
pub(crate) fn sources_list(archives: &[Archive]) -> String {
    let line = |archive: &Archive| {
        let mut words = vec!["deb".to_owned()];
        words.push(archive.entry.public_uri());
        words.push(archive.entry.suite.clone());
        words.extend(archive.entry.components.iter().cloned());
        words.join(" ") + "\n"
    };
    archives.iter().map(line).collect()
}

fn with_addresses(mut resolution: Resolution, archives: &[Archive]) -> Resolution {
    for (state, archive) in resolution.archives.iter_mut().zip(archives) {
        state.uri.clone_from(&archive.entry.uri);
    }
    resolution
}
