//! Compressing in chunks of a fixed size, each on its own: gzip members, zstd frames. Threads change nothing in the bytes.

use std::{
    collections::VecDeque,
    io::{self, Write},
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use super::Compression;

/// Input of one gzip member, in bytes. A member costs 18 bytes and a fresh 32 KiB window: nothing at this size.
const GZIP_CHUNK: usize = 1 << 20;
/// Input of one zstd frame, in bytes: twice the window of its usual levels.
const ZSTD_CHUNK: usize = 4 << 20;

/// Compresses what is written to it. Equal input and settings give equal bytes on every machine, with any number of
/// threads, as long as the versions of libdeflate and zstd stay the same. Threads start with the second chunk.
pub struct Compressor<W: Write> {
    out: W,
    settings: Settings,
    chunk: Vec<u8>,
    threads: usize,
    workers: Option<Workers>,
    /// Chunks that are being compressed, oldest first.
    pending: VecDeque<Receiver<io::Result<Vec<u8>>>>,
}

#[derive(Debug, Clone, Copy)]
struct Settings {
    compression: Compression,
    level: i32,
}

impl<W: Write> Compressor<W> {
    /// Compresses to `out` on `threads` threads. `level` is brought into what the format has: 0 to 12 for gzip
    /// (libdeflate's), 1 to 22 for zstd.
    pub fn new(out: W, compression: Compression, level: i32, threads: usize) -> Self {
        Self {
            out,
            settings: Settings { compression, level },
            chunk: Vec::new(),
            threads: threads.max(1),
            workers: None,
            pending: VecDeque::new(),
        }
    }

    /// Writes what is left and gives `out` back. An empty input is a valid empty stream.
    pub fn finish(mut self) -> io::Result<W> {
        if self.settings.compression == Compression::Plain {
            return Ok(self.out);
        }
        let last = mem::take(&mut self.chunk);
        if self.workers.is_none() {
            self.out.write_all(&self.settings.encoder()?.encode(&last)?)?;
        } else if !last.is_empty() {
            self.submit(last)?;
        }
        while let Some(chunk) = self.pending.pop_front() {
            self.out.write_all(&received(&chunk)?)?;
        }
        Ok(self.out)
    }

    fn submit(&mut self, chunk: Vec<u8>) -> io::Result<()> {
        let (settings, threads) = (self.settings, self.threads);
        let workers = self
            .workers
            .get_or_insert_with(|| Workers::start(settings, threads));
        self.pending.push_back(workers.encode(chunk));
        // Enough in flight that no thread waits, and no more: a chunk is memory.
        while self.pending.len() > 2 * self.threads {
            if let Some(chunk) = self.pending.pop_front() {
                self.out.write_all(&received(&chunk)?)?;
            }
        }
        Ok(())
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = match self.settings.compression {
            Compression::Plain => return self.out.write(bytes),
            Compression::Gzip => GZIP_CHUNK,
            Compression::Zstd => ZSTD_CHUNK,
        };
        if self.chunk.len() == size {
            let full = mem::replace(&mut self.chunk, Vec::with_capacity(size));
            self.submit(full)?;
        }
        let taken = bytes.len().min(size - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Writes nothing of what is not yet a chunk: where chunks end must not depend on when somebody flushes.
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn received(chunk: &Receiver<io::Result<Vec<u8>>>) -> io::Result<Vec<u8>> {
    chunk
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("a compressing thread has ended")))
}

struct Job {
    chunk: Vec<u8>,
    done: Sender<io::Result<Vec<u8>>>,
}

/// Threads that compress; they end when this is dropped.
struct Workers(Sender<Job>);

impl Workers {
    fn start(settings: Settings, threads: usize) -> Self {
        let (sender, jobs) = mpsc::channel();
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..threads {
            let jobs = Arc::clone(&jobs);
            thread::spawn(move || work(settings, &jobs));
        }
        Self(sender)
    }

    fn encode(&self, chunk: Vec<u8>) -> Receiver<io::Result<Vec<u8>>> {
        let (done, result) = mpsc::channel();
        // When no thread is left, `done` is dropped with the job and the receiver says so.
        drop(self.0.send(Job { chunk, done }));
        result
    }
}

fn work(settings: Settings, jobs: &Mutex<Receiver<Job>>) {
    let mut encoder = settings.encoder();
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { chunk, done }) = job else { return };
        let result = match &mut encoder {
            Ok(encoder) => encoder.encode(&chunk),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        // Nobody waits any more when the compressor was dropped.
        drop(done.send(result));
    }
}

/// What compresses one chunk after another.
enum Encoder {
    Gzip(libdeflater::Compressor),
    Zstd(zstd::bulk::Compressor<'static>),
}

impl Settings {
    fn encoder(self) -> io::Result<Encoder> {
        if self.compression == Compression::Zstd {
            let mut encoder = zstd::bulk::Compressor::new(self.level.clamp(1, 22))?;
            encoder.include_checksum(true)?;
            return Ok(Encoder::Zstd(encoder));
        }
        let level = libdeflater::CompressionLvl::new(self.level.clamp(0, 12));
        let level = level.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(Encoder::Gzip(libdeflater::Compressor::new(level)))
    }
}

impl Encoder {
    fn encode(&mut self, chunk: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Zstd(encoder) => encoder.compress(chunk),
            Self::Gzip(encoder) => {
                let mut out = vec![0; encoder.gzip_compress_bound(chunk.len())];
                let length = encoder.gzip_compress(chunk, &mut out).map_err(io::Error::other)?;
                out.truncate(length);
                Ok(out)
            }
        }
    }
}
