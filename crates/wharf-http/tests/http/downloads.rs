//! Downloads end with exactly the expected bytes, or with an error.

use std::{
    io::{self, Write},
    time::Duration,
};

use wharf_http::{Error, Expect, Received};
use wharf_oci::Digest;
use wharf_testkit::fake_http::{Answer, Asked, FakeServer, Fault};

use crate::{client, get};

/// Bytes of which no two pieces are alike.
fn content(length: usize) -> Vec<u8> {
    (0..length)
        .flat_map(|n| (n as u32).to_le_bytes())
        .take(length)
        .collect()
}

fn expect(content: &[u8]) -> Expect {
    Expect::content(Digest::of(content), content.len() as u64)
}

async fn fetch(server: &FakeServer, expect: Expect) -> Result<(Vec<u8>, Received), Error> {
    let mut sink = Vec::new();
    let download = client().download(get(&server.url("/blob")), expect).await?;
    let received = download.copy_to(&mut sink).await?;
    Ok((sink, received))
}

/// Cuts the first answers off after `step` bytes each.
fn breaking(whole: Vec<u8>, cuts: usize, step: usize, answer: fn(&Asked, &[u8]) -> Answer) -> FakeServer {
    FakeServer::start(move |asked| {
        let answer = answer(asked, &whole);
        if asked.number < cuts {
            answer.fault(Fault::CutAfter(step))
        } else {
            answer
        }
    })
}

#[tokio::test]
async fn whole_content_is_verified_on_the_way() {
    let whole = content(300_000);
    let server = breaking(whole.clone(), 0, 0, |_, whole| Answer::ok(whole));
    let (sink, received) = fetch(&server, expect(&whole)).await.unwrap();
    assert_eq!(
        received,
        Received {
            digest: Digest::of(&whole),
            size: 300_000
        }
    );
    assert!(sink == whole);
}

#[tokio::test]
async fn broken_downloads_go_on_by_range() {
    let whole = content(400_000);
    // More cuts than attempts: each made progress, so each counts as a first failure.
    let server = breaking(whole.clone(), 5, 70_000, Answer::ranged);
    let (sink, _) = fetch(&server, expect(&whole)).await.unwrap();
    assert!(sink == whole);
    let starts: Vec<_> = server.asked().iter().map(Asked::range_start).collect();
    assert_eq!(
        starts,
        [
            None,
            Some(70_000),
            Some(140_000),
            Some(210_000),
            Some(280_000),
            Some(350_000)
        ]
    );
}

#[tokio::test]
async fn a_server_without_ranges_repeats_and_nothing_is_delivered_twice() {
    let whole = content(200_000);
    let server = breaking(whole.clone(), 2, 90_000, |_, whole| Answer::ok(whole));
    let (sink, _) = fetch(&server, expect(&whole)).await.unwrap();
    assert!(sink == whole);
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_server_with_wrong_ranges_is_asked_for_all() {
    let whole = content(200_000);
    let wrong = |asked: &Asked, whole: &[u8]| match asked.range_start() {
        Some(_) => Answer::status(206)
            .header("Content-Range", "bytes 5-9/200000")
            .body(&whole[5..10]),
        None => Answer::ok(whole),
    };
    let server = breaking(whole.clone(), 1, 90_000, wrong);
    let (sink, _) = fetch(&server, expect(&whole)).await.unwrap();
    assert!(sink == whole);
}

#[tokio::test]
async fn without_a_digest_a_changed_content_is_noticed() {
    let server = FakeServer::start(|asked| {
        let whole = vec![b'a' + asked.number as u8; 100_000];
        let answer = Answer::ok(whole);
        if asked.number == 0 {
            answer.fault(Fault::CutAfter(50_000))
        } else {
            answer
        }
    });
    let error = fetch(&server, Expect::at_most(1 << 20)).await.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error:?}");
}

#[tokio::test]
async fn without_a_digest_ranges_depend_on_a_strong_tag() {
    let whole = content(100_000);
    let tagged = |asked: &Asked, whole: &[u8]| Answer::ranged(asked, whole).header("ETag", "\"v1\"");
    let server = breaking(whole.clone(), 1, 50_000, tagged);
    let (sink, _) = fetch(&server, Expect::at_most(1 << 20)).await.unwrap();
    assert!(sink == whole);
    assert_eq!(server.asked()[1].header("if-range"), Some("\"v1\""));
}

#[tokio::test]
async fn wrong_content_and_wrong_sizes_are_told_apart() {
    let whole = content(1000);
    let lying = FakeServer::start(|_| Answer::ok(vec![7; 1000]));
    let error = fetch(&lying, expect(&whole)).await.unwrap_err();
    assert!(matches!(error, Error::DigestMismatch { expected, .. } if expected == Digest::of(&whole)));

    let long = FakeServer::start(|_| Answer::ok(vec![7; 1001]));
    let error = fetch(&long, expect(&whole)).await.unwrap_err();
    assert!(matches!(
        error,
        Error::SizeMismatch {
            expected: 1000,
            actual: 1001,
            ..
        }
    ));

    let endless = FakeServer::start(|_| Answer::ok(vec![7; 5000]).fault(Fault::Unsized));
    let error = fetch(&endless, expect(&whole)).await.unwrap_err();
    assert!(
        matches!(error, Error::SizeMismatch { expected: 1000, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_short_body_that_ends_with_the_connection_is_not_complete() {
    let whole = content(1000);
    let cut = whole[..400].to_vec();
    let server = FakeServer::start(move |_| Answer::ok(cut.clone()).fault(Fault::Unsized));
    let error = fetch(&server, expect(&whole)).await.unwrap_err();
    assert!(
        matches!(error, Error::Interrupted { received: 400, .. }),
        "{error:?}"
    );
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_stalled_body_goes_on_elsewhere() {
    let whole = content(100_000);
    let stalled = whole.clone();
    let server = FakeServer::start(move |asked| {
        let answer = Answer::ranged(asked, &stalled);
        let stall = Fault::StallAfter(60_000, Duration::from_secs(3));
        if asked.number == 0 {
            answer.fault(stall)
        } else {
            answer
        }
    });
    let (sink, _) = fetch(&server, expect(&whole)).await.unwrap();
    assert!(sink == whole);
}

#[tokio::test]
async fn a_part_with_and_without_the_servers_help() {
    let whole = content(10_000);
    for answer in [Answer::ranged as fn(&Asked, &[u8]) -> Answer, |_, whole| {
        Answer::ok(whole)
    }] {
        let content = whole.clone();
        let server = FakeServer::start(move |asked| answer(asked, &content[..4500]));
        let (sink, _) = fetch(&server, Expect::part(4000..4500)).await.unwrap();
        assert!(sink == whole[4000..4500]);
    }
}

#[tokio::test]
async fn a_full_disk_is_a_local_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let server = FakeServer::start(|_| Answer::ok("x"));
    let download = client()
        .download(get(&server.url("/")), Expect::at_most(10))
        .await
        .unwrap();
    let error = download.copy_to(&mut Full).await.unwrap_err();
    assert!(matches!(error, Error::Local { source, .. } if source.kind() == io::ErrorKind::StorageFull));
}
