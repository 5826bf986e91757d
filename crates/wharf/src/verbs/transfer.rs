//! `wharf pull` and `wharf push`.

use std::process::ExitCode;

use wharf_build::{
    build::Machine,
    image_source::{ImageSourceError, WantedPlatforms},
};
use wharf_graph::{ImageSource, PullPolicy};
use wharf_oci::{Platform, Reference};
use wharf_store::ImageRecord;

use super::images::{find, reference};
use crate::{
    args::{
        UsageError,
        cli::{GlobalArgs, PullArgs, PushArgs},
        values,
    },
    machine::{Choices, local, machine},
    report::{Code, Report},
    stdout::out,
};

/// Fetches an image, or several of an index, and names it in the store.
pub(crate) fn pull(global: &GlobalArgs, args: &PullArgs) -> Result<ExitCode, Report> {
    let local = local(global)?;
    let machine = machine(&local, &Choices::default())?;
    let name = reference(&args.image)?;
    let wanted = wanted(&args.platform).map_err(|error| Report::new(Code::Usage, error))?;
    let pulled = match &wanted {
        WantedPlatforms::These(one) if one.len() == 1 => pull_one(&machine, &name, &one[0]),
        wanted => machine.images.pull_index(&name, wanted, &|_| ()),
    };
    let record = pulled.map_err(|error| {
        let hint = error.hint();
        Report::new(Code::Environment, error).with_hint(hint)
    })?;
    local
        .store
        .put_image(&name.to_string(), &record)
        .map_err(|error| Report::new(Code::Environment, error))?;
    out!("{} {}", name.familiar(), record.manifest);
    Ok(ExitCode::SUCCESS)
}

fn wanted(named: &[String]) -> Result<WantedPlatforms, UsageError> {
    if named.iter().any(|name| name == "all") {
        return Ok(WantedPlatforms::All);
    }
    let mut platforms = values::platforms(named)?;
    if platforms.is_empty() {
        platforms.push(Platform::host());
    }
    Ok(WantedPlatforms::These(platforms))
}

/// One image of an index is kept as itself.
fn pull_one(
    machine: &Machine,
    name: &Reference,
    platform: &Platform,
) -> Result<ImageRecord, ImageSourceError> {
    let source = ImageSource {
        reference: name.to_string(),
        digest: None,
        pull: PullPolicy::Always,
    };
    let resolved = machine.images.resolve(&source, platform)?;
    check_platform(name, Platform::of(&resolved.config), platform)?;
    let root = machine.images.root_of(name, &resolved.manifest, &|_| ())?;
    machine.images.record(&resolved.manifest, &root)
}

/// Refuses an image for another platform: one that is in no index comes whatever it is for, as bases do.
fn check_platform(
    name: &Reference,
    offered: Platform,
    wanted: &Platform,
) -> Result<(), wharf_registry::Error> {
    // Old images do not say what they are for; they are taken at no word.
    let is_told = !offered.os.is_empty() && !offered.architecture.is_empty();
    if !is_told || wanted.runs(&offered) {
        return Ok(());
    }
    Err(wharf_registry::Error::WrongPlatform {
        name: name.familiar(),
        wanted: Box::new(wanted.clone()),
        offered: vec![offered],
    })
}

/// Sends an image of the store to a registry.
pub(crate) fn push(global: &GlobalArgs, args: &PushArgs) -> Result<ExitCode, Report> {
    let local = local(global)?;
    let machine = machine(&local, &Choices::default())?;
    let image: ImageRecord = find(&local.store, &reference(&args.image)?)?;
    let name = reference(args.name.as_deref().unwrap_or(&args.image))?;
    let built = machine
        .images
        .stored(&image)
        .map_err(|error| Report::new(Code::Environment, error))?;
    machine.images.push(&built, &name).map_err(|error| {
        let hint = error.hint();
        Report::new(Code::Environment, error).with_hint(hint)
    })?;
    out!("{} {}", name.familiar(), built.digest());
    Ok(ExitCode::SUCCESS)
}
