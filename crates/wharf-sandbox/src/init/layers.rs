//! The lower layers of a root whose large files have one of their own.

use std::path::{Path, PathBuf};

use super::{
    root::{Below, by_descriptor, directory, overlay},
    supervisor::expect,
    tree::{Parameter, SEALED, Tree, detach},
};
use crate::{
    Large, SetupError,
    channel::Channel,
    error::Doing,
    message::{Command, Report},
};

/// Makes the root of both file systems that the program serves, mounted at `lowers`. None when the kernel refuses that: nothing is left of it
/// then, and the program serves everything at the first.
pub(super) fn mount(
    large: &Large,
    lowers: &[PathBuf; 2],
    stage: &Path,
    below: &Below,
    user_xattrs: bool,
    channel: &Channel,
) -> Result<Option<Tree>, SetupError> {
    if let Ok(tree) = make(large, lowers, stage, below, user_xattrs) {
        return Ok(Some(tree));
    }
    below.clear_work()?;
    channel.send(&Report::LayersRefused, &[]).doing("report", "")?;
    expect(channel, |command| matches!(command, Command::Served { .. }));
    Ok(None)
}

/// A read-only overlay of what is looked up to be opened, over the contents; the root's overlay with it as data-only layer.
fn make(
    large: &Large,
    lowers: &[PathBuf; 2],
    stage: &Path,
    below: &Below,
    user_xattrs: bool,
) -> Result<Tree, SetupError> {
    let [first, second] = lowers;
    let opened = second.join(&large.data);
    let contents = directory(&large.contents)?;
    let layers: [Parameter<'_>; 2] = [
        ("lowerdir+", opened.to_str()),
        ("datadir+", Some(&by_descriptor(&contents))),
    ];
    let data = stage.join("data");
    overlay(&layers, None, user_xattrs)?
        .restrict(SEALED)?
        .attach(directory(&data)?)
        .doing("mount the contents", "")?;
    let layer = second.join(&large.layer);
    let layers: [Parameter<'_>; 3] = [
        ("lowerdir+", first.to_str()),
        ("lowerdir+", layer.to_str()),
        ("datadir+", data.to_str()),
    ];
    let made = overlay(&layers, Some(below), user_xattrs);
    detach(&data)?;
    made
}
