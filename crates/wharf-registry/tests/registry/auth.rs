//! Tokens, helpers, and where credentials do not go.

use std::{
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use wharf_oci::Platform;
use wharf_registry::{Error, HelperError, Registry, SettingsFiles};
use wharf_testkit::{
    Scratch,
    fake_http::{Answer, Asked, FakeServer, Fault},
};

use crate::{
    fake::{FakeRegistry, error},
    options, reference,
};

/// A token server that gives `token-1`, `token-2`, … to whom `knows` says.
fn token_server(knows: impl Fn(&Asked) -> bool + Send + Sync + 'static) -> FakeServer {
    let given = AtomicUsize::new(0);
    FakeServer::start(move |asked| {
        if !knows(asked) {
            return Answer::status(401).body(r#"{"details":"incorrect username or password"}"#);
        }
        let number = given.fetch_add(1, Ordering::SeqCst) + 1;
        Answer::ok(format!(r#"{{"token":"token-{number}","expires_in":300}}"#))
    })
}

/// A registry that wants a token of `server` that `accepts` likes.
fn registry(server: &FakeServer, accepts: impl Fn(&str) -> bool + Send + Sync + 'static) -> FakeRegistry {
    let challenge = format!(
        "Bearer realm=\"{}\",service=\"r.example.test\",scope=\"repository:team/app:pull\"",
        server.url("/token")
    );
    FakeRegistry::start(&["linux/amd64"], move |asked, _| {
        let token = asked
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "));
        if token.is_some_and(&accepts) {
            return None;
        }
        Some(error(401, "UNAUTHORIZED", "authentication required").header("WWW-Authenticate", &challenge))
    })
}

fn with_auth(scratch: &Scratch, auth: &serde_json::Value) -> Registry {
    let files = SettingsFiles {
        auth_files: vec![scratch.write("config.json", auth.to_string())],
        helper_dirs: vec![scratch.join("bin")],
        ..SettingsFiles::default()
    };
    Registry::new(options(&files))
}

fn amd64() -> Platform {
    "linux/amd64".parse().unwrap()
}

#[tokio::test]
async fn a_token_without_an_account_serves_all_requests() {
    let tokens = token_server(|asked| asked.header("authorization").is_none());
    let fake = registry(&tokens, |token| token == "token-1");
    let image = reference(&fake.authority(), "team/app");
    let client = crate::registry();
    let pulled = client.pull(&image, &amd64()).await.unwrap();
    let layer = &pulled.manifest.layers[0];
    let (first, second) = tokio::join!(client.blob(&image, layer), client.blob(&image, layer));
    first.unwrap().copy_to(&mut Vec::new()).await.unwrap();
    second.unwrap().copy_to(&mut Vec::new()).await.unwrap();
    assert_eq!(
        tokens.lines(),
        ["GET /token?service=r.example.test&scope=repository%3Ateam%2Fapp%3Apull"]
    );
}

#[tokio::test]
async fn a_password_goes_to_the_token_server_only() {
    let tokens = token_server(|asked| asked.header("authorization") == Some("Basic bWU6cHc="));
    let fake = registry(&tokens, |token| token == "token-1");
    let scratch = Scratch::new();
    let auth = serde_json::json!({"auths": {fake.authority(): {"auth": "bWU6cHc="}}});
    let client = with_auth(&scratch, &auth);
    client
        .resolve(&reference(&fake.authority(), "team/app"))
        .await
        .unwrap();
    assert!(tokens.lines()[0].ends_with("&account=me"));
    let leaked = |asked: &Asked| {
        asked
            .header("authorization")
            .is_some_and(|value| value.starts_with("Basic"))
    };
    assert!(!fake.server.asked().iter().any(leaked));

    let wrong = serde_json::json!({"auths": {fake.authority(): {"auth": "bWU6eA=="}}});
    let refused = with_auth(&scratch, &wrong)
        .resolve(&reference(&fake.authority(), "team/app"))
        .await;
    let Err(Error::Unauthorized {
        message,
        with_account: true,
        ..
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(message, "incorrect username or password");
}

#[tokio::test]
async fn a_refresh_token_is_traded_by_post() {
    let tokens = FakeServer::start(|asked| {
        let form = String::from_utf8_lossy(&asked.body);
        assert_eq!(
            form,
            "grant_type=refresh_token&service=r.example.test&client_id=wharf&scope=repository%3Ateam%2Fapp%3Apull&refresh_token=r%2Ft"
        );
        Answer::ok(r#"{"access_token":"traded"}"#)
    });
    let fake = registry(&tokens, |token| token == "traded");
    let auth = serde_json::json!({"auths": {fake.authority(): {"identitytoken": "r/t"}}});
    let client = with_auth(&Scratch::new(), &auth);
    client
        .resolve(&reference(&fake.authority(), "team/app"))
        .await
        .unwrap();
    assert_eq!(tokens.lines(), ["POST /token"]);
}

#[tokio::test]
async fn an_expired_token_is_renewed_even_in_the_middle_of_a_blob() {
    let tokens = token_server(|_| true);
    let valid = Arc::new(AtomicUsize::new(1));
    let accepted = Arc::clone(&valid);
    let challenge = format!("Bearer realm=\"{}\"", tokens.url("/token"));
    let fake = FakeRegistry::start(&["linux/amd64"], move |asked, sample| {
        let wanted = format!("Bearer token-{}", accepted.load(Ordering::SeqCst));
        if asked.header("authorization") != Some(&wanted) {
            return Some(error(401, "UNAUTHORIZED", "").header("WWW-Authenticate", &challenge));
        }
        if asked.method == "GET" && asked.target.contains("/blobs/") && accepted.load(Ordering::SeqCst) == 1 {
            accepted.store(2, Ordering::SeqCst);
            let bytes = sample.bytes(&sample.layer().digest);
            return Some(Answer::ok(bytes).fault(Fault::CutAfter(1000)));
        }
        None
    });
    let image = reference(&fake.authority(), "team/app");
    let client = crate::registry();
    client.resolve(&image).await.unwrap();
    let mut bytes = Vec::new();
    let layer = fake.sample.layer();
    client
        .blob(&image, layer)
        .await
        .unwrap()
        .copy_to(&mut bytes)
        .await
        .unwrap();
    assert_eq!(bytes, fake.sample.bytes(&layer.digest));
    assert_eq!(tokens.lines().len(), 2);
    valid.store(3, Ordering::SeqCst);
    client.resolve(&image).await.unwrap();
}

#[tokio::test]
async fn a_registry_that_is_never_content_ends() {
    let tokens = token_server(|_| true);
    let fake = registry(&tokens, |_| false);
    let image = reference(&fake.authority(), "team/app");
    let refused = crate::registry().manifest(&image).await;
    assert!(matches!(refused, Err(Error::Unauthorized { .. })), "{refused:?}");
    assert!(fake.count("/manifests/") <= 2);
}

#[tokio::test]
async fn helpers_are_asked_and_their_failures_told() {
    let scratch = Scratch::new();
    let script = scratch.write(
        "bin/docker-credential-test",
        "#!/bin/sh\nread host\ncase \"$1 $host\" in\n'get '127.*) echo '{\"Username\":\"me\",\"Secret\":\"pw\"}';;\n*) exit 1;;\nesac\n",
    );
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let tokens = token_server(|asked| asked.header("authorization") == Some("Basic bWU6cHc="));
    let fake = registry(&tokens, |token| token == "token-1");
    let image = reference(&fake.authority(), "team/app");
    let helped = serde_json::json!({"credHelpers": {fake.authority(): "test"}});
    with_auth(&scratch, &helped).resolve(&image).await.unwrap();

    let gone = serde_json::json!({"credsStore": "gone"});
    let refused = with_auth(&scratch, &gone).resolve(&image).await;
    let Err(Error::Unauthorized {
        helper: Some(helper), ..
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert!(matches!(*helper, HelperError::Missing(_)));
}
