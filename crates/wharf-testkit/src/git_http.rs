//! Repositories over HTTP, by git's own server program.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use crate::fake_http::{Answer, Asked};

/// Where Debian's git has its server.
const BACKEND: &str = "/usr/lib/git-core/git-http-backend";

/// Whether this machine has git and its server.
pub fn is_installed() -> bool {
    Path::new(BACKEND).exists() && Command::new("git").arg("--version").output().is_ok()
}

/// Answers as a server of the repositories below `root` does: the request (RFC 3875) in variables and on standard input, the answer's
/// head on standard output.
pub fn answer(root: &Path, asked: &Asked) -> Answer {
    let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
    let header = |name: &str| asked.header(name).unwrap_or_default().to_owned();
    let mut command = Command::new(BACKEND);
    command
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", &asked.method)
        .env("CONTENT_TYPE", header("content-type"))
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("HOME", root);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it is installed");
    let mut stdin = child.stdin.take().expect("it is piped");
    // It may have failed before it read all of it.
    let _ = stdin.write_all(&asked.body);
    drop(stdin);
    let output = child.wait_with_output().expect("it ends").stdout;
    answer_of(&output)
}

fn answer_of(output: &[u8]) -> Answer {
    let Some(end) = output.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Answer::status(500);
    };
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    let status = fields.clone().find(|(name, _)| *name == "Status");
    let status = status.and_then(|(_, value)| value.get(..3)?.parse().ok());
    let answer = Answer::status(status.unwrap_or(200)).body(&output[end + 4..]);
    fields.fold(answer, |answer, (name, value)| answer.header(name, value))
}
