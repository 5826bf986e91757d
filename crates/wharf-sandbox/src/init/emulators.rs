//! Emulators for the programs of other processors, registered in this user namespace: a binfmt_misc of its own, which the machine's
//! programs do not see (Linux 6.7).

use std::{fmt::Write as _, fs::File, io::Write as _, os::unix::ffi::OsStrExt as _};

use rustix::{
    fs::{Mode, OFlags, openat},
    io::Errno,
    mount::MountAttrFlags,
};

use super::tree::{INERT, Tree};
use crate::{Emulator, SetupError, error::Doing};

/// Registers all while the machine's files can still be seen: with the flag `F` the kernel opens an emulator now. What is registered
/// lasts as long as the mount that is returned.
pub(super) fn register(emulators: &[Emulator]) -> Result<Option<Tree>, SetupError> {
    if emulators.is_empty() {
        return Ok(None);
    }
    let tree = Tree::new("binfmt_misc", &[], INERT)?;
    for emulator in emulators {
        add(&tree, emulator).doing("register the emulator", &emulator.program)?;
    }
    tree.restrict(MountAttrFlags::MOUNT_ATTR_RDONLY).map(Some)
}

fn add(tree: &Tree, emulator: &Emulator) -> std::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let mut register = File::from(openat(tree, "register", flags, Mode::empty())?);
    match register.write(&rule(emulator)) {
        // A process that shares the user namespace has registered the same.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::EXIST) => Ok(()),
        written => written.map(drop),
    }
}

/// `:name:M::magic:mask:program:flags`. `P`: the emulator is told argument 0. `O`: it gets the program as an open file, which it need
/// not be able to read. `C`: set-user-id programs are what they are. `F`: it is opened now, whatever root the program runs in.
fn rule(emulator: &Emulator) -> Vec<u8> {
    let (magic, mask) = (escaped(&emulator.magic), escaped(&emulator.mask));
    // No path that people use has the byte between the fields.
    let mut rule = format!("\u{1}{}\u{1}M\u{1}\u{1}{magic}\u{1}{mask}\u{1}", emulator.name).into_bytes();
    rule.extend(emulator.program.as_os_str().as_bytes());
    rule.extend(b"\x01POCF");
    rule
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "\\x{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_may_hold_any_path() {
        let emulator = Emulator {
            name: "x".into(),
            magic: vec![0x7f, b':'],
            mask: vec![0xff, 0xfe],
            program: "/opt/a:b/qemu".into(),
        };
        assert_eq!(
            String::from_utf8(rule(&emulator)).unwrap().replace('\u{1}', "|"),
            r"|x|M||\x7f\x3a|\xff\xfe|/opt/a:b/qemu|POCF"
        );
    }
}
