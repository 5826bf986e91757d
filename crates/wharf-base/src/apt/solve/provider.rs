//! What the solver asks, answered from a [`Universe`].

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap, HashSet},
    fmt::Display,
};

use resolvo::{
    Candidates, Condition, ConditionId, ConditionalRequirement, Dependencies, DependencyProvider, Interner,
    KnownDependencies, NameId, Requirement, SolvableId, SolverCache, StringId, VersionSetId,
    VersionSetUnionId,
};

use super::{
    SolveError, Want,
    relations::{Versions, excluded, targets},
};
use crate::{
    apt::{
        relation::{Relation, groups},
        universe::{PackageId, Universe},
    },
    suggest::nearest,
};

/// Versions of one name that a relation means.
struct VersionSet {
    name: NameId,
    members: HashSet<SolvableId>,
    /// The relation without the name, for messages.
    text: String,
}

/// The solver's view of a universe. Sets and names are made when they are first needed.
pub(super) struct Provider<'u> {
    universe: &'u Universe<'u>,
    preferred: &'u HashSet<String>,
    sets: RefCell<Vec<VersionSet>>,
    unions: RefCell<Vec<Vec<VersionSetId>>>,
    names: RefCell<Names>,
}

/// Name and architecture ↔ the solver's name.
#[derive(Default)]
struct Names {
    all: Vec<(String, String)>,
    ids: HashMap<(String, String), NameId>,
}

impl<'u> Provider<'u> {
    pub(super) fn new(universe: &'u Universe<'u>, preferred: &'u HashSet<String>) -> Self {
        Self {
            universe,
            preferred,
            sets: RefCell::default(),
            unions: RefCell::default(),
            names: RefCell::default(),
        }
    }

    /// A want as a requirement of the whole problem.
    pub(super) fn want(&self, want: &Want) -> Result<ConditionalRequirement, SolveError> {
        let versions = match want {
            Want::Exactly(id) => vec![*id],
            Want::Named(name) => self.named(name)?,
        };
        let text = match want {
            Want::Exactly(id) => format!("(= {})", self.universe.get(*id).entry.version()),
            Want::Named(_) => String::new(),
        };
        Ok(Requirement::Single(self.set(versions, text)).into())
    }

    fn named(&self, name: &str) -> Result<Versions, SolveError> {
        let relation = Relation::parse(name).filter(|relation| relation.versions.is_none());
        let found = relation.map_or_else(Vec::new, |relation| targets(self.universe, None, &relation));
        let is_real = self.universe.has(name.split(':').next().unwrap_or_default());
        match found.as_slice() {
            [] => Err(SolveError::Unknown {
                name: name.to_owned(),
                suggestion: self.suggestion(name),
            }),
            [only] => Ok(only.clone()),
            [first, ..] if is_real => Ok(first.clone()),
            several => Err(SolveError::Virtual {
                name: name.to_owned(),
                providers: several
                    .iter()
                    .map(|one| self.universe.get(one[0]).entry.name().to_owned())
                    .collect(),
            }),
        }
    }

    fn suggestion(&self, name: &str) -> Option<String> {
        let names = self.universe.ids().map(|id| self.universe.get(id).entry.name());
        nearest(name, names).map(str::to_owned)
    }

    /// A set of versions, all of one name and architecture, at least one.
    fn set(&self, versions: Versions, text: String) -> VersionSetId {
        let name = self.name_of(versions[0]);
        let members = versions
            .into_iter()
            .map(|id| SolvableId::from_raw(id.0))
            .collect();
        self.push_set(VersionSet { name, members, text })
    }

    fn push_set(&self, set: VersionSet) -> VersionSetId {
        let mut sets = self.sets.borrow_mut();
        sets.push(set);
        VersionSetId(sets.len() as u32 - 1)
    }

    fn name_of(&self, id: PackageId) -> NameId {
        self.name(self.universe.get(id).entry.name(), self.universe.architecture(id))
    }

    fn name(&self, name: &str, architecture: &str) -> NameId {
        let mut names = self.names.borrow_mut();
        let key = (name.to_owned(), architecture.to_owned());
        if let Some(id) = names.ids.get(&key) {
            return *id;
        }
        let id = NameId::from_raw(names.all.len() as u32);
        names.all.push(key.clone());
        names.ids.insert(key, id);
        id
    }

