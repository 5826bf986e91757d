//! Which stages are looked at besides the image when its contents are listed.
//!
//! BuildKit's "SBOM attestations", "Scan stages": an ARG that is true, or a list of stages.

use super::{environment::Variables, stage::StageState};

/// Whether the context is looked at, as the wanted stage says.
pub(super) const CONTEXT: &str = "BUILDKIT_SBOM_SCAN_CONTEXT";
/// Whether the stage is.
pub(super) const STAGE: &str = "BUILDKIT_SBOM_SCAN_STAGE";

/// What the stage's own ARG says, or else the one before the first FROM.
pub(super) fn is_wanted(name: &str, stage: &str, state: &StageState, globals: &Variables) -> bool {
    let own = state.args.iter().find(|(known, _)| known == name);
    let value = own.map(|(_, value)| value.as_str()).or_else(|| globals.get(name));
    value.is_some_and(|value| names(value, stage))
}

/// Go's `strconv.ParseBool`, or else names of stages.
fn names(value: &str, stage: &str) -> bool {
    match value {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => true,
        "0" | "f" | "F" | "FALSE" | "false" | "False" => false,
        list => list.split(',').any(|name| name == stage),
    }
}
