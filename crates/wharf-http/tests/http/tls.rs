//! Who is trusted.

use wharf_http::{Client, Error, Identity, Options, SystemRoots, Trust, TrustError, Verify};
use wharf_testkit::{
    Scratch,
    certificates::Authority,
    fake_http::{Answer, FakeServer},
};

use crate::{get, options};

fn trusting(trust: Trust) -> Client {
    Client::new(Options { trust, ..options() })
}

fn nobody() -> Trust {
    Trust {
        system: SystemRoots::none(),
        ..Trust::default()
    }
}

async fn ask(trust: Trust, server: &FakeServer) -> Result<String, Error> {
    let body = trusting(trust).bytes(&get(&server.url("/")), 100).await?;
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn an_additional_ca_a_bundle_and_no_verification() {
    let authority = Authority::new();
    let server = FakeServer::start_tls(&authority.server(&["127.0.0.1"]), |_| Answer::ok("secure"));
    let scratch = Scratch::new();
    let bundle = scratch.write("ca.pem", authority.certificate());
    let pem = authority.certificate().into_bytes();
    for trust in [
        Trust {
            extra_pem: vec![pem],
            ..nobody()
        },
        Trust {
            system: SystemRoots::at(Some(bundle), None),
            ..Trust::default()
        },
        Trust {
            verify: Verify::Nothing,
            ..nobody()
        },
    ] {
        assert_eq!(ask(trust, &server).await.unwrap(), "secure");
    }
}

#[tokio::test]
async fn foreign_and_misnamed_certificates_are_refused_at_once() {
    let authority = Authority::new();
    let foreign = Trust {
        extra_pem: vec![Authority::new().certificate().into_bytes()],
        ..nobody()
    };
    let server = FakeServer::start_tls(&authority.server(&["127.0.0.1"]), |_| Answer::ok("x"));
    let error = ask(foreign, &server).await.unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error:?}");

    let known = Trust {
        extra_pem: vec![authority.certificate().into_bytes()],
        ..nobody()
    };
    let server = FakeServer::start_tls(&authority.server(&["example.test"]), |_| Answer::ok("x"));
    let error = ask(known, &server).await.unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error:?}");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_machine_without_cas_is_named_as_the_reason() {
    let server = FakeServer::start_tls(&Authority::new().server(&["127.0.0.1"]), |_| Answer::ok("x"));
    let error = ask(nobody(), &server).await.unwrap_err();
    assert!(matches!(error, Error::Trust(TrustError::NoRoots)), "{error:?}");
}

#[tokio::test]
async fn plain_http_on_a_tls_port_and_the_reverse() {
    let authority = Authority::new();
    let trust = Trust {
        extra_pem: vec![authority.certificate().into_bytes()],
        ..nobody()
    };
    let plain = FakeServer::start(|_| Answer::ok("x"));
    let error = trusting(trust)
        .bytes(&get(&plain.url("/").replace("http:", "https:")), 10)
        .await
        .unwrap_err();
    // Servers answer with plain text, which is a TLS error, or hang up, which is none.
    assert!(
        matches!(error, Error::Tls { .. } | Error::Unreachable { .. }),
        "{error:?}"
    );
    let secure = FakeServer::start_tls(&authority.server(&["127.0.0.1"]), |_| Answer::ok("x"));
    let error = trusting(nobody())
        .bytes(&get(&secure.url("/").replace("https:", "http:")), 10)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Protocol { .. } | Error::Interrupted { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_client_certificate_is_accepted_as_a_setting() {
    let authority = Authority::new();
    let client = authority.client("agent");
    let server = FakeServer::start_tls(&authority.server(&["127.0.0.1"]), |_| Answer::ok("secure"));
    let identity = Identity {
        certificate: client.certificate.into_bytes(),
        key: client.key.into_bytes(),
    };
    let trust = Trust {
        extra_pem: vec![authority.certificate().into_bytes()],
        identity: Some(identity),
        ..nobody()
    };
    assert_eq!(ask(trust, &server).await.unwrap(), "secure");
}
