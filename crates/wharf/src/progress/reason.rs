//! In a few words: why a step ran, and why another did not.

use wharf_graph::event::{Change, ChangeKind, Reuse, RunReason};

/// One word for why a step did not run.
pub(crate) fn cached(reason: &Reuse) -> String {
    match reason {
        Reuse::Exact => "CACHED".to_owned(),
        Reuse::Traced => "CACHED (what it read is unchanged)".to_owned(),
        Reuse::SameAs { step } => format!("CACHED (same as #{})", step.0),
        Reuse::Waited { pid } => format!("CACHED (by process {pid})"),
    }
}

/// Why a step runs again; nothing for one that is new, and where the user asked for it.
pub(crate) fn because(reason: &RunReason) -> Option<String> {
    Some(match reason {
        RunReason::New | RunReason::Asked | RunReason::NeverKept => return None,
        RunReason::Changed { what, changes, count } => {
            let first = changes.first().map_or_else(|| format!("{what} changed"), changed);
            match count {
                0 | 1 => format!("because {first}"),
                more => format!("because {first}, and {} more", more - 1),
            }
        }
        RunReason::Unseen => "because what it works on changed".to_owned(),
        RunReason::Times { path } => format!("because {path} has another time"),
        RunReason::Forgotten => "because its result is no longer in the store".to_owned(),
        RunReason::Verify => "to be compared with the result that is reused".to_owned(),
    })
}

/// `/src/main.c changed`.
pub(crate) fn changed(change: &Change) -> String {
    let path = &change.path;
    match &change.what {
        ChangeKind::Appeared => format!("{path} is new"),
        ChangeKind::Disappeared => format!("{path} is gone"),
        ChangeKind::Type => format!("{path} is of another type"),
        ChangeKind::Attributes => format!("{path} has another mode or owner"),
        ChangeKind::Xattrs => format!("{path} has other extended attributes"),
        ChangeKind::Stat => format!("{path} has another size"),
        ChangeKind::Target => format!("{path} leads elsewhere"),
        ChangeKind::Listing { added, removed } => match (added.first(), removed.first()) {
            (Some(name), _) => format!("{path} has {name} in it now"),
            (None, Some(name)) => format!("{path} has {name} no longer in it"),
            (None, None) => format!("{path} lists other types"),
        },
        ChangeKind::Content => format!("{path} changed"),
    }
}
