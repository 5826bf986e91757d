//! `registries.conf` in action: mirrors first, what they lack elsewhere, blocked and insecure registries.

use wharf_oci::{Platform, Reference};
use wharf_registry::{Error, Registry, SettingsFiles};
use wharf_testkit::{
    Scratch,
    certificates::Authority,
    fake_http::{Answer, FakeServer, Fault},
};

use crate::{
    fake::{FakeRegistry, answer},
    image::Sample,
    options, reference,
};

fn amd64() -> Platform {
    "linux/amd64".parse().unwrap()
}

fn with_conf(conf: &str) -> Registry {
    let scratch = Scratch::new();
    let files = SettingsFiles {
        registries_conf: vec![scratch.write("registries.conf", conf)],
        ..SettingsFiles::default()
    };
    Registry::new(options(&files))
}

fn mirrored(mirrors: &[&str], location: &str) -> Registry {
    let mut conf = format!("[[registry]]\nprefix = \"r.example.test\"\nlocation = \"{location}\"\n");
    for mirror in mirrors {
        conf += "[[registry.mirror]]\nlocation = \"";
        conf += mirror;
        conf += "/cache\"\n";
    }
    with_conf(&conf)
}

fn honest() -> FakeRegistry {
    FakeRegistry::start(&["linux/amd64"], |_, _| None)
}

fn image() -> Reference {
    "r.example.test/app".parse().unwrap()
}

#[tokio::test]
async fn a_mirror_is_asked_first_by_its_own_name() {
    let (mirror, own) = (honest(), honest());
    let registry = mirrored(&[&mirror.authority()], &own.authority());
    registry.pull(&image(), &amd64()).await.unwrap();
    assert!(mirror.count("/v2/cache/app/") >= 3);
    assert_eq!(own.server.lines(), [] as [&str; 0]);
}

#[tokio::test]
async fn what_mirrors_lack_or_spoil_is_had_elsewhere() {
    let empty = FakeRegistry::start(&["linux/amd64"], |asked, _| {
        (asked.target != "/v2/").then(|| Answer::status(404))
    });
    let broken = FakeRegistry::start(&["linux/amd64"], |_, _| Some(Answer::status(500)));
    let own = honest();
    let registry = mirrored(
        &["127.0.0.1:1", &empty.authority(), &broken.authority()],
        &own.authority(),
    );
    registry.pull(&image(), &amd64()).await.unwrap();
    assert_eq!(own.count("GET /v2/app/manifests/"), 2);
}

#[tokio::test]
async fn the_own_registrys_answer_counts_when_all_fail() {
    let mirror = FakeRegistry::start(&["linux/amd64"], |_, _| Some(Answer::status(500)));
    let own = FakeRegistry::start(&["linux/amd64"], |asked, _| {
        (asked.target != "/v2/").then(|| Answer::status(404))
    });
    let registry = mirrored(&[&mirror.authority()], &own.authority());
    let error = registry.resolve(&image()).await.unwrap_err();
    assert_eq!(error.to_string(), "r.example.test/app: not found");
}

#[tokio::test]
async fn a_blob_that_breaks_at_a_mirror_goes_on_at_the_next_place() {
    let mirror = FakeRegistry::start(&["linux/amd64"], |asked, sample| {
        let answer = Answer::ranged(asked, sample.bytes(&sample.layer().digest));
        asked
            .target
            .contains("/blobs/")
            .then(|| match asked.range_start() {
                None => answer.fault(Fault::CutAfter(900)),
                Some(_) => Answer::status(500),
            })
    });
    let own = honest();
    let registry = mirrored(&[&mirror.authority()], &own.authority());
    let layer = own.sample.layer();
    let mut bytes = Vec::new();
    registry
        .blob(&image(), layer)
        .await
        .unwrap()
        .copy_to(&mut bytes)
        .await
        .unwrap();
    assert_eq!(bytes, own.sample.bytes(&layer.digest));
    assert_eq!(own.server.asked().last().unwrap().range_start(), Some(900));
}

#[tokio::test]
async fn a_dead_mirror_is_passed_over_for_a_while() {
    let own = honest();
    let registry = mirrored(&["127.0.0.1:1"], &own.authority());
    registry.resolve(&image()).await.unwrap();
    let begin = std::time::Instant::now();
    for _ in 0..10 {
        registry.resolve(&image()).await.unwrap();
    }
    assert!(begin.elapsed().as_secs() < 2);
}

#[tokio::test]
async fn blocked_registries_are_not_asked() {
    let registry = with_conf("[[registry]]\nprefix = \"r.example.test\"\nblocked = true\n");
    let error = registry.resolve(&image()).await.unwrap_err();
    assert!(matches!(error, Error::Blocked { .. }));
    assert_eq!(
        error.to_string(),
        "r.example.test/app: the registry settings block `r.example.test`"
    );
}

#[tokio::test]
async fn insecure_is_any_certificate_or_none() {
    let certified = Authority::new().server(&["elsewhere.example.test"]);
    let sample = Sample::new(wharf_oci::Family::Oci, &["linux/amd64"]);
    let secure = FakeServer::start_tls(&certified, move |asked| answer(asked, &sample));
    let plain = honest();
    for authority in [secure.authority(), plain.authority()] {
        let conf = format!("[[registry]]\nlocation = \"{authority}\"\ninsecure = true\n");
        with_conf(&conf)
            .pull(&reference(&authority, "app"), &amd64())
            .await
            .unwrap();
    }
}
