//! Bodies that are read while they are sent.

use std::io::{self, Cursor, Read};

use wharf_http::{Body, Error, Method, Request};
use wharf_testkit::fake_http::{Answer, FakeServer, Fault};

use crate::client;

fn put(server: &FakeServer, body: Body) -> Request {
    Request::new(Method::PUT, server.url("/up").parse().unwrap()).body(body)
}

fn reader(content: &'static [u8]) -> Body {
    Body::reader(content.len() as u64, move |_| {
        Ok(Box::new(Cursor::new(content)) as Box<dyn Read + Send>)
    })
}

#[tokio::test]
async fn a_reader_is_sent_with_its_length_and_again_after_a_failure() {
    static CONTENT: [u8; 500_000] = [9; 500_000];
    let server = FakeServer::start(|asked| match asked.number {
        0 => Answer::status(500),
        1 => Answer::status(200).fault(Fault::Hangup),
        2 => Answer::status(307).header("Location", "/elsewhere"),
        _ => Answer::status(201),
    });
    let response = client().send(&put(&server, reader(&CONTENT))).await.unwrap();
    assert_eq!(response.status(), 201);
    for asked in server.asked() {
        assert_eq!(asked.header("content-length"), Some("500000"));
        assert_eq!(asked.body, CONTENT);
    }
    assert_eq!(server.asked()[3].target, "/elsewhere");
}

#[tokio::test]
async fn a_reader_that_fails_or_ends_early_is_a_local_error() {
    let server = FakeServer::start(|_| Answer::status(201));
    let unreadable = Body::reader(5, |_| Err(io::ErrorKind::PermissionDenied.into()));
    let short = Body::reader(500, |_| Ok(Box::new(Cursor::new(b"abc")) as Box<dyn Read + Send>));
    for (body, kind) in [
        (unreadable, io::ErrorKind::PermissionDenied),
        (short, io::ErrorKind::UnexpectedEof),
    ] {
        let error = client().send(&put(&server, body)).await.unwrap_err();
        assert!(
            matches!(&error, Error::Local { source, .. } if source.kind() == kind),
            "{error:?}"
        );
    }
}
