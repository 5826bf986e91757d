//! Debian's `docker-registry`: push, pull, mount, tags; accounts; TLS.

use std::process::Command;

use wharf_oci::{Document, Family, Kind, Platform};
use wharf_registry::{Error, Options, Pushed, Registry, SettingsFiles};
use wharf_testkit::{
    Scratch,
    certificates::Authority,
    docker_registry::{ACCOUNT, DockerRegistry, Setup},
    skip,
};

use crate::{
    image::{Sample, body},
    options, reference, registry,
};

fn amd64() -> Platform {
    "linux/amd64".parse().unwrap()
}

#[tokio::test]
async fn an_image_goes_in_and_comes_out_the_same() {
    let Some(server) = DockerRegistry::start(&Setup::default()) else {
        return;
    };
    for family in [Family::Oci, Family::Docker] {
        let sample = Sample::new(family, &["linux/arm64", "linux/amd64"]);
        let to = reference(&server.authority(), &format!("team/{family:?}:1").to_lowercase());
        let registry = registry();
        assert!(
            sample
                .push(&registry, &to)
                .await
                .unwrap()
                .contains(&Pushed::Uploaded)
        );

        let resolved = registry.resolve(&to).await.unwrap();
        assert_eq!(
            (resolved.media_type.kind(), resolved.size),
            (Kind::Index, sample.index.len() as u64)
        );
        let pulled = registry.pull(&to, &amd64()).await.unwrap();
        assert_eq!(pulled.top.descriptor, resolved);
        assert_eq!(pulled.top.bytes, sample.index);
        assert_eq!(pulled.manifest_document.bytes, sample.manifests[1]);
        assert_eq!(pulled.config.architecture, "amd64");
        let layer = &pulled.manifest.layers[0];
        // On a task of its own, as builds do it: the futures can be sent.
        let (task, wanted) = ((registry.clone(), to.clone()), layer.clone());
        let download = tokio::spawn(async move {
            let mut bytes = Vec::new();
            let download = task.0.blob(&task.1, &wanted).await.unwrap();
            (download.copy_to(&mut bytes).await.unwrap().digest, bytes)
        });
        let (digest, bytes) = download.await.unwrap();
        assert_eq!(digest, layer.digest);
        assert_eq!(bytes, sample.bytes(&layer.digest));

        let part = registry.blob_part(&to, layer.digest, 100..107).await.unwrap();
        let mut bytes = Vec::new();
        part.copy_to(&mut bytes).await.unwrap();
        assert_eq!(bytes, b"0000644");
    }
}

#[tokio::test]
async fn only_missing_blobs_are_sent_and_neighbours_are_mounted() {
    let Some(server) = DockerRegistry::start(&Setup::default()) else {
        return;
    };
    let sample = Sample::new(Family::Oci, &["linux/amd64"]);
    let (first, second) = (
        reference(&server.authority(), "one:1"),
        reference(&server.authority(), "two:1"),
    );
    let registry = registry();
    sample.push(&registry, &first).await.unwrap();
    assert_eq!(
        sample.push(&registry, &first).await.unwrap(),
        [Pushed::Existed; 2]
    );

    let layer = sample.layer();
    let nothing = body(b"");
    let elsewhere = reference("example.test", "app:1");
    let unknown = reference(&server.authority(), "three:1");
    let from = [elsewhere, unknown, first];
    let how = registry.push_blob(&second, layer, &nothing, &from).await.unwrap();
    assert_eq!(how, Pushed::Mounted);
    assert!(registry.has_blob(&second, &layer.digest).await.unwrap());
}

#[tokio::test]
async fn large_blobs_in_one_piece_and_in_chunks() {
    let Some(server) = DockerRegistry::start(&Setup::default()) else {
        return;
    };
    let content: Vec<u8> = (0..3_000_001_u32).map(|n| (n % 251) as u8).collect();
    let descriptor = wharf_oci::Descriptor::of(wharf_oci::MediaType::new("x/y"), &content);
    for (repository, upload_chunk) in [("whole", None), ("chunks", Some(1 << 20))] {
        let options = Options {
            upload_chunk,
            ..options(&SettingsFiles::default())
        };
        let registry = Registry::new(options);
        let to = reference(&server.authority(), repository);
        let how = registry
            .push_blob(&to, &descriptor, &body(&content), &[])
            .await
            .unwrap();
        assert_eq!(how, Pushed::Uploaded);
        let mut back = Vec::new();
        registry
            .blob(&to, &descriptor)
            .await
            .unwrap()
            .copy_to(&mut back)
            .await
            .unwrap();
        assert!(back == content);
    }
}

