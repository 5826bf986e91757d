//! What builds fetch: for each theme the files and repositories that its script `serve` makes, on a server on loopback.
//!
//! `NAME.redirect` beside a file that is asked for sends the client to the place that it holds; `NAME.head` holds lines that are added
//! to the head of the answer.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest as _, Sha256};
use wharf_testkit::{
    fake_http::{Answer, Asked, FakeServer},
    git_http,
};

use super::tree::hex;
use crate::stage;

/// Runs the scripts of the themes below `cases`, and serves what they made in `folder`.
pub(crate) fn start(cases: &Path, folder: &Path) -> Result<FakeServer, String> {
    for entry in fs::read_dir(cases).map_err(|error| error.to_string())?.flatten() {
        let script = entry.path().join("serve");
        if script.exists() {
            run(&script, &folder.join(entry.file_name()))?;
        }
    }
    let folder = folder.to_owned();
    Ok(FakeServer::start(move |asked| answer(&folder, asked)))
}

/// Runs a script in `folder`, as the same person at the same time as always.
pub(crate) fn run(script: &Path, folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let mut command = Command::new("sh");
    command
        .arg("-eu")
        .arg(script)
        .current_dir(folder)
        .env("HOME", folder);
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "a bird");
        command.env(format!("GIT_{who}_EMAIL"), "bird@example.com");
        command.env(format!("GIT_{who}_DATE"), "2021-02-03T04:05:06Z");
    }
    stage::run(&mut command)
}

fn answer(folder: &Path, asked: &Asked) -> Answer {
    let path = asked.target.split('?').next().unwrap_or_default();
    if path.contains(".git/") {
        return git_http::answer(folder, asked);
    }
    let path = folder.join(unescaped(path.trim_start_matches('/')));
    let beside = |extension: &str| fs::read_to_string(with(&path, extension)).ok();
    if let Some(place) = beside("redirect") {
        return Answer::status(302).header("Location", place.trim());
    }
    let Ok(bytes) = fs::read(&path) else {
        return Answer::status(404);
    };
    let etag = format!("\"{}\"", hex(&Sha256::digest(&bytes)));
    if asked.header("if-none-match") == Some(&etag) {
        return Answer::status(304).header("ETag", &etag);
    }
    let head = beside("head").unwrap_or_default();
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.fold(
        Answer::ok(bytes).header("ETag", &etag),
        |answer, (name, value)| answer.header(name, value),
    )
}

/// A path as a URL writes it (RFC 3986, section 2.1).
fn unescaped(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| byte == b'%');
        let escaped = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn with(path: &Path, extension: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(".");
    path.push(extension);
    path.into()
}
