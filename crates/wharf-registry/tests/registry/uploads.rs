//! Uploads that break.

use std::sync::{Arc, Mutex};

use wharf_http::StatusCode;
use wharf_oci::{Descriptor, Digest, MediaType};
use wharf_registry::{Error, Options, Pushed, Registry, SettingsFiles};
use wharf_testkit::fake_http::{Answer, Asked, FakeServer, Fault};

use crate::{image::body, options, reference};

/// What a registry has of one blob.
#[derive(Default)]
struct State {
    arrived: Vec<u8>,
    stored: Option<Digest>,
    sessions: usize,
}

/// A registry that takes one blob; `spoil` may answer in its stead.
struct Taking {
    server: FakeServer,
    state: Arc<Mutex<State>>,
}

impl Taking {
    fn start(spoil: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let state = Arc::<Mutex<State>>::default();
        let taken = Arc::clone(&state);
        let server = FakeServer::start(move |asked| {
            spoil(asked).unwrap_or_else(|| take(asked, &mut taken.lock().unwrap()))
        });
        Self { server, state }
    }

    fn lines(&self, method: &str) -> usize {
        self.server
            .lines()
            .iter()
            .filter(|line| line.starts_with(method))
            .count()
    }
}

/// What an honest registry does.
fn take(asked: &Asked, state: &mut State) -> Answer {
    let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
    let session = || Answer::status(202).header("Location", "/v2/app/session");
    match (asked.method.as_str(), path) {
        ("POST", _) => {
            *state = State {
                sessions: state.sessions + 1,
                ..State::default()
            };
            session()
        }
        ("PATCH", _) => {
            let start = asked
                .header("content-range")
                .and_then(|range| range.split('-').next()?.parse().ok());
            if start != Some(state.arrived.len()) {
                return Answer::status(416);
            }
            state.arrived.extend(&asked.body);
            session()
        }
        ("GET", "/v2/app/session") => {
            let range = format!("0-{}", state.arrived.len().saturating_sub(1));
            Answer::status(204)
                .header("Location", "/v2/app/session")
                .header("Range", &range)
        }
        ("PUT", _) => {
            state.arrived.extend(&asked.body);
            let digest = Digest::of(&state.arrived);
            if query != format!("digest={}", digest.to_string().replace(':', "%3A")) {
                return Answer::status(400);
            }
            state.stored = Some(digest);
            Answer::status(201)
        }
        ("HEAD", _) => match state.stored {
            Some(digest) if path.ends_with(&digest.to_string()) => Answer::ok(""),
            _ => Answer::status(404),
        },
        _ => Answer::ok("{}"),
    }
}

fn content() -> (Vec<u8>, Descriptor) {
    let content: Vec<u8> = (0..100_000_u32).map(|n| (n % 253) as u8).collect();
    let descriptor = Descriptor::of(MediaType::new("x/y"), &content);
    (content, descriptor)
}

async fn push(taking: &Taking, chunk: Option<u64>) -> Result<Pushed, Error> {
    let (content, descriptor) = content();
    let options = Options {
        upload_chunk: chunk,
        ..options(&SettingsFiles::default())
    };
    let to = reference(&taking.server.authority(), "app");
    Registry::new(options)
        .push_blob(&to, &descriptor, &body(&content), &[])
        .await
}

/// Spoils the `n`th request of `method`, from zero.
fn spoil(method: &'static str, n: usize, answer: Answer) -> impl Fn(&Asked) -> Option<Answer> + Send + Sync {
    let seen = Mutex::new(0);
    move |asked| {
        if asked.method != method {
            return None;
        }
        let mut seen = seen.lock().unwrap();
        *seen += 1;
        (*seen == n + 1).then(|| answer.clone())
    }
}

#[tokio::test]
async fn one_piece_begins_again_in_a_new_session() {
    for broken in [Answer::status(503), Answer::status(201).fault(Fault::Hangup)] {
        let taking = Taking::start(spoil("PUT", 0, broken));
        assert_eq!(push(&taking, None).await.unwrap(), Pushed::Uploaded);
        assert_eq!(taking.state.lock().unwrap().stored, Some(content().1.digest));
        assert_eq!((taking.lines("PUT"), taking.lines("POST")), (2, 2));
    }
}

#[tokio::test]
async fn chunks_go_on_where_they_broke() {
    let taking = Taking::start(spoil("PATCH", 2, Answer::status(202).fault(Fault::Hangup)));
    push(&taking, Some(30_000)).await.unwrap();
    assert_eq!(taking.state.lock().unwrap().stored, Some(content().1.digest));
    assert_eq!(taking.state.lock().unwrap().sessions, 1);
    // Four chunks and the one that was lost.
    assert_eq!(taking.lines("PATCH"), 5);
}

#[tokio::test]
async fn a_registry_without_chunks_gets_one_piece() {
    let taking = Taking::start(|asked| (asked.method == "PATCH").then(|| Answer::status(405)));
    push(&taking, Some(30_000)).await.unwrap();
    assert_eq!((taking.lines("PATCH"), taking.lines("PUT")), (1, 1));
}

#[tokio::test]
async fn a_registry_may_want_larger_chunks() {
    let taking = Taking::start(|asked| {
        (asked.method == "POST").then(|| {
            Answer::status(202)
                .header("Location", "/v2/app/session")
                .header("OCI-Chunk-Min-Length", "60000")
        })
    });
    push(&taking, Some(30_000)).await.unwrap();
    assert_eq!(taking.lines("PATCH"), 2);
}

#[tokio::test]
async fn a_final_no_is_an_error() {
    let no = Answer::status(400).body(r#"{"errors":[{"code":"SIZE_INVALID","message":"too much"}]}"#);
    let taking = Taking::start(move |asked| (asked.method == "PUT").then(|| no.clone()));
    let error = push(&taking, None).await.unwrap_err();
    let Error::Refused {
        status: StatusCode::BAD_REQUEST,
        message,
        ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!(message, "too much");
    assert_eq!(taking.lines("PUT"), 1);
}
