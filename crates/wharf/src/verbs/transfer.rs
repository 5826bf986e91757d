//! `wharf pull` and `wharf push`.

use std::process::ExitCode;

use wharf_graph::{ImageSource, PullPolicy};
use wharf_oci::Platform;
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