#[tokio::test]
async fn tags_and_what_is_not_there() {
    let Some(server) = DockerRegistry::start(&Setup::default()) else {
        return;
    };
    let sample = Sample::new(Family::Oci, &["linux/arm64"]);
    let registry = registry();
    for tag in ["b", "a", "latest"] {
        sample
            .push(&registry, &reference(&server.authority(), &format!("app:{tag}")))
            .await
            .unwrap();
    }
    let app = reference(&server.authority(), "app");
    let mut tags = registry.tags(&app).await.unwrap();
    tags.sort();
    assert_eq!(tags, ["a", "b", "latest"]);
    // Without a tag it is `latest`.
    assert!(matches!(
        registry.manifest(&app).await.unwrap().document,
        Document::Index(_)
    ));

    for missing in ["app:other", "other:a"] {
        let missing = reference(&server.authority(), missing);
        let resolved = registry.resolve(&missing).await;
        assert!(matches!(resolved, Err(Error::NotFound { .. })), "{resolved:?}");
        assert!(matches!(
            registry.manifest(&missing).await,
            Err(Error::NotFound { .. })
        ));
    }
    let wrong = registry.pull(&app, &amd64()).await.unwrap_err();
    let name = app.familiar();
    assert_eq!(
        wrong.to_string(),
        format!("{name}: no image for linux/amd64, only for linux/arm64")
    );
}

#[tokio::test]
async fn an_account_is_needed_and_shown() {
    let Some(server) = DockerRegistry::start(&Setup {
        account: true,
        ..Setup::default()
    }) else {
        return;
    };
    let sample = Sample::new(Family::Oci, &["linux/amd64"]);
    let to = reference(&server.authority(), "team/app:1");
    let nobody = registry().resolve(&to).await;
    assert!(
        matches!(
            nobody,
            Err(Error::Unauthorized {
                with_account: false,
                ..
            })
        ),
        "{nobody:?}"
    );

    let scratch = Scratch::new();
    for (password, good) in [("wrong", false), (ACCOUNT.1, true)] {
        let auth =
            serde_json::json!({"auths": {server.authority(): {"username": ACCOUNT.0, "password": password}}});
        let file = scratch.write("auth.json", auth.to_string());
        let files = SettingsFiles {
            auth_files: vec![file],
            ..SettingsFiles::default()
        };
        let registry = Registry::new(options(&files));
        let pushed = sample.push(&registry, &to).await;
        if good {
            pushed.unwrap();
            registry.pull(&to, &amd64()).await.unwrap();
        } else {
            assert!(
                matches!(
                    pushed,
                    Err(Error::Unauthorized {
                        with_account: true,
                        ..
                    })
                ),
                "{pushed:?}"
            );
        }
    }
}

#[tokio::test]
async fn tls_with_a_ca_of_its_own() {
    let authority = Authority::new();
    let certified = authority.server(&["127.0.0.1"]);
    let setup = Setup {
        tls: Some(&certified),
        ..Setup::default()
    };
    let Some(server) = DockerRegistry::start(&setup) else {
        return;
    };
    let sample = Sample::new(Family::Oci, &["linux/amd64"]);
    let to = reference(&server.authority(), "app:1");
    let scratch = Scratch::new();
    let trusting = |certificate: String| {
        scratch.write(format!("certs.d/{}/ca.crt", server.authority()), certificate);
        let files = SettingsFiles {
            certs_dirs: vec![scratch.join("certs.d")],
            ..SettingsFiles::default()
        };
        Registry::new(options(&files))
    };
    sample
        .push(&trusting(authority.certificate()), &to)
        .await
        .unwrap();
    let foreign = trusting(Authority::new().certificate())
        .resolve(&to)
        .await
        .unwrap_err();
    assert!(matches!(foreign, Error::Unreachable { .. }), "{foreign:?}");
    // Loopback without a CA: taken as it is, like Docker does.
    registry().pull(&to, &amd64()).await.unwrap();
}

#[tokio::test]
async fn skopeo_reads_what_was_pushed() {
    let Some(server) = DockerRegistry::start(&Setup::default()) else {
        return;
    };
    let sample = Sample::new(Family::Oci, &["linux/amd64"]);
    let to = reference(&server.authority(), "app:1");
    sample.push(&registry(), &to).await.unwrap();
    let scratch = Scratch::new();
    let copied = Command::new("skopeo")
        .args(["copy", "--src-tls-verify=false", "--insecure-policy"])
        .arg(format!("docker://{to}"))
        .arg(format!("oci:{}:app", scratch.join("layout").display()))
        .output();
    let Ok(copied) = copied else {
        return skip("skopeo is not installed");
    };
    assert!(
        copied.status.success(),
        "{}",
        String::from_utf8_lossy(&copied.stderr)
    );
    let index = std::fs::read_to_string(scratch.join("layout/index.json")).unwrap();
    assert!(index.contains("org.opencontainers.image.ref.name"), "{index}");
}
