//! Choosing packages: what apt would install, found by a SAT solver.
//!
//! Every relation is turned into sets of package versions before the solver sees it, virtual packages included: a name that
//! is only provided becomes the union of its providers. So the solver knows real packages alone, at most one version of
//! each name and architecture, and prefers in a union what stands first: the first alternative, a real package before a
//! provider, the newest version.

mod explain;
mod provider;
mod relations;

use std::collections::{BTreeSet, HashSet};

use resolvo::{Problem, SolvableId, Solver, UnsolvableOrCancelled};

use self::provider::Provider;
use super::universe::{PackageId, Universe};

/// What must be in the solution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// This very version.
    Exactly(PackageId),
    /// A package by name, real or provided, as a user writes it: `name` or `name:architecture`.
    Named(String),
}

/// What may vary.
#[derive(Debug, Clone, Default)]
pub struct SolveOptions {
    /// Whether Recommends are followed where that is possible.
    pub recommends: bool,
    /// Names that are preferred over the alternatives before them.
    pub preferred: HashSet<String>,
}

/// Why there is no solution.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SolveError {
    /// Nothing goes by this name.
    #[error("no archive has a package `{name}`{}", did_you_mean(.suggestion.as_deref()))]
    Unknown {
        /// What was asked for.
        name: String,
        /// A package whose name is near.
        suggestion: Option<String>,
    },
    /// Several packages provide the name, and none is called so.
    #[error("`{name}` is provided by several packages: name one of {}", .providers.join(", "))]
    Virtual {
        /// What was asked for.
        name: String,
        /// Who provides it.
        providers: Vec<String>,
    },
    /// The wanted packages exclude each other or need what no archive has.
    #[error("the packages cannot be installed together\n{0}")]
    Unsolvable(String),
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

/// Chooses a set of packages that holds all of `wants` and whatever they need. The result is sorted by position.
pub fn solve(
    universe: &Universe<'_>,
    wants: &[Want],
    options: &SolveOptions,
) -> Result<BTreeSet<PackageId>, SolveError> {
    let mut recommended: Vec<PackageId> = Vec::new();
    loop {
        let chosen = solve_once(universe, wants, options, &recommended)?;
        let before = recommended.len();
        if options.recommends {
            recommended.extend(relations::recommended(universe, &chosen, &recommended));
        }
        if recommended.len() == before {
            return Ok(chosen);
        }
    }
}

fn solve_once(
    universe: &Universe<'_>,
    wants: &[Want],
    options: &SolveOptions,
    soft: &[PackageId],
) -> Result<BTreeSet<PackageId>, SolveError> {
    let provider = Provider::new(universe, &options.preferred);
    let requirements = wants
        .iter()
        .map(|want| provider.want(want))
        .collect::<Result<Vec<_>, _>>()?;
    let soft = soft.iter().map(|id| SolvableId::from_raw(id.0));
    let problem = Problem::default()
        .requirements(requirements)
        .soft_requirements(soft);
    let mut solver = Solver::new(provider);
    match solver.solve(problem) {
        Ok(chosen) => Ok(chosen.into_iter().map(|id| PackageId(id.into_raw())).collect()),
        Err(UnsolvableOrCancelled::Unsolvable(conflict)) => {
            Err(SolveError::Unsolvable(explain::explain(&conflict, &solver)))
        }
        Err(UnsolvableOrCancelled::Cancelled(_)) => unreachable!("the provider never cancels"),
    }
}
