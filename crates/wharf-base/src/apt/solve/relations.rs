//! Relations as sets of package versions.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::apt::{
    index::MultiArch,
    relation::{Relation, groups, members},
    universe::{PackageId, Universe},
};

/// Versions of one name and architecture, in order of preference.
pub(super) type Versions = Vec<PackageId>;

/// Everything that meets one relation of `from`: the real package first, then providers, the likelier first; versions of one
/// name and architecture together.
pub(super) fn targets(
    universe: &Universe<'_>,
    from: Option<PackageId>,
    relation: &Relation<'_>,
) -> Vec<Versions> {
    let fits = |id: &PackageId| architecture_fits(universe, from, relation, *id);
    let real = universe.versions(relation.name).iter().copied();
    let real = real.filter(|id| fits(id) && relation.accepts(universe.get(*id).entry.version()));
    let mut providers: Vec<_> = universe
        .providers(relation.name)
        .iter()
        .filter(|(_, id, version)| fits(id) && relation.accepts_provided(*version))
        .map(|(_, id, _)| *id)
        .collect();
    providers.sort_by_key(|id| provider_rank(universe, *id));
    grouped(universe, from, real.chain(providers))
}

/// Which provider apt takes: a package of the native architecture, an essential one, a protected one, one of higher priority;
/// else the one that the archive lists first.
fn provider_rank(universe: &Universe<'_>, id: PackageId) -> impl Ord + use<> {
    let entry = universe.get(id).entry;
    let foreign = universe.architecture(id) != universe.native();
    (
        !entry.is_essential(),
        !entry.is_important(),
        foreign,
        entry.priority(),
        id,
    )
}

/// Versions put together by name and architecture, in the order in which each first appears; the asking package's own
/// architecture first.
fn grouped(
    universe: &Universe<'_>,
    from: Option<PackageId>,
    ids: impl Iterator<Item = PackageId>,
) -> Vec<Versions> {
    let mut order: Vec<(&str, &str)> = Vec::new();
    let mut sets: BTreeMap<(&str, &str), Versions> = BTreeMap::new();
    let ids: Vec<_> = ids.collect();
    for id in &ids {
        let key = (universe.get(*id).entry.name(), universe.architecture(*id));
        let set = sets.entry(key).or_insert_with(|| {
            order.push(key);
            Versions::new()
        });
        set.push(*id);
    }
    let own = from.map_or(universe.native(), |from| universe.architecture(from));
    order.sort_by_key(|(_, architecture)| *architecture != own);
    order.iter().filter_map(|key| sets.remove(key)).collect()
}

/// Multi-Arch: without a qualifier the same architecture, or a package that serves all; `:any` one that allows it.
fn architecture_fits(
    universe: &Universe<'_>,
    from: Option<PackageId>,
    relation: &Relation<'_>,
    id: PackageId,
) -> bool {
    let (own, native) = (universe.architecture(id), universe.native());
    let asking = from.map_or(native, |from| universe.architecture(from));
    let multi_arch = universe.get(id).entry.multi_arch();
    match relation.qualifier {
        None => own == asking || multi_arch == MultiArch::Foreign,
        Some("any") => own == asking || matches!(multi_arch, MultiArch::Allowed | MultiArch::Foreign),
        Some("native") => own == native,
        Some(architecture) => own == architecture,
    }
}

/// Package versions that must not be installed beside `id`: by Conflicts and Breaks, and by Multi-Arch's rules.
pub(super) fn excluded(universe: &Universe<'_>, id: PackageId) -> BTreeSet<PackageId> {
    let entry = universe.get(id).entry;
    let relations = members(entry.conflicts()).chain(members(entry.breaks()));
    let mut excluded: BTreeSet<_> = relations.flat_map(|relation| hit(universe, &relation)).collect();
    if universe.architectures().len() > 1 {
        excluded.extend(siblings(universe, id));
    }
    excluded.retain(|other| !is_same_package(universe, id, *other));
    excluded
}

/// What a Conflicts or Breaks means: of every architecture unless it names one.
fn hit(universe: &Universe<'_>, relation: &Relation<'_>) -> Vec<PackageId> {
    let fits = |id: &PackageId| match relation.qualifier {
        None | Some("any") => true,
        Some("native") => universe.architecture(*id) == universe.native(),
        Some(architecture) => universe.architecture(*id) == architecture,
    };
    let real = universe.versions(relation.name).iter().copied();
    let real = real.filter(|id| relation.accepts(universe.get(*id).entry.version()));
    let providers = universe.providers(relation.name).iter();
    let providers = providers
        .filter(|(.., version)| relation.accepts_provided(*version))
        .map(|(_, id, _)| *id);
    real.chain(providers).filter(fits).collect()
}

/// The same name for another architecture: not at all, or (Multi-Arch: same) not in another version.
fn siblings(universe: &Universe<'_>, id: PackageId) -> impl Iterator<Item = PackageId> {
    let entry = universe.get(id).entry;
    let own = universe.architecture(id);
    universe
        .versions(entry.name())
        .iter()
        .copied()
        .filter(move |other| {
            let sibling = universe.get(*other).entry;
            let together = entry.multi_arch() == MultiArch::Same && entry.version() == sibling.version();
            universe.architecture(*other) != own && !together
        })
}

/// A package may conflict with a name that it provides itself.
fn is_same_package(universe: &Universe<'_>, left: PackageId, right: PackageId) -> bool {
    universe.get(left).entry.name() == universe.get(right).entry.name()
        && universe.architecture(left) == universe.architecture(right)
}

/// For every Recommends of `chosen` that nothing chosen meets: what would meet it first. What was proposed `before` is not
/// proposed again.
pub(super) fn recommended(
    universe: &Universe<'_>,
    chosen: &BTreeSet<PackageId>,
    before: &[PackageId],
) -> Vec<PackageId> {
    let mut proposed: HashSet<_> = before.iter().copied().collect();
    let mut more = Vec::new();
    for id in chosen {
        for group in groups(universe.get(*id).entry.recommends()) {
            let targets: Vec<_> = group
                .flat_map(|one| targets(universe, Some(*id), &one))
                .flatten()
                .collect();
            if let Some(first) = targets.first()
                && !targets.iter().any(|target| chosen.contains(target))
                && proposed.insert(*first)
            {
                more.push(*first);
            }
        }
    }
    more
}
