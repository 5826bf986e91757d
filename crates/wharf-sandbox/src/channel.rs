//! Messages with file descriptors between the program and a sandbox's first processes, over a Unix socket that keeps their bounds.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
        SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType, recv,
        recvmsg, sendmsg, shutdown, socketpair,
    },
};
use serde::{Serialize, de::DeserializeOwned};

/// The longest message; specifications travel in a file, so that this is for reports.
const LONGEST: usize = 64 << 10;

/// The most descriptors that one message carries: what a specification has of agents, and a terminal.
const DESCRIPTORS: usize = 32;

/// One end.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

impl Channel {
    /// Both ends; neither survives an exec.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Self(ours), theirs))
    }

    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self(socket)
    }

    /// Sends a message and copies of `files`.
    pub(crate) fn send(&self, message: &impl Serialize, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = postcard::to_stdvec(message).map_err(io::Error::other)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(files)) {
            return Err(Errno::TOOBIG.into());
        }
        retry(|| {
            sendmsg(
                &self.0,
                &[IoSlice::new(&bytes)],
                &mut control,
                SendFlags::NOSIGNAL,
            )
        })?;
        Ok(())
    }

    /// The next message and what came with it; none when the other end is gone.
    pub(crate) fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let mut bytes = vec![0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let got = retry(|| recvmsg(&self.0, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags))?;
        if got.bytes == 0 {
            return Ok(None);
        }
        if got.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            return Err(Errno::MSGSIZE.into());
        }
        let message = postcard::from_bytes(&bytes[..got.bytes]).map_err(io::Error::other)?;
        let files = control.drain().filter_map(|part| match part {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        });
        Ok(Some((message, files.flatten().collect())))
    }

    /// Waits until the other end says that nothing more will come, or is gone; what it says until then is not heard.
    pub(crate) fn until_finished(&self) {
        let mut bytes = [0; 64];
        // The rest of a longer message goes with it, and so do descriptors.
        while retry(|| recv(&self.0, &mut bytes, RecvFlags::empty())).is_ok_and(|(_, length)| length > 0) {}
    }

    /// Tells the other end that nothing more will come; what it says still arrives.
    pub(crate) fn finish(&self) {
        // The other end may be gone already, which is what is wanted.
        let _ = shutdown(&self.0, Shutdown::Write);
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Repeats a call that a signal interrupted.
pub(crate) fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Read};

    use super::*;

    #[test]
    fn messages_keep_their_bounds_and_files() {
        let (one, other) = Channel::pair().unwrap();
        let other = Channel::new(other);
        let file = File::open("/dev/zero").unwrap();
        one.send(&"first", &[]).unwrap();
        one.send(&"second", &[file.as_fd(), file.as_fd()]).unwrap();
        one.finish();
        let (text, files) = other.receive::<String>().unwrap().unwrap();
        assert_eq!((text.as_str(), files.len()), ("first", 0));
        let (text, files) = other.receive::<String>().unwrap().unwrap();
        assert_eq!((text.as_str(), files.len()), ("second", 2));
        let mut byte = [1];
        File::from(files.into_iter().next().unwrap())
            .read_exact(&mut byte)
            .unwrap();
        assert_eq!(byte, [0]);
        assert!(other.receive::<String>().unwrap().is_none());
        other.send(&"back", &[]).unwrap();
        assert_eq!(one.receive::<String>().unwrap().unwrap().0, "back");
    }
}
