//! Bases that are made here: small ones over a helper, shared packages, locks.

use wharf_base::{BaseSettings, LockFile, Phase};
use wharf_oci::Platform;
use wharf_tree::FollowLast;

use crate::setup::{Setup, lacks};

const CERTIFICATES: &str = "apt = 'host'\nvariant = 'custom'\npackages = ['ca-certificates']";

#[test]
fn a_base_without_a_shell_is_configured_over_a_helper() {
    if let Some(reason) = lacks() {
        return wharf_testkit::skip(reason);
    }
    let setup = Setup::new();
    let resolution = setup.resolve(CERTIFICATES).unwrap();
    assert!(resolution.helper.is_some());
    let base = setup.make(&resolution);
    let tree = setup.tree(&base);
    let has = |path: &str| tree.lookup(path, FollowLast::Yes).is_ok();
    for path in [
        "etc/ssl/certs/ca-certificates.crt",
        "etc/ca-certificates.conf",
        "usr/bin/openssl",
        "var/lib/dpkg/status",
    ] {
        assert!(has(path), "{path} is missing");
    }
    for path in [
        "bin/sh",
        "usr/bin/dpkg",
        "etc/passwd",
        "etc/ld.so.cache",
        "usr/bin/awk",
        "var/lib/dpkg/info/dash.list",
    ] {
        assert!(!has(path), "{path} is the helper's");
    }
    second_time_nothing_happens(&setup);
    a_lock_gives_the_same_base(&setup);
}

fn second_time_nothing_happens(setup: &Setup) {
    setup.seen.take();
    let resolution = setup.resolve(CERTIFICATES).unwrap();
    setup.make(&resolution);
    assert_eq!(
        setup.seen.take(),
        [(Phase::Index, 0)],
        "only the kept index is looked at"
    );
    let more = CERTIFICATES.replace("certificates'", "certificates', 'media-types'");
    setup.make(&setup.resolve(&more).unwrap());
    let begun = setup.seen.take();
    assert!(
        begun.contains(&(Phase::Download, 1)),
        "only the new package is fetched: {begun:?}"
    );
}

fn a_lock_gives_the_same_base(setup: &Setup) {
    let resolution = setup.resolve(CERTIFICATES).unwrap();
    let settings = BaseSettings::try_from(CERTIFICATES.parse::<toml::Table>().unwrap()).unwrap();
    let mut file = LockFile::default();
    file.set("test", &settings, &resolution);
    let file = LockFile::parse(&file.to_text()).unwrap();
    let lock = file.base("test", &resolution.architectures[0]);
    setup.seen.take();
    let locked = setup
        .runtime
        .block_on(setup.bases().resolve("test", &settings, &Platform::host(), lock));
    assert_eq!(locked.unwrap(), resolution);
    assert_eq!(setup.seen.take(), [], "no archive is asked");
}
