//! What is sent again, and what is not.

use std::time::{Duration, Instant};

use wharf_http::{Body, Error, Method, Request, RetryPolicy, StatusCode};
use wharf_testkit::fake_http::{Answer, FakeServer, Fault};

use crate::{client, get, observed};

/// A server that gives `first` so many times and then the body `fine`.
fn failing(times: usize, first: &Answer) -> FakeServer {
    let first = first.clone();
    FakeServer::start(move |asked| {
        if asked.number < times {
            first.clone()
        } else {
            Answer::ok("fine")
        }
    })
}

#[tokio::test]
async fn transient_statuses_and_hang_ups_are_tried_again() {
    for first in [
        Answer::status(408),
        Answer::status(429),
        Answer::status(500),
        Answer::status(503),
        Answer::status(503).fault(Fault::Hangup),
        Answer::ok("cut off").fault(Fault::CutAfter(3)),
        Answer::ok("late").fault(Fault::StallAfter(2, Duration::from_secs(2))),
    ] {
        let server = failing(2, &first);
        let body = client().bytes(&get(&server.url("/")), 100).await;
        assert_eq!(body.unwrap(), "fine", "{first:?}");
        assert_eq!(server.asked().len(), 3);
    }
}

#[tokio::test]
async fn a_final_no_is_not_tried_again() {
    for status in [400, 401, 403, 404, 405, 410, 501] {
        let server = failing(1, &Answer::status(status));
        let response = client().send(&get(&server.url("/"))).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(server.asked().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn the_last_answer_is_given_when_attempts_are_used_up() {
    let server = failing(9, &Answer::status(502).body("upstream is away\nmore"));
    let response = client().send(&get(&server.url("/x"))).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    let error = response.ok().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{}: the server answered 502 Bad Gateway: upstream is away",
            server.url("/x")
        )
    );
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let server = failing(1, &Answer::status(429).header("Retry-After", "1"));
    let (client, reasons) = observed();
    let begin = Instant::now();
    client.bytes(&get(&server.url("/")), 100).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert_eq!(*reasons.lock().unwrap(), ["429 Too Many Requests"]);
}

#[tokio::test]
async fn a_pause_beyond_patience_is_an_error_at_once() {
    let server = failing(1, &Answer::status(429).header("Retry-After", "3600"));
    let error = client().bytes(&get(&server.url("/")), 100).await.unwrap_err();
    assert!(
        matches!(error, Error::RateLimited { retry_after: Some(pause), .. } if pause == Duration::from_hours(1))
    );
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_post_is_sent_twice_only_when_that_is_harmless() {
    let post = |server: &FakeServer| {
        Request::new(Method::POST, server.url("/").parse().unwrap()).body(Body::bytes("x"))
    };
    let server = failing(1, &Answer::status(500));
    assert_eq!(client().send(&post(&server)).await.unwrap().status(), 500);
    assert_eq!(server.asked().len(), 1);

    let server = failing(1, &Answer::status(500).fault(Fault::Hangup));
    let error = client().send(&post(&server)).await.unwrap_err();
    assert!(
        matches!(error, Error::Interrupted { received: 0, .. }),
        "{error:?}"
    );

    let server = failing(1, &Answer::status(503));
    assert_eq!(client().send(&post(&server)).await.unwrap().status(), 200);

    let server = failing(1, &Answer::status(500));
    let allowed = post(&server).retry(RetryPolicy::default());
    assert_eq!(client().send(&allowed).await.unwrap().status(), 200);
    assert_eq!(server.asked()[1].body, b"x");
}

#[tokio::test]
async fn the_total_limit_ends_the_retries() {
    let server = FakeServer::start(|_| Answer::status(503).header("Retry-After", "1"));
    let request = get(&server.url("/")).total_timeout(Duration::from_millis(1500));
    let begin = Instant::now();
    let response = client().send(&request).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(server.asked().len(), 2);
    assert!(begin.elapsed() < Duration::from_millis(1500));
}
