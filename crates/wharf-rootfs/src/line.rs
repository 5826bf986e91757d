//! Whether a connection to the kernel has held.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

/// A connection, kept open beside its server until that ends: who asks gets no error before the server's end is known here.
#[derive(Debug)]
pub(crate) struct Line(Mutex<Option<OwnedFd>>);

impl Line {
    /// Of an open `/dev/fuse`.
    pub(crate) fn new(fuse: &OwnedFd) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self(Mutex::new(Some(fuse.try_clone()?)))))
    }

    /// Whether the file system is mounted and its server runs. A connection that has ended does not come back, so then it has been so
    /// from the beginning.
    pub(crate) fn holds(&self) -> bool {
        let fuse = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fuse.as_ref()
            .is_some_and(|fuse| is_connected(fuse).unwrap_or(false))
    }

    /// The server's thread holds this while it serves.
    pub(crate) fn serving(self: &Arc<Self>) -> Serving {
        Serving(self.clone())
    }
}

/// A server at work.
pub(crate) struct Serving(Arc<Line>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// An ended connection is an error to poll(2).
fn is_connected(fuse: &OwnedFd) -> Result<bool, Errno> {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut one = [PollFd::from_borrowed_fd(fuse.as_fd(), PollFlags::IN)];
    poll(&mut one, Some(&now))?;
    Ok(!one[0].revents().contains(PollFlags::ERR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_while_its_server_serves_and_its_other_end_is_there() {
        let (reader, writer) = io::pipe().unwrap();
        let line = Line::new(&writer.into()).unwrap();
        let serving = line.serving();
        assert!(line.holds());
        drop(reader);
        assert!(!line.holds(), "an error to poll(2), as an ended connection is");

        let (_reader, writer) = io::pipe().unwrap();
        let other = Line::new(&writer.into()).unwrap();
        assert!(other.holds());
        drop((serving, other.serving()));
        assert!(!other.holds(), "its server has ended");
    }
}