    /// One member of Depends: the union of what its alternatives mean.
    fn requirement<'r>(&self, from: PackageId, group: impl Iterator<Item = Relation<'r>>) -> Requirement {
        let mut alternatives: Vec<Relation<'_>> = group.collect();
        alternatives.sort_by_key(|relation| !self.preferred.contains(relation.name));
        let mut sets = Vec::new();
        for relation in &alternatives {
            let text = relation.to_string();
            let text = text
                .strip_prefix(relation.name)
                .unwrap_or_default()
                .trim()
                .to_owned();
            let targets = targets(self.universe, Some(from), relation);
            sets.extend(
                targets
                    .into_iter()
                    .map(|versions| self.set(versions, text.clone())),
            );
        }
        match sets.as_slice() {
            [] => self.nothing(from, alternatives.first()),
            [only] => Requirement::Single(*only),
            _ => {
                let mut unions = self.unions.borrow_mut();
                unions.push(sets);
                Requirement::Union(VersionSetUnionId(unions.len() as u32 - 1))
            }
        }
    }

    /// A requirement that nothing meets, under the name that was asked for.
    fn nothing(&self, from: PackageId, relation: Option<&Relation<'_>>) -> Requirement {
        let (name, text) = match relation {
            Some(relation) => (relation.name, relation.to_string()),
            None => ("", String::new()),
        };
        let text = text.strip_prefix(name).unwrap_or_default().trim().to_owned();
        let name = self.name(name, self.universe.architecture(from));
        Requirement::Single(self.push_set(VersionSet {
            name,
            members: HashSet::new(),
            text,
        }))
    }

    /// For each name of which `id` excludes versions: the set of those that are left.
    fn constrains(&self, id: PackageId) -> Vec<VersionSetId> {
        let mut by_name: HashMap<NameId, HashSet<PackageId>> = HashMap::new();
        for other in excluded(self.universe, id) {
            by_name.entry(self.name_of(other)).or_default().insert(other);
        }
        let mut names: Vec<_> = by_name.into_iter().collect();
        names.sort_by_key(|(name, _)| name.into_raw());
        let mut sets = Vec::new();
        for (name, gone) in names {
            let members = self.versions(name).into_iter().filter(|id| !gone.contains(id));
            let members = members.map(|id| SolvableId::from_raw(id.0)).collect();
            let text = "(not excluded by Conflicts or Breaks)".to_owned();
            sets.push(self.push_set(VersionSet { name, members, text }));
        }
        sets
    }

    fn versions(&self, name: NameId) -> Versions {
        let (name, architecture) = self.names.borrow().all[name.into_raw() as usize].clone();
        let versions = self.universe.versions(&name).iter().copied();
        versions
            .filter(|id| self.universe.architecture(*id) == architecture)
            .collect()
    }
}

fn package(id: SolvableId) -> PackageId {
    PackageId(id.into_raw())
}

impl Interner for Provider<'_> {
    type NameId = NameId;
    type SolvableId = SolvableId;

    fn display_solvable(&self, solvable: SolvableId) -> impl Display + '_ {
        let entry = self.universe.get(package(solvable)).entry;
        format!("{} {}", entry.name(), entry.version())
    }

    /// The name once, then the versions.
    fn display_merged_solvables(&self, solvables: &[SolvableId]) -> impl Display + '_ {
        let versions = solvables
            .iter()
            .map(|id| self.universe.get(package(*id)).entry.version());
        let versions: BTreeSet<&str> = versions.collect();
        let versions: Vec<_> = versions.into_iter().collect();
        let name = solvables
            .first()
            .map(|id| self.universe.get(package(*id)).entry.name());
        format!("{} {}", name.unwrap_or_default(), versions.join(" | "))
    }

    fn display_name(&self, name: NameId) -> impl Display + '_ {
        let (name, architecture) = self.names.borrow().all[name.into_raw() as usize].clone();
        if architecture == self.universe.native() {
            name
        } else {
            format!("{name}:{architecture}")
        }
    }

    fn display_version_set(&self, set: VersionSetId) -> impl Display + '_ {
        self.sets.borrow()[set.0 as usize].text.clone()
    }

    fn display_string(&self, _: StringId) -> impl Display + '_ {
        ""
    }

    fn version_set_name(&self, set: VersionSetId) -> NameId {
        self.sets.borrow()[set.0 as usize].name
    }

    fn solvable_name(&self, solvable: SolvableId) -> NameId {
        self.name_of(package(solvable))
    }

    fn version_sets_in_union(&self, union: VersionSetUnionId) -> impl Iterator<Item = VersionSetId> {
        self.unions.borrow()[union.0 as usize].clone().into_iter()
    }

    fn resolve_condition(&self, _: ConditionId) -> Condition {
        unreachable!("Debian's relations have no conditions")
    }
}

impl DependencyProvider for Provider<'_> {
    async fn filter_candidates(
        &self,
        candidates: &[SolvableId],
        set: VersionSetId,
        inverse: bool,
    ) -> Vec<SolvableId> {
        let sets = self.sets.borrow();
        let members = &sets[set.0 as usize].members;
        candidates
            .iter()
            .copied()
            .filter(|id| members.contains(id) != inverse)
            .collect()
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates<SolvableId>> {
        let candidates = self
            .versions(name)
            .into_iter()
            .map(|id| SolvableId::from_raw(id.0))
            .collect();
        Some(Candidates {
            candidates,
            ..Candidates::default()
        })
    }

    async fn sort_candidates(&self, _: &SolverCache<Self>, solvables: &mut [SolvableId]) {
        let Some(first) = solvables.first() else {
            return;
        };
        let order = self.versions(self.name_of(package(*first)));
        solvables.sort_by_key(|id| order.iter().position(|other| *other == package(*id)));
    }

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        let id = package(solvable);
        let entry = self.universe.get(id).entry;
        let needs = groups(entry.pre_depends()).map(|group| self.requirement(id, group).into());
        let more = groups(entry.depends()).map(|group| self.requirement(id, group).into());
        Dependencies::Known(KnownDependencies {
            requirements: needs.chain(more).collect(),
            constrains: self.constrains(id),
        })
    }
}
