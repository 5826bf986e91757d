//! The terminal of a process: the controlling side goes to the program, the other one is its three streams and /dev/console.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    fs::{AtFlags, Gid, Mode, OFlags, Uid, chownat, openat},
    pty::{OpenptFlags, ioctl_tiocgptpeer, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use super::{dev::mount_console, tree::Tree};
use crate::{SetupError, error::Doing, spec::TerminalSize};

/// Both sides of a terminal.
pub(super) struct Terminal {
    /// For the program.
    pub(super) controlling: OwnedFd,
    /// For the process.
    pub(super) own: OwnedFd,
}

/// Opens a terminal of this size of /dev/pts inside that belongs to `uid`, and mounts it as /dev/console.
pub(super) fn open(dev: impl AsFd, uid: u32, size: TerminalSize) -> Result<Terminal, SetupError> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let controlling =
        openat(&dev, "pts/ptmx", flags, Mode::empty()).doing("open a terminal", "/dev/pts/ptmx")?;
    unlockpt(&controlling).doing("unlock the terminal", "")?;
    let size = Winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&controlling, size).doing("set the terminal's size", "")?;
    let peer = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let own = ioctl_tiocgptpeer(&controlling, peer).doing("open the terminal's other side", "")?;
    let name = ptsname(&controlling, Vec::new()).doing("name the terminal", "")?;
    let name = name.to_string_lossy();
    // `/dev/pts/0` inside: the name's last part is its name in every instance.
    let path = format!("pts/{}", name.rsplit('/').next().unwrap_or_default());
    // With one id only the terminal is the caller's already.
    let _ = chownat(
        &dev,
        path.as_str(),
        Some(Uid::from_raw(uid)),
        None::<Gid>,
        AtFlags::empty(),
    );
    let place = openat(&dev, path.as_str(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let tree = Tree::at(place.doing("open the terminal", &path)?).doing("bind the terminal", &path)?;
    mount_console(dev, &tree)?;
    Ok(Terminal { controlling, own })
}
