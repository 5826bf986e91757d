//! `--load`: an image handed to a running Docker or Podman over its socket.
//!
//! Docker Engine API, `POST /images/load`; Podman answers the same call. One request on a Unix socket needs no HTTP
//! library: the body is chunked, the answer is read to its end.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use super::archive::{Archive, ArchiveError};

/// How long the engine may be silent.
const PATIENCE: Duration = Duration::from_mins(5);

/// The most that is kept of an engine's answer.
const ANSWER_LIMIT: u64 = 1 << 20;

/// An image could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No engine listens at any of the usual places.
    #[error("no running Docker or Podman found (looked at {})", .0.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "))]
    NoEngine(Vec<PathBuf>),
    /// The archive could not be made.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The connection broke.
    #[error("the connection to the engine at {socket} broke")]
    Connection {
        /// Its socket.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The engine refused the image.
    #[error("the engine at {socket} refused the image: {answer}")]
    Refused {
        /// Its socket.
        socket: PathBuf,
        /// Its words.
        answer: String,
    },
}

/// Loads a Docker archive into the first engine that listens at one of `sockets`, and says which.
pub fn load_into_engine(archive: &Archive<'_>, sockets: &[PathBuf]) -> Result<PathBuf, EngineError> {
    let found = sockets
        .iter()
        .find_map(|path| Some((path.clone(), UnixStream::connect(path).ok()?)));
    let (socket, stream) = found.ok_or_else(|| EngineError::NoEngine(sockets.to_vec()))?;
    let broken = |source| EngineError::Connection {
        socket: socket.clone(),
        source,
    };
    stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
        .map_err(broken)?;
    send(archive, &stream, &socket)?;
    let (status, body) = receive(&stream).map_err(broken)?;
    if status == 200 && !body.contains("\"errorDetail\"") {
        return Ok(socket);
    }
    Err(EngineError::Refused {
        socket,
        answer: body.trim().to_owned(),
    })
}

fn send(archive: &Archive<'_>, mut stream: &UnixStream, socket: &Path) -> Result<(), EngineError> {
    let broken = |source| EngineError::Connection {
        socket: socket.to_owned(),
        source,
    };
    stream
        .write_all(
            b"POST /images/load?quiet=1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-tar\r\n\
              Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        )
        .map_err(broken)?;
    let mut body = io::BufWriter::with_capacity(1 << 20, Chunked(stream));
    archive.write_tar(&mut body)?;
    body.flush()
        .and_then(|()| stream.write_all(b"0\r\n\r\n"))
        .map_err(broken)
}

/// RFC 9112, section 7.1.
struct Chunked<'a>(&'a UnixStream);

impl Write for Chunked<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write!(self.0, "{:x}\r\n", bytes.len())?;
        self.0.write_all(bytes)?;
        self.0.write_all(b"\r\n")?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn receive(stream: &UnixStream) -> io::Result<(u16, String)> {
    let mut reader = BufReader::new(stream).take(ANSWER_LIMIT);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split_whitespace().nth(1).and_then(|code| code.parse().ok());
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest)?;
    let text = String::from_utf8_lossy(&rest).into_owned();
    let body = text
        .split_once("\r\n\r\n")
        .map_or(text.clone(), |(_, body)| body.to_owned());
    let status =
        status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))?;
    Ok((status, body))
}
