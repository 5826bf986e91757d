//! `wharf pull` and `wharf push`.

use std::process::ExitCode;

use wharf_graph::{ImageSource, PullPolicy};
use wharf_oci::{Platform, Reference};
use wharf_store::ImageRecord;

use super::images::{find, reference};
use crate::{
    args::{
        cli::{GlobalArgs, PullArgs, PushArgs},
        values,
    },
    machine::{Choices, local, machine},
    report::{Code, Report},
    stdout::out,
};

/// Fetches an image and names it in the store.
pub(crate) fn pull(global: &GlobalArgs, args: &PullArgs) -> Result<ExitCode, Report> {
    let local = local(global)?;
    let machine = machine(&local, &Choices::default())?;
    let name = reference(&args.image)?;
    let platform = match &args.platform {
        None => Platform::host(),
        Some(text) => values::platform(text).map_err(|error| Report::new(Code::Usage, error))?,
    };
    let source = ImageSource {
        reference: name.to_string(),
        digest: None,
        pull: PullPolicy::Always,
    };
    let failed = |error: wharf_build::image_source::ImageSourceError| {
        let hint = error.hint();
        Report::new(Code::Environment, error).with_hint(hint)
    };
    let resolved = machine.images.resolve(&source, &platform).map_err(failed)?;
    check_platform(&name, Platform::of(&resolved.config), &platform).map_err(|error| failed(error.into()))?;
    let root = machine
        .images
        .root_of(&name, &resolved.manifest, &|_| ())
        .map_err(failed)?;
    let record = machine.images.record(&resolved.manifest, &root).map_err(failed)?;
    local
        .store
        .put_image(&name.to_string(), &record)
        .map_err(|error| Report::new(Code::Environment, error))?;
    out!("{} {}", name.familiar(), resolved.manifest);
    Ok(ExitCode::SUCCESS)
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
