//! `wharf images`, `tag`, `rmi`, `inspect`.

use std::process::ExitCode;

use indicatif::HumanBytes;
use serde_json::{Value, json};
use wharf_oci::Reference;
use wharf_store::{ImageRecord, Store};

use crate::{
    args::cli::{FormatArgs, GlobalArgs, InspectArgs, RmiArgs, TagArgs},
    machine::{Choices, local, machine},
    report::{Code, Message, Report},
    stdout::out,
};

/// The most that is read of a manifest or configuration.
const DOCUMENT_LIMIT: u64 = 16 << 20;

fn environment(error: impl std::error::Error + 'static) -> Report {
    Report::new(Code::Environment, error)
}

/// An image's name as the store keeps it: with a tag.
pub(crate) fn reference(text: &str) -> Result<Reference, Report> {
    text.parse().map(Reference::or_latest).map_err(|error| {
        Report::new(
            Code::Usage,
            Message(format!("`{text}` is not an image reference: {error}")),
        )
    })
}

/// The image of this name.
pub(crate) fn find(store: &Store, name: &Reference) -> Result<ImageRecord, Report> {
    store
        .image(&name.to_string())
        .map_err(environment)?
        .ok_or_else(|| {
            let error = Message(format!("there is no image {} in the store", name.familiar()));
            Report::new(Code::Usage, error).with_hint(Some(
                "`wharf images` lists what there is; `wharf pull` fetches one".into(),
            ))
        })
}

/// Lists images.
pub(crate) fn list(global: &GlobalArgs, format: &FormatArgs) -> Result<ExitCode, Report> {
    let local = local(global)?;
    let images = local.store.images().map_err(environment)?;
    if format.json {
        let rows: Vec<_> = images
            .iter()
            .map(|(name, image)| json!({"name": name, "digest": image.manifest, "named_at": image.named_at}))
            .collect();
        out!("{:#}", Value::Array(rows));
        return Ok(ExitCode::SUCCESS);
    }
    out!("{:<48} {:<14} {:>10}  CREATED", "NAME", "DIGEST", "SIZE");
    for (name, image) in images {
        let familiar = name.parse::<Reference>().map_or(name, |name| name.familiar());
        let size = size(&local.store, &image).unwrap_or_default();
        let created = jiff::Timestamp::from_second(image.named_at).unwrap_or_default();
        out!(
            "{familiar:<48} {:<14} {:>10}  {}",
            image.manifest.short(),
            HumanBytes(size).to_string(),
            created.strftime("%Y-%m-%d %H:%M")
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn document(store: &Store, digest: &wharf_oci::Digest) -> Option<Value> {
    serde_json::from_slice(&store.read_blob(digest, DOCUMENT_LIMIT).ok()?).ok()
}

/// Sum of layers and configuration, compressed.
fn size(store: &Store, image: &ImageRecord) -> Option<u64> {
    let manifest = document(store, &image.manifest)?;
    let of = |value: &Value| value.get("size").and_then(Value::as_u64).unwrap_or_default();
    let layers: u64 = manifest.get("layers")?.as_array()?.iter().map(of).sum();
    Some(layers + of(manifest.get("config")?))
}

/// Gives an image another name.
pub(crate) fn tag(global: &GlobalArgs, args: &TagArgs) -> Result<ExitCode, Report> {
    let local = local(global)?;
    let image = find(&local.store, &reference(&args.image)?)?;
    local
        .store
        .put_image(&reference(&args.name)?.to_string(), &image)
        .map_err(environment)?;
    Ok(ExitCode::SUCCESS)
}

/// Removes names.
pub(crate) fn remove(global: &GlobalArgs, args: &RmiArgs) -> Result<ExitCode, Report> {
    let local = local(global)?;
    for text in &args.images {
        let name = reference(text)?;
        find(&local.store, &name)?;
        local.store.remove_image(&name.to_string()).map_err(environment)?;
        out!("removed {}", name.familiar());
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows manifest and configuration.
pub(crate) fn inspect(global: &GlobalArgs, args: &InspectArgs) -> Result<ExitCode, Report> {
    let local = local(global)?;
    let name = reference(&args.image)?;
    let shown = if args.remote {
        let machine = machine(&local, &Choices::default())?;
        let registry = machine.images.registry().map_err(environment)?;
        let pulled = machine
            .network
            .wait(registry.pull(&name, &wharf_oci::Platform::host()))
            .map_err(environment)?;
        json!({
            "name": name.to_string(),
            "digest": pulled.manifest_document.descriptor.digest,
            "manifest": serde_json::from_slice::<Value>(&pulled.manifest_document.bytes).unwrap_or_default(),
            "config": serde_json::from_slice::<Value>(&pulled.config_bytes).unwrap_or_default(),
        })
    } else {
        let image = find(&local.store, &name)?;
        let manifest = document(&local.store, &image.manifest).unwrap_or_default();
        let config = manifest
            .pointer("/config/digest")
            .and_then(Value::as_str)
            .and_then(|digest| digest.parse().ok());
        json!({
            "name": name.to_string(),
            "digest": image.manifest,
            "manifest": manifest,
            "config": config.and_then(|digest| document(&local.store, &digest)),
        })
    };
    out!("{shown:#}");
    Ok(ExitCode::SUCCESS)
}
