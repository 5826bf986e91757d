//! `wharf images`, `tag`, `rmi`, `inspect`.

use std::{collections::BTreeMap, process::ExitCode};

use indicatif::HumanBytes;
use serde_json::{Value, json};
use wharf_build::attest::{AttestationManifest, Statement};
use wharf_oci::{Descriptor, Digest, Document, Index, Manifest, Platform, Reference};
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
            .map(|(name, image)| {
                let platforms = platforms(&local.store, image);
                json!({"name": name, "digest": image.manifest, "named_at": image.named_at, "platforms": platforms})
            })
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

fn document(store: &Store, digest: &Digest) -> Option<Value> {
    serde_json::from_slice(&store.read_blob(digest, DOCUMENT_LIMIT).ok()?).ok()
}

/// Sum of layers and configurations, compressed; what the images of an index share counts once.
fn size(store: &Store, image: &ImageRecord) -> Option<u64> {
    let mut sizes = BTreeMap::new();
    for manifest in manifests(image) {
        let manifest = document(store, manifest)?;
        let layers = manifest.get("layers")?.as_array()?;
        for blob in layers.iter().chain(manifest.get("config")) {
            let size = blob.get("size").and_then(Value::as_u64).unwrap_or_default();
            sizes.insert(blob.get("digest")?.as_str()?.to_owned(), size);
        }
    }
    Some(sizes.values().sum())
}

/// The manifests of an image: its own, or those of its index.
fn manifests(image: &ImageRecord) -> Vec<&Digest> {
    match &image.images[..] {
        [] => vec![&image.manifest],
        images => images.iter().map(|each| &each.manifest).collect(),
    }
}

/// What an image is for, as its configurations say.
fn platforms(store: &Store, image: &ImageRecord) -> Vec<String> {
    let platform = |manifest| {
        Some(Platform::of(
            &serde_json::from_value(config(store, manifest)?).ok()?,
        ))
    };
    let platforms = manifests(image).into_iter().filter_map(platform);
    platforms.map(|platform| platform.to_string()).collect()
}

/// The configuration of the image with this manifest.
fn config(store: &Store, manifest: &Digest) -> Option<Value> {
    let digest = document(store, manifest)?
        .pointer("/config/digest")?
        .as_str()?
        .parse()
        .ok()?;
    document(store, &digest)
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

/// Manifest and configuration; of an index also those of each of its images.
fn inspected(store: &Store, name: &Reference, image: &ImageRecord) -> Value {
    let show = |digest: &Digest| {
        let manifest = document(store, digest).unwrap_or_default();
        json!({"digest": digest, "manifest": manifest, "config": config(store, digest)})
    };
    let mut shown = show(&image.manifest);
    shown["name"] = name.to_string().into();
    if !image.images.is_empty() {
        shown["images"] = manifests(image).into_iter().map(show).collect();
    }
    if let Ok(index) = serde_json::from_value(shown["manifest"].clone()) {
        show_attestations(&mut shown, &index, &|digest| document(store, digest));
    }
    shown
}

/// What is said about the images of an index: the types of the predicates, and where the statements are.
fn show_attestations(shown: &mut Value, index: &Index, fetch: &dyn Fn(&Digest) -> Option<Value>) {
    let of_entry = |entry: &Descriptor| {
        let about = AttestationManifest::about_of(entry)?;
        let manifest: Manifest = serde_json::from_value(fetch(&entry.digest)?).ok()?;
        Some(json!({
            "about": about,
            "digest": entry.digest,
            "statements": statements(&manifest),
        }))
    };
    let attested: Vec<_> = index.manifests.iter().filter_map(of_entry).collect();
    if !attested.is_empty() {
        shown["attestations"] = attested.into();
    }
}

fn statements(manifest: &Manifest) -> Vec<Value> {
    let shown = |statement: Statement| {
        json!({
            "predicate_type": statement.predicate_type,
            "digest": statement.digest,
            "size": statement.size,
        })
    };
    Statement::of(manifest).into_iter().map(shown).collect()
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
            .wait(registry.pull(&name, &Platform::host()))
            .map_err(environment)?;
        let mut shown = json!({
            "name": name.to_string(),
            "digest": pulled.manifest_document.descriptor.digest,
            "manifest": serde_json::from_slice::<Value>(&pulled.manifest_document.bytes).unwrap_or_default(),
            "config": serde_json::from_slice::<Value>(&pulled.config_bytes).unwrap_or_default(),
        });
        if let Document::Index(index) = &pulled.top.document {
            let fetch = |digest: &Digest| {
                let entry = name.with_digest(*digest);
                let fetched = machine.network.wait(registry.manifest(&entry)).ok()?;
                serde_json::from_slice(&fetched.bytes).ok()
            };
            show_attestations(&mut shown, index, &fetch);
        }
        shown
    } else {
        inspected(&local.store, &name, &find(&local.store, &name)?)
    };
    out!("{shown:#}");
    Ok(ExitCode::SUCCESS)
}
