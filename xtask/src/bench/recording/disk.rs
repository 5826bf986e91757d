//! A file system of its own for the store: ext4 with a journal, in an image file.
//!
//! Without a journal, as the disks of some small virtual machines are made, ext4 passes over every inode that was deleted in the last
//! minutes, one by one, whenever a file is made: after a few roots were written out and removed, that is most of the time of
//! writing the next one, and a part of the steps that are timed.

use std::{fs::File, path::PathBuf, process::Command};

use crate::bench::{Bed, measure::run};

/// Sparse: what is not used takes no room.
const BYTES: u64 = 32 << 30;

/// A mounted one; unmounted when dropped.
pub(super) struct Disk(PathBuf);

impl Disk {
    /// Makes and mounts it in the scratch directory, under this name.
    pub(super) fn new(bed: &Bed, name: &str) -> Result<Self, String> {
        let image = bed.scratch.join(format!("{name}.img"));
        File::create(&image)
            .and_then(|file| file.set_len(BYTES))
            .map_err(|error| format!("{}: {error}", image.display()))?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        // That of a run that was stopped.
        let _ = run(Command::new("umount").arg(bed.scratch.join(name)));
        let place = bed.directory(name)?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&place))?;
        Ok(Self(place))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = run(Command::new("umount").arg(&self.0)) {
            println!("{error}");
        }
    }
}
