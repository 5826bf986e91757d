//! `--output`, `--push` and `--load`: what becomes of the result.

use wharf_build::request::{Compression, Destination, Output, OutputKind};
use wharf_oci::Reference;

use super::{
    UsageError,
    build::BuildArgs,
    fields::{self, Field},
};

/// The outputs that were asked for. Empty when none was: the caller then keeps the image in the store.
pub(crate) fn outputs(args: &BuildArgs) -> Result<Vec<Output>, UsageError> {
    let mut outputs = args
        .output
        .iter()
        .map(|text| output(text))
        .collect::<Result<Vec<_>, _>>()?;
    if args.push {
        push(&mut outputs)?;
    }
    if args.load
        && !outputs
            .iter()
            .any(|output| output.kind == OutputKind::Docker && output.dest.is_none())
    {
        outputs.push(Output::new(OutputKind::Docker));
    }
    Ok(outputs)
}

/// `--push` turns an image output into a pushed one, or adds one.
fn push(outputs: &mut Vec<Output>) -> Result<(), UsageError> {
    let mut images = outputs
        .iter_mut()
        .filter(|output| output.kind == OutputKind::Image)
        .peekable();
    if images.peek().is_some() {
        images.for_each(|output| output.push = true);
    } else if outputs.is_empty() {
        outputs.push(Output {
            push: true,
            ..Output::new(OutputKind::Image)
        });
    } else {
        return Err(UsageError::PushAndOutput);
    }
    Ok(())
}

/// One `--output`: a path, `-`, or fields with a `type`.
fn output(text: &str) -> Result<Output, UsageError> {
    let fields = fields::parse(text).map_err(|error| UsageError::Fields("--output", error))?;
    if let [Field { key: _, value: None }] = &fields[..] {
        return Ok(short(text));
    }
    let kind = fields
        .iter()
        .find(|field| field.key == "type")
        .and_then(|field| field.value.as_deref());
    let mut output = of_type(
        kind.ok_or_else(|| UsageError::value("--output", text, "a type= field"))?,
        text,
    )?;
    for field in fields.into_iter().filter(|field| field.key != "type") {
        set(&mut output, &field, text)?;
    }
    if output.kind == OutputKind::Local && matches!(output.dest, None | Some(Destination::Stdout)) {
        return Err(UsageError::value("--output", text, "dest=DIRECTORY"));
    }
    if matches!(output.kind, OutputKind::Tar | OutputKind::Oci) && output.dest.is_none() {
        output.dest = Some(Destination::Stdout);
    }
    Ok(output)
}

fn short(text: &str) -> Output {
    let (kind, dest) = match text {
        "-" => (OutputKind::Tar, Destination::Stdout),
        path => (OutputKind::Local, Destination::Path(path.into())),
    };
    Output {
        dest: Some(dest),
        ..Output::new(kind)
    }
}

fn of_type(kind: &str, text: &str) -> Result<Output, UsageError> {
    Ok(match kind {
        "image" => Output::new(OutputKind::Image),
        "registry" => Output {
            push: true,
            ..Output::new(OutputKind::Image)
        },
        "oci" => Output::new(OutputKind::Oci),
        "docker" => Output::new(OutputKind::Docker),
        "tar" => Output::new(OutputKind::Tar),
        "local" => Output::new(OutputKind::Local),
        "cacheonly" => Output::new(OutputKind::CacheOnly),
        _ => {
            return Err(UsageError::value(
                "--output",
                text,
                "type=oci, docker, tar, local, image, registry or cacheonly",
            ));
        }
    })
}

fn set(output: &mut Output, field: &Field, text: &str) -> Result<(), UsageError> {
    let value = field.value.as_deref().unwrap_or_default();
    let bad = |wanted: &str| UsageError::value("--output", text, wanted);
    let flag = || match field.value.as_deref() {
        None | Some("true" | "1" | "t" | "TRUE" | "True") => Ok(true),
        Some("false" | "0" | "f" | "FALSE" | "False") => Ok(false),
        Some(_) => Err(bad(&format!("true or false for {}", field.key))),
    };
    match &field.key[..] {
        "dest" if value == "-" => output.dest = Some(Destination::Stdout),
        "dest" => output.dest = Some(Destination::Path(value.into())),
        "name" => {
            let parse = |name: &str| {
                name.trim()
                    .parse()
                    .map(Reference::or_latest)
                    .map_err(|_| bad("an image reference for name"))
            };
            output.names = value
                .split(',')
                .filter(|name| !name.is_empty())
                .map(parse)
                .collect::<Result<_, _>>()?;
        }
        "push" => output.push = flag()?,
        "tar" => output.tar = flag()?,
        "oci-mediatypes" => output.oci_media_types = flag()?,
        "platform-split" => output.platform_split = Some(flag()?),
        "attestation-inline" => output.attestation_inline = Some(flag()?),
        "attestation-prefix" if value.contains('/') => return Err(bad("no folder in attestation-prefix")),
        "attestation-prefix" => value.clone_into(&mut output.attestation_prefix),
        "oci-artifact" => output.oci_artifact = flag()?,
        "rewrite-timestamp" => output.rewrite_timestamp = flag()?,
        "compression" => {
            output.compression = compression(value).ok_or_else(|| bad("gzip, zstd or uncompressed"))?;
        }
        "compression-level" => {
            let level = value.parse().map_err(|_| bad("a number for compression-level"))?;
            output.compression = leveled(output.compression, level);
        }
        // Every layer of wharf's own is encoded alike; those that were pulled keep their blobs.
        "force-compression" | "unpack" | "store" | "push-by-digest" | "dangling-name-prefix" | "context" => {}
        key => return Err(UsageError::value("--output", text, &format!("no field `{key}`"))),
    }
    Ok(())
}

fn compression(name: &str) -> Option<Compression> {
    match name {
        "gzip" => Some(Compression::Gzip),
        "zstd" => Some(Compression::Zstd(3)),
        "uncompressed" => Some(Compression::Uncompressed),
        _ => None,
    }
}

fn leveled(compression: Compression, level: u8) -> Compression {
    match compression {
        Compression::Gzip | Compression::GzipLevel(_) => Compression::GzipLevel(level.min(9)),
        Compression::Zstd(_) => Compression::Zstd(level.min(22)),
        Compression::Uncompressed => Compression::Uncompressed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_directory_and_a_dash_a_tar() {
        assert_eq!(output("out").unwrap().kind, OutputKind::Local);
        let tar = output("-").unwrap();
        assert_eq!((tar.kind, tar.dest), (OutputKind::Tar, Some(Destination::Stdout)));
    }

    #[test]
    fn fields_are_read_in_any_order() {
        let oci = output("dest=a.tar,type=oci,tar=false,compression=zstd,compression-level=9").unwrap();
        assert_eq!(oci.dest, Some(Destination::Path("a.tar".into())));
        assert_eq!((oci.tar, oci.compression), (false, Compression::Zstd(9)));
        assert_eq!(
            output(r#"type=image,"name=a:1,b:2",push=true"#)
                .unwrap()
                .names
                .len(),
            2
        );
    }

    #[test]
    fn mistakes_are_named() {
        for text in [
            "type=zip",
            "dest=x,foo=1,type=oci",
            "type=local",
            "type=image,push=maybe",
        ] {
            assert!(output(text).is_err(), "{text}");
        }
    }
}
