//! Each way to fail is its own error, and no error shows a credential.

use std::{net::TcpListener, time::Duration};

use wharf_http::{Error, Expect, Phase, Request};
use wharf_testkit::fake_http::{Answer, FakeServer, Fault};

use crate::{client, get};

async fn error_of(url: &str) -> Error {
    client().bytes(&get(url), 10).await.unwrap_err()
}

#[tokio::test]
async fn statuses_have_errors() {
    let server = FakeServer::start(|asked| Answer::status(asked.target[1..].parse().unwrap()));
    let of = async |status: u16| error_of(&server.url(&format!("/{status}"))).await;
    assert!(matches!(of(404).await, Error::NotFound { .. }));
    assert!(matches!(of(410).await, Error::NotFound { .. }));
    assert!(matches!(of(401).await, Error::Unauthorized { .. }));
    assert!(matches!(of(403).await, Error::Forbidden { .. }));
    assert!(matches!(
        of(429).await,
        Error::RateLimited {
            retry_after: None,
            ..
        }
    ));
    assert!(matches!(of(418).await, Error::Status { .. }));
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = error_of(&format!("http://user:secret@{address}/?token=secret")).await;
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(error.is_unreachable());
    assert!(!format!("{error:?} {error}").contains("secret"), "{error:?}");
}

#[tokio::test]
async fn localhost_is_found_without_name_servers() {
    let server = FakeServer::start(|_| Answer::ok("here"));
    let port = server.authority().rsplit(':').next().unwrap().to_owned();
    let body = client()
        .bytes(&get(&format!("http://localhost:{port}/")), 10)
        .await
        .unwrap();
    assert_eq!(body, "here");
}

#[tokio::test]
async fn silence_is_a_timeout_that_says_of_what() {
    let late = FakeServer::start(|_| Answer::ok("x").fault(Fault::Late(Duration::from_secs(5))));
    let request = get(&late.url("/")).response_timeout(Duration::from_millis(100));
    let error = client().bytes(&request, 10).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Timeout {
                phase: Phase::Response,
                ..
            }
        ),
        "{error:?}"
    );

    let stalled =
        FakeServer::start(|_| Answer::ok("xxxx").fault(Fault::StallAfter(2, Duration::from_secs(5))));
    let request = get(&stalled.url("/")).total_timeout(Duration::from_millis(300));
    let error = client().bytes(&request, 10).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Timeout {
                phase: Phase::Total,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn caps_hold_for_announced_and_for_unannounced_sizes() {
    let announced = FakeServer::start(|_| Answer::ok(vec![0; 1000]));
    let unannounced = FakeServer::start(|_| Answer::ok(vec![0; 1000]).fault(Fault::Unsized));
    for server in [announced, unannounced] {
        assert!(matches!(
            error_of(&server.url("/")).await,
            Error::TooLarge { limit: 10, .. }
        ));
        let download = client()
            .download(get(&server.url("/")), Expect::at_most(10))
            .await;
        let error = match download {
            Ok(download) => download.copy_to(&mut Vec::new()).await.unwrap_err(),
            Err(error) => error,
        };
        assert!(matches!(error, Error::TooLarge { limit: 10, .. }));
    }
}

#[tokio::test]
async fn redirects_are_followed_and_lose_credentials_on_the_way_out() {
    let other = FakeServer::start(|_| Answer::ok("there"));
    let away = other.url("/there");
    let server = FakeServer::start(move |asked| match asked.target.as_str() {
        "/away" => Answer::status(302).header("Location", &away),
        "/near" => Answer::status(307).header("Location", "/end"),
        "/loop" => Answer::status(302).header("Location", "/loop2"),
        "/loop2" => Answer::status(302).header("Location", "/loop"),
        "/end" => Answer::ok("end"),
        deep => Answer::status(302).header("Location", &format!("{deep}x")),
    });
    let ask = async |path: &str| {
        let request = get(&server.url(path)).authorization("Bearer secret").unwrap();
        client().bytes(&request, 10).await
    };
    assert_eq!(ask("/away").await.unwrap(), "there");
    assert_eq!(other.asked()[0].header("authorization"), None);
    assert_eq!(ask("/near").await.unwrap(), "end");
    assert_eq!(
        server.asked().last().unwrap().header("authorization"),
        Some("Bearer secret")
    );
    assert!(matches!(
        ask("/loop").await.unwrap_err(),
        Error::RedirectLoop { .. }
    ));
    assert!(matches!(
        ask("/deeper").await.unwrap_err(),
        Error::TooManyRedirects { limit: 10, .. }
    ));
}

#[test]
fn headers_that_http_does_not_allow() {
    let error = Request::get_text("http://example.com/")
        .unwrap()
        .authorization("Bearer a\nb")
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "http://example.com/: header `authorization` cannot be sent"
    );
}
