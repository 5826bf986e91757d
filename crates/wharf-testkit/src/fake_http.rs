//! A server on loopback that answers as a test says, mistakes included: bodies cut off, stalls, closed connections.
//!
//! One request per connection, one thread per connection: simple enough to be wrong only on purpose.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::certificates::Certified;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// How many requests came before it.
    pub number: usize,
    /// `GET`, …
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Asked {
    /// A header's value; its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Method and target: `GET /v2/`.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// The first byte that a `Range: bytes=N-` asks for.
    pub fn range_start(&self) -> Option<usize> {
        self.header("range")?
            .strip_prefix("bytes=")?
            .split('-')
            .next()?
            .parse()
            .ok()
    }
}

/// What goes wrong with an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// The connection is closed without an answer.
    Hangup,
    /// The connection is closed after this many bytes of the body.
    CutAfter(usize),
    /// After this many bytes of the body nothing comes for this long; then the connection is closed.
    StallAfter(usize, Duration),
    /// The head itself comes this late.
    Late(Duration),
    /// No `Content-Length`: the body ends where the connection does.
    Unsized,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    fault: Fault,
}

impl Answer {
    /// An answer without a body.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            fault: Fault::None,
        }
    }

    /// A 200 with a body.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).body(body)
    }

    /// What an honest server answers about `whole`: the part that a `Range` asks for, or all.
    pub fn ranged(asked: &Asked, whole: &[u8]) -> Self {
        match asked.range_start() {
            None => Self::ok(whole),
            Some(start) if start >= whole.len() => Self::status(416),
            Some(start) => {
                let range = format!("bytes {start}-{}/{}", whole.len() - 1, whole.len());
                Self::status(206)
                    .header("Content-Range", &range)
                    .body(&whole[start..])
            }
        }
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a fault.
    #[must_use]
    pub fn fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {} Fake\r\nConnection: close\r\n", self.status);
        let sized = self
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        if !sized && self.fault != Fault::Unsized {
            head.push_str(&header_line("Content-Length", &self.body.len().to_string()));
        }
        for (name, value) in &self.headers {
            head.push_str(&header_line(name, value));
        }
        head + "\r\n"
    }
}

fn header_line(name: &str, value: &str) -> String {
    format!("{name}: {value}\r\n")
}

type Handler = dyn Fn(&Asked) -> Answer + Send + Sync;

/// A server on a port of its own, until dropped.
pub struct FakeServer {
    address: SocketAddr,
    scheme: &'static str,
    log: Arc<Mutex<Vec<Asked>>>,
    stopped: Arc<AtomicBool>,
}

impl FakeServer {
    /// Plain http.
    pub fn start(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::listen(None, Arc::new(handler))
    }

    /// https with this certificate.
    pub fn start_tls(
        certified: &Certified,
        handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Some(Arc::new(tls_config(certified))), Arc::new(handler))
    }

    /// `host:port`.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// The URL of `path`, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.log).clone()
    }

    /// Method and target of what was asked so far.
    pub fn lines(&self) -> Vec<String> {
        lock(&self.log).iter().map(Asked::line).collect()
    }

    fn listen(tls: Option<Arc<ServerConfig>>, handler: Arc<Handler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let server = Self {
            address: listener.local_addr().expect("a bound socket has an address"),
            scheme: if tls.is_some() { "https" } else { "http" },
            log: Arc::default(),
            stopped: Arc::default(),
        };
        let (log, stopped) = (Arc::clone(&server.log), Arc::clone(&server.stopped));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (log, handler, tls) = (Arc::clone(&log), Arc::clone(&handler), tls.clone());
                // A client that hangs up is part of many tests.
                thread::spawn(move || drop(serve(&stream, tls, &log, &*handler)));
            }
        });
        server
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for connections.
        drop(TcpStream::connect(self.address));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tls_config(certified: &Certified) -> ServerConfig {
    let certificate = CertificateDer::from_pem_slice(certified.certificate.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(certified.key.as_bytes());
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.expect("a PEM certificate")],
            key.expect("a PEM key"),
        )
        .expect("the key is the certificate's")
}

fn serve(
    stream: &TcpStream,
    tls: Option<Arc<ServerConfig>>,
    log: &Mutex<Vec<Asked>>,
    handler: &Handler,
) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    match tls {
        None => converse(BufReader::new(stream), log, handler)?,
        Some(config) => {
            let connection = ServerConnection::new(config).map_err(io::Error::other)?;
            let mut secure = StreamOwned::new(connection, stream);
            converse(BufReader::new(&mut secure), log, handler)?;
            secure.conn.send_close_notify();
            secure.flush()?;
        }
    }
    stream.shutdown(Shutdown::Write)
}

fn converse<S>(mut stream: BufReader<S>, log: &Mutex<Vec<Asked>>, handler: &Handler) -> io::Result<()>
where
    BufReader<S>: Read,
    S: Read + WriteThrough,
{
    let Some(mut asked) = read_request(&mut stream)? else {
        return Ok(());
    };
    {
        let mut log = lock(log);
        asked.number = log.len();
        log.push(asked.clone());
    }
    let answer = handler(&asked);
    send(stream.get_mut(), &asked, &answer)
}

/// What both kinds of stream can do.
trait WriteThrough {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()>;
}

impl WriteThrough for &TcpStream {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }
}

impl WriteThrough for &mut StreamOwned<ServerConnection, &TcpStream> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes).and_then(|()| self.flush())
    }
}

fn send(stream: &mut impl WriteThrough, asked: &Asked, answer: &Answer) -> io::Result<()> {
    match answer.fault {
        Fault::Hangup => return Ok(()),
        Fault::Late(delay) => thread::sleep(delay),
        _ => {}
    }
    stream.send(answer.head().as_bytes())?;
    if asked.method == "HEAD" {
        return Ok(());
    }
    match answer.fault {
        Fault::CutAfter(length) => stream.send(&answer.body[..length]),
        Fault::StallAfter(length, pause) => {
            stream.send(&answer.body[..length])?;
            thread::sleep(pause);
            Ok(())
        }
        _ => stream.send(&answer.body),
    }
}

fn read_request(stream: &mut impl BufRead) -> io::Result<Option<Asked>> {
    let first = read_line(stream)?;
    let mut words = first.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut asked = Asked {
        number: 0,
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body: Vec::new(),
    };
    asked.body = read_body(stream, &asked)?;
    Ok(Some(asked))
}

fn read_body(stream: &mut impl BufRead, asked: &Asked) -> io::Result<Vec<u8>> {
    let length = asked
        .header("content-length")
        .and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok(body)
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}
