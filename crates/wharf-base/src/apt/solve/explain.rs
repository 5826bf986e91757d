//! Why a set of packages cannot be: the solver's conflict in words.

use resolvo::{Solver, conflict::Conflict};

use super::provider::Provider;

/// A few indented lines, from what was asked for down to what stands in its way.
pub(super) fn explain(conflict: &Conflict, solver: &Solver<Provider<'_>>) -> String {
    conflict
        .display_user_friendly(solver)
        .to_string()
        .trim_end()
        .to_owned()
}
