//! What the machine is found to offer.

use wharf_sandbox::{
    Identity,
    host::{Feature, Rung, probe},
};

use crate::{Case, rig::Rig};

pub(crate) const CASES: &[Case] = &[("a_report", a_report)];

fn a_report(rig: &Rig) {
    let before = std::fs::read_dir(rig.scratch.path()).unwrap().count();
    let report = probe(&rig.sandbox, rig.scratch.path()).unwrap();
    for feature in [
        Feature::UserNamespace,
        Feature::Namespaces,
        Feature::Procfs,
        Feature::Overlay,
        Feature::Seccomp,
    ] {
        assert!(report.works(feature), "{:?}", report.finding(feature));
    }
    let ids = !matches!(rig.sandbox.identity(), Identity::OneId(_));
    assert_eq!(report.works(Feature::SubordinateIds), ids);
    let expected = if report.works(Feature::Fuse) {
        Rung::Fuse
    } else {
        Rung::Overlay
    };
    assert_eq!(report.rung, Some(expected));
    assert!(
        report
            .findings
            .iter()
            .all(|finding| finding.works == finding.remedy.is_none()),
        "{report:?}"
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["findings"][0]["feature"], "user-namespace");
    assert_eq!(
        std::fs::read_dir(rig.scratch.path()).unwrap().count(),
        before,
        "a trial leaves nothing"
    );
}
