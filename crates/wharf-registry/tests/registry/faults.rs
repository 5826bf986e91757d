//! Registries that lie, limit, break and overdo it.

use wharf_oci::{Digest, DocumentError, Family, MediaType, Platform};
use wharf_registry::{Error, Registry, SettingsFiles};
use wharf_testkit::{
    certificates::Authority,
    fake_http::{Answer, Asked, Fault},
};

use crate::{
    fake::{FakeRegistry, document, error},
    image::Sample,
    options, reference, registry,
};

fn amd64() -> Platform {
    "linux/amd64".parse().unwrap()
}

/// A registry that answers `answer` to every GET of a manifest.
fn manifests(answer: Answer) -> FakeRegistry {
    FakeRegistry::start(&["linux/amd64"], move |asked, _| {
        asked.target.contains("/manifests/").then(|| answer.clone())
    })
}

async fn pull_error(fake: &FakeRegistry) -> Error {
    registry()
        .pull(&reference(&fake.authority(), "app"), &amd64())
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_registry_that_recovers() {
    for (status, header) in [(503, ""), (429, "0"), (500, "")] {
        let fake = FakeRegistry::start(&["linux/amd64"], move |asked, _| {
            let first = asked.number % 2 == 0;
            first.then(|| Answer::status(status).header("Retry-After", header))
        });
        let image = reference(&fake.authority(), "app");
        registry().pull(&image, &amd64()).await.unwrap();
    }
}

#[tokio::test]
async fn a_rate_limit_is_told_with_its_reason() {
    let limit =
        error(429, "TOOMANYREQUESTS", "You have reached your pull rate limit").header("Retry-After", "600");
    let error = pull_error(&manifests(limit)).await;
    let Error::RateLimited {
        message, retry_after, ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!(message, "You have reached your pull rate limit");
    assert_eq!(retry_after.unwrap().as_secs(), 600);
}

#[tokio::test]
async fn errors_are_told_apart() {
    let denied = pull_error(&manifests(error(403, "DENIED", "requested access is denied"))).await;
    assert!(
        denied
            .to_string()
            .ends_with("/app: not authorised: requested access is denied"),
        "{denied}"
    );
    let refused = pull_error(&manifests(error(400, "UNSUPPORTED", "not here"))).await;
    assert!(matches!(refused, Error::Refused { status, .. } if status == 400));
    let nobody = registry()
        .resolve(&reference("127.0.0.1:1", "app"))
        .await
        .unwrap_err();
    assert!(matches!(nobody, Error::Unreachable { .. }), "{nobody:?}");
    let mut trusting = options(&SettingsFiles::default());
    trusting.http.trust.extra_pem = vec![Authority::new().certificate().into_bytes()];
    let image = reference("registry.invalid", "app");
    let unknown = Registry::new(trusting).resolve(&image).await.unwrap_err();
    let Error::Unreachable { source, .. } = unknown else {
        panic!("{unknown:?}")
    };
    assert!(
        matches!(*source, wharf_http::Error::UnknownHost { .. }),
        "{source:?}"
    );
    let without_cas = registry().resolve(&image).await.unwrap_err();
    assert!(
        matches!(without_cas, Error::Unreachable { .. }),
        "{without_cas:?}"
    );
}

#[tokio::test]
async fn documents_that_are_no_images() {
    let schema1 = document(
        b"{\"schemaVersion\":1}",
        &MediaType::new("application/vnd.docker.distribution.manifest.v1+json"),
    );
    let error = pull_error(&manifests(schema1)).await;
    assert!(
        matches!(
            error,
            Error::Document {
                source: DocumentError::Schema1,
                ..
            }
        ),
        "{error:?}"
    );

    let html = Answer::ok("<html>log in</html>").header("Content-Type", "text/html");
    let error = pull_error(&manifests(html)).await;
    assert!(
        matches!(
            error,
            Error::Document {
                source: DocumentError::Json(_),
                ..
            }
        ),
        "{error:?}"
    );

    let chart = br#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0},"layers":[]}"#;
    let error = pull_error(&manifests(document(chart, &MediaType::manifest(Family::Oci)))).await;
    assert!(
        error
            .to_string()
            .ends_with("not an image but `application/vnd.cncf.helm.config.v1+json`"),
        "{error}"
    );
}

#[tokio::test]
async fn huge_manifests_are_not_read() {
    let huge = document(&vec![b' '; 5 << 20], &MediaType::manifest(Family::Oci));
    for answer in [huge.clone(), huge.fault(Fault::Unsized)] {
        let error = pull_error(&manifests(answer)).await;
        let Error::Transfer { source, .. } = error else {
            panic!("{error:?}")
        };
        assert!(
            matches!(*source, wharf_http::Error::TooLarge { .. }),
            "{source:?}"
        );
    }
}

#[tokio::test]
async fn wrong_digests_of_manifests_and_blobs() {
    let lying = Answer::ok("{}").header("Docker-Content-Digest", &Digest::of(b"other").to_string());
    let error = pull_error(&manifests(lying)).await;
    assert!(matches!(error, Error::Transfer { .. }), "{error:?}");

    let fake = FakeRegistry::start(&["linux/amd64"], |asked, sample| {
        asked
            .target
            .contains("/blobs/")
            .then(|| Answer::ok(vec![0; sample.layer().size as usize]))
    });
    let image = reference(&fake.authority(), "app");
    let download = registry().blob(&image, fake.sample.layer()).await.unwrap();
    let error = download.copy_to(&mut Vec::new()).await.unwrap_err();
    let Error::Transfer { source, .. } = error else {
        panic!("{error:?}")
    };
    assert!(matches!(*source, wharf_http::Error::DigestMismatch { .. }));
}

#[tokio::test]
async fn heads_that_do_not_suffice_are_followed_by_a_get() {
    type Spoil = fn(&Asked, &Sample) -> Option<Answer>;
    let spoils: [Spoil; 3] = [
        |asked, _| (asked.method == "HEAD").then(|| Answer::status(405)),
        |asked, sample| (asked.method == "HEAD").then(|| Answer::ok(sample.index.clone())),
        |asked, sample| {
            let html = Answer::ok(sample.index.clone())
                .header("Content-Type", "text/html")
                .header("Docker-Content-Digest", &Digest::of(&sample.index).to_string());
            (asked.method == "HEAD").then_some(html)
        },
    ];
    for spoil in spoils {
        let fake = FakeRegistry::start(&["linux/amd64"], spoil);
        let resolved = registry()
            .resolve(&reference(&fake.authority(), "app"))
            .await
            .unwrap();
        assert_eq!(resolved.digest, Digest::of(&fake.sample.index));
        assert_eq!(fake.count("GET /v2/app/manifests/latest"), 1);
    }
}

#[tokio::test]
async fn blobs_break_off_and_go_on() {
    let fake = FakeRegistry::start(&["linux/amd64"], |asked, sample| {
        let first = asked.target.contains("/blobs/") && asked.range_start().is_none();
        first.then(|| Answer::ok(sample.bytes(&sample.layer().digest)).fault(Fault::CutAfter(700)))
    });
    let image = reference(&fake.authority(), "app");
    let mut bytes = Vec::new();
    let layer = fake.sample.layer();
    registry()
        .blob(&image, layer)
        .await
        .unwrap()
        .copy_to(&mut bytes)
        .await
        .unwrap();
    assert_eq!(bytes, fake.sample.bytes(&layer.digest));
    assert_eq!(fake.server.asked().last().unwrap().range_start(), Some(700));
}

#[tokio::test]
async fn redirects_in_circles_end() {
    let fake = FakeRegistry::start(&["linux/amd64"], |asked, _| {
        let location = asked.target.clone();
        asked
            .target
            .contains("/blobs/")
            .then(|| Answer::status(307).header("Location", &location))
    });
    let image = reference(&fake.authority(), "app");
    let error = registry().blob(&image, fake.sample.layer()).await.unwrap_err();
    let Error::Transfer { source, .. } = error else {
        panic!("{error:?}")
    };
    assert!(matches!(*source, wharf_http::Error::RedirectLoop { .. }));
}

#[tokio::test]
async fn tags_page_by_page() {
    let fake = FakeRegistry::start(&["linux/amd64"], |asked, _| match asked.target.as_str() {
        "/v2/app/tags/list?n=1000" => Some(
            Answer::ok(r#"{"name":"app","tags":["a","b"]}"#)
                .header("Link", "</v2/app/tags/list?n=1000&last=b>; rel=\"next\""),
        ),
        "/v2/app/tags/list?n=1000&last=b" => Some(Answer::ok(r#"{"name":"app","tags":["c"]}"#)),
        "/v2/none/tags/list?n=1000" => Some(Answer::ok(r#"{"name":"none","tags":null}"#)),
        _ => None,
    });
    let tags = async |name: &str| {
        registry()
            .tags(&reference(&fake.authority(), name))
            .await
            .unwrap()
    };
    assert_eq!(tags("app").await, ["a", "b", "c"]);
    assert!(tags("none").await.is_empty());
}
