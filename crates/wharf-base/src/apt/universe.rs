//! All package versions that a base could be made of, from all its archives.

use std::cmp::Reverse;

use super::{
    index::{Index, IndexEntry},
    relation::{Relation, members},
    release::Automatic,
    version::Version,
};

/// One archive's index and what its Release file says about it.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// The packages.
    pub index: &'a Index,
    /// The archive's position among the base's.
    pub archive: usize,
    /// Whether packages are taken from here without being asked for by suite.
    pub automatic: Automatic,
    /// Whether the variant's packages are chosen here: the archive of the base's own suite, not of its updates.
    pub primary: bool,
}

/// A package version, by its position in a [`Universe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageId(pub u32);

/// What is known of a package version.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its fields.
    pub entry: IndexEntry<'a>,
    /// Its archive's position.
    pub archive: usize,
    /// Whether it counts for variants.
    pub primary: bool,
    automatic: Automatic,
}

/// All package versions, found by name and by what they provide.
#[derive(Debug)]
pub struct Universe<'a> {
    candidates: Vec<Candidate<'a>>,
    /// Sorted by name, then by preference: the version that apt would call the candidate first.
    by_name: Vec<PackageId>,
    /// Name, provider, version that is provided; sorted by name, then in the order of the indexes.
    provided: Vec<(&'a str, PackageId, Option<&'a str>)>,
    architectures: Vec<String>,
}

impl<'a> Universe<'a> {
    /// Takes in all offers. `architectures`: the base's own first; packages of others are left out.
    pub fn new(offers: &[Offer<'a>], architectures: &[String]) -> Self {
        let known = |entry: &IndexEntry<'_>| {
            let architecture = entry.architecture();
            architecture == "all" || architectures.iter().any(|one| one == architecture)
        };
        let mut candidates = Vec::with_capacity(offers.iter().map(|offer| offer.index.len()).sum());
        for offer in offers {
            let entries = (0..offer.index.len())
                .map(|position| offer.index.get(position))
                .filter(known);
            candidates.extend(entries.map(|entry| Candidate {
                entry,
                archive: offer.archive,
                primary: offer.primary,
                automatic: offer.automatic,
            }));
        }
        let by_name = sorted_by_name(&candidates);
        let provided = sorted_by_provided(&candidates);
        Self {
            candidates,
            by_name,
            provided,
            architectures: architectures.to_vec(),
        }
    }

    /// The package version at a position.
    pub fn get(&self, id: PackageId) -> Candidate<'a> {
        self.candidates[id.0 as usize]
    }

    /// How many package versions there are.
    pub fn len(&self) -> usize {
        self.candidates.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// All package versions.
    pub fn ids(&self) -> impl Iterator<Item = PackageId> + use<> {
        (0..self.candidates.len() as u32).map(PackageId)
    }

    /// The versions of a real package, of all architectures, the preferred first.
    pub fn versions(&self, name: &str) -> &[PackageId] {
        let start = self
            .by_name
            .partition_point(|id| self.get(*id).entry.name() < name);
        let length = self.by_name[start..].partition_point(|id| self.get(*id).entry.name() == name);
        &self.by_name[start..start + length]
    }

    /// Who provides a name, and in which version.
    pub fn providers(&self, name: &str) -> &[(&'a str, PackageId, Option<&'a str>)] {
        let start = self.provided.partition_point(|(provided, ..)| *provided < name);
        let length = self.provided[start..].partition_point(|(provided, ..)| *provided == name);
        &self.provided[start..start + length]
    }

    /// The base's own architecture.
    pub fn native(&self) -> &str {
        self.architectures.first().map_or("", String::as_str)
    }

    /// The architecture for which a package version is installed: its own, or the native one for `all`.
    pub fn architecture(&self, id: PackageId) -> &str {
        match self.get(id).entry.architecture() {
            "all" => self.native(),
            own => own,
        }
    }

    /// All architectures, the base's own first.
    pub fn architectures(&self) -> &[String] {
        &self.architectures
    }

    /// Whether any real package has this name.
    pub fn has(&self, name: &str) -> bool {
        !self.versions(name).is_empty()
    }

    /// Whether a relation is met by a package version, by its own name or by one that it provides.
    pub fn meets(&self, id: PackageId, relation: &Relation<'_>) -> bool {
        let entry = self.get(id).entry;
        (entry.name() == relation.name && relation.accepts(entry.version()))
            || provides(entry)
                .any(|(name, version)| name == relation.name && relation.accepts_provided(version))
    }
}

/// apt's preference: by the archive's priority, then the newest; of equal ones the earlier archive.
fn preference<'a>(candidate: &Candidate<'a>) -> (Reverse<Automatic>, Reverse<Version<'a>>, usize) {
    (
        Reverse(candidate.automatic),
        Reverse(Version(candidate.entry.version())),
        candidate.archive,
    )
}

fn sorted_by_name(candidates: &[Candidate<'_>]) -> Vec<PackageId> {
    let get = |id: &PackageId| &candidates[id.0 as usize];
    let mut ids: Vec<_> = (0..candidates.len() as u32).map(PackageId).collect();
    ids.sort_by(|left, right| {
        let (left, right) = (get(left), get(right));
        let names = left.entry.name().cmp(right.entry.name());
        names.then_with(|| preference(left).cmp(&preference(right)))
    });
    ids
}

fn sorted_by_provided<'a>(candidates: &[Candidate<'a>]) -> Vec<(&'a str, PackageId, Option<&'a str>)> {
    let mut provided = Vec::new();
    for (position, candidate) in candidates.iter().enumerate() {
        let id = PackageId(position as u32);
        provided.extend(provides(candidate.entry).map(|(name, version)| (name, id, version)));
    }
    provided.sort_by_key(|(name, id, _)| (*name, *id));
    provided
}

fn provides(entry: IndexEntry<'_>) -> impl Iterator<Item = (&str, Option<&str>)> {
    members(entry.provides()).map(|relation| (relation.name, relation.versions.map(|(_, version)| version)))
}
