//! From flags as typed to a build request: the only reader of their values.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use wharf_build::{
    output::{OutputError, SEVERAL_PLATFORMS},
    request::{Annotation, Bases, BuildRequest, ContextSource, DockerfileSource, OutputKind},
};
use wharf_graph::{GitSource, GitUrl};
use wharf_oci::{Platform, Reference};

use crate::{
    args::{UsageError, attest::attestations, build::BuildArgs, outputs::outputs, values},
    machine::processors,
    report::{Code, Report},
    settings::{Project, find_project},
};

/// A request and what the user should be told about the flags.
#[derive(Debug)]
pub(crate) struct Requested {
    /// What to build.
    pub(crate) build: BuildRequest,
    /// Flags that were accepted and do nothing.
    pub(crate) warnings: Vec<String>,
    /// What standard input held, kept until the build is done.
    _stdin: Option<tempfile::TempDir>,
}

/// Reads `args`.
pub(crate) fn request(args: &BuildArgs) -> Result<Requested, Report> {
    let usage = |error: UsageError| Report::new(Code::Usage, error);
    let warnings = crate::args::support::check(args).map_err(usage)?;
    let (context, dockerfile, stdin) = sources(args)?;
    let project = project(&context, &dockerfile)?;
    let build = values_of(args, context, dockerfile, project).map_err(usage)?;
    Ok(Requested {
        build,
        warnings,
        _stdin: stdin,
    })
}

fn values_of(
    args: &BuildArgs,
    context: ContextSource,
    dockerfile: DockerfileSource,
    project: Project,
) -> Result<BuildRequest, UsageError> {
    let is_base = |name: &str| project.bases.contains_key(name);
    let platforms = platforms(&args.platform)?;
    let outputs = outputs(args)?;
    if platforms.len() > 1 && outputs.iter().any(|output| output.kind == OutputKind::Docker) {
        return Err(UsageError::Refused {
            flag: "--output type=docker (or --load) of several platforms".to_owned(),
            why: format!("{}; {SEVERAL_PLATFORMS}", OutputError::SeveralPlatforms),
        });
    }
    let build_args: BTreeMap<_, _> = args
        .build_arg
        .iter()
        .map(|text| values::build_arg(text))
        .collect::<Result<_, _>>()?;
    Ok(BuildRequest {
        context,
        dockerfile,
        target: args.target.clone(),
        named_contexts: args
            .build_context
            .iter()
            .map(|text| values::named_context(text, is_base))
            .collect::<Result<_, _>>()?,
        labels: args
            .label
            .iter()
            .map(|text| label(text))
            .collect::<Result<_, _>>()?,
        annotations: annotations(args, &platforms)?,
        secrets: args
            .secret
            .iter()
            .map(|text| values::secret(text))
            .collect::<Result<_, _>>()?,
        ssh: args
            .ssh
            .iter()
            .map(|text| values::ssh(text))
            .collect::<Result<_, _>>()?,
        hosts: args
            .add_host
            .iter()
            .map(|text| values::host(text))
            .collect::<Result<_, _>>()?,
        network: network(&args.network)?,
        shm_size: args
            .shm_size
            .as_deref()
            .map(|text| values::byte_size("--shm-size", text))
            .transpose()?,
        ulimits: args
            .ulimit
            .iter()
            .map(|text| values::ulimit(text))
            .collect::<Result<_, _>>()?,
        allow: args.allow.clone(),
        no_cache: args.no_cache,
        no_cache_filter: args.no_cache_filter.clone(),
        reproducible_steps: args.wharf.reproducible_steps,
        verify_cache: args
            .wharf
            .verify_cache
            .as_deref()
            .map(|text| values::percent("--verify-cache", text))
            .transpose()?,
        pull: args.pull,
        platforms,
        tags: args
            .tag
            .iter()
            .map(|text| reference("--tag", text))
            .collect::<Result<_, _>>()?,
        outputs,
        attestations: attestations(args)?,
        source_date_epoch: source_date_epoch(&build_args)?,
        build_args,
        bases: Bases {
            tables: project.bases,
            file: project.file,
        },
        parallel: args
            .wharf
            .parallel
            .map_or_else(processors, std::num::NonZeroUsize::get),
    })
}

/// `--platform`, else what the environment says to Docker's command.
pub(crate) fn platforms(named: &[String]) -> Result<Vec<Platform>, UsageError> {
    if !named.is_empty() {
        return values::platforms(named);
    }
    let default = env::var("DOCKER_DEFAULT_PLATFORM").unwrap_or_default();
    let texts: Vec<_> = default
        .split(',')
        .filter(|text| !text.trim().is_empty())
        .map(str::to_owned)
        .collect();
    values::platforms(&texts)
}

/// `--annotation`; one for a platform that nothing is built for would be on no document.
fn annotations(args: &BuildArgs, platforms: &[Platform]) -> Result<Vec<Annotation>, UsageError> {
    let host = [Platform::host()];
    let built = if platforms.is_empty() { &host } else { platforms };
    let mut all = Vec::new();
    for text in &args.annotation {
        let annotations = values::annotations(text)?;
        let names_another = |annotation: &Annotation| {
            let platform = annotation.platform.as_ref();
            platform.is_some_and(|platform| !built.contains(platform))
        };
        if annotations.iter().any(names_another) {
            return Err(UsageError::value(
                "--annotation",
                text,
                "a platform that is built",
            ));
        }
        all.extend(annotations);
    }
    Ok(all)
}

fn label(text: &str) -> Result<(String, String), UsageError> {
    match values::assignment(text) {
        (key, value) if !key.is_empty() => Ok((key, value.unwrap_or_default())),
        _ => Err(UsageError::value("--label", text, "KEY=VALUE")),
    }
}

fn network(text: &str) -> Result<String, UsageError> {
    match text {
        "default" | "host" | "none" => Ok(text.to_owned()),
        _ => Err(UsageError::value("--network", text, "default, host or none")),
    }
}

/// An image's name with its tag: what the store and registries know it by.
fn reference(flag: &'static str, text: &str) -> Result<Reference, UsageError> {
    text.parse()
        .map(Reference::or_latest)
        .map_err(|error| UsageError::value(flag, text, &format!("an image reference ({error})")))
}

/// `--build-arg SOURCE_DATE_EPOCH` or, as buildx does, the environment's.
fn source_date_epoch(build_args: &BTreeMap<String, Option<String>>) -> Result<Option<i64>, UsageError> {
    let name = "SOURCE_DATE_EPOCH";
    let text = build_args
        .get(name)
        .cloned()
        .flatten()
        .or_else(|| env::var(name).ok());
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let seconds = text
        .parse()
        .map_err(|_| UsageError::value(name, &text, "seconds since 1970"))?;
    Ok(Some(seconds))
}

type Sources = (ContextSource, DockerfileSource, Option<tempfile::TempDir>);

/// Context and Dockerfile, which either may come from standard input.
fn sources(args: &BuildArgs) -> Result<Sources, Report> {
    if args.context == "-" {
        return from_stdin(args);
    }
    let file = args.file.as_deref();
    let context = context(args)?;
    if let Some(dockerfile) = dockerfile_apart(file)? {
        return Ok((context, dockerfile, None));
    }
    let ContextSource::Directory(directory) = &context else {
        let dockerfile = match file {
            // Nothing in what is fetched is called so.
            Some(file) if Path::new(file).is_absolute() => DockerfileSource::File(file.into()),
            file => in_context(file),
        };
        return Ok((context, dockerfile, None));
    };
    let dockerfile = file.map_or_else(|| default_dockerfile(directory), PathBuf::from);
    Ok((context, DockerfileSource::File(dockerfile), None))
}

fn context(args: &BuildArgs) -> Result<ContextSource, Report> {
    let text = &args.context;
    let git = values::git("context", text).map_err(|error| Report::new(Code::Usage, error))?;
    Ok(match git {
        // What is on this disk is meant rather than a host.
        Some(_) if !text.contains(':') && Path::new(text).exists() => ContextSource::Directory(text.into()),
        Some(url) => ContextSource::Git(git_context(args, url)),
        None if is_http(text) => ContextSource::Url(text.clone()),
        None => ContextSource::Directory(text.into()),
    })
}

/// A repository as the context; build arguments say of it what they say to BuildKit.
fn git_context(args: &BuildArgs, mut url: GitUrl) -> GitSource {
    let given = |name: &str| {
        let pairs = args.build_arg.iter().filter_map(|pair| pair.split_once('='));
        pairs.rev().find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    if matches!(
        given("BUILDKIT_CONTEXT_KEEP_GIT_DIR"),
        Some("1" | "t" | "T" | "true" | "TRUE" | "True")
    ) {
        url.keep_git_dir = Some(true);
    }
    url.commit_times |= given("SOURCE_DATE_EPOCH").is_some_and(|value| !value.is_empty());
    url.source()
}

fn is_http(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// A Dockerfile that is in no directory: on standard input or on http(s).
fn dockerfile_apart(file: Option<&str>) -> Result<Option<DockerfileSource>, Report> {
    Ok(match file {
        Some("-") => Some(DockerfileSource::Text {
            name: "Dockerfile".to_owned(),
            bytes: read_stdin()?,
        }),
        Some(file) if is_http(file) => Some(DockerfileSource::Url(file.to_owned())),
        _ => None,
    })
}

/// `Dockerfile`, or `dockerfile` if only that is there, as buildx looks for it.
fn default_dockerfile(directory: &Path) -> PathBuf {
    let usual = directory.join("Dockerfile");
    let lower = directory.join("dockerfile");
    if !usual.exists() && lower.exists() {
        lower
    } else {
        usual
    }
}

fn in_context(file: Option<&str>) -> DockerfileSource {
    DockerfileSource::InContext(file.unwrap_or("Dockerfile").to_owned())
}

/// A tar is the context; anything else is a Dockerfile without one.
fn from_stdin(args: &BuildArgs) -> Result<Sources, Report> {
    if args.file.as_deref() == Some("-") {
        let why = "context and Dockerfile cannot both come from standard input".to_owned();
        return Err(Report::new(
            Code::Usage,
            UsageError::Refused {
                flag: "--file=-".to_owned(),
                why,
            },
        ));
    }
    let failed = |error: io::Error| Report::new(Code::Environment, error);
    let mut stdin = io::stdin().lock();
    let mut bytes = Vec::new();
    (&mut stdin).take(HEAD).read_to_end(&mut bytes).map_err(failed)?;
    if !is_archive(&bytes) {
        stdin.read_to_end(&mut bytes).map_err(failed)?;
        let text = DockerfileSource::Text {
            name: "Dockerfile".to_owned(),
            bytes,
        };
        return Ok((ContextSource::Empty, text, None));
    }
    let scratch = tempfile::tempdir().map_err(failed)?;
    let path = scratch.path().join("context.tar");
    // An archive may be larger than the memory.
    let copied = fs::File::create(&path).and_then(|mut file| {
        let mut whole = io::Cursor::new(bytes).chain(stdin);
        io::copy(&mut whole, &mut file)
    });
    copied.map_err(failed)?;
    Ok((
        ContextSource::Archive(path),
        in_context(args.file.as_deref()),
        Some(scratch),
    ))
}

/// How much is looked at to tell an archive from a text: a tar's first header.
const HEAD: u64 = 512;

/// By magic number, as buildx decides: gzip, bzip2, xz, zstd, or a tar header.
fn is_archive(bytes: &[u8]) -> bool {
    const MAGIC: &[&[u8]] = &[
        &[0x1f, 0x8b],
        b"BZh",
        &[0xfd, b'7', b'z', b'X', b'Z', 0],
        &[0x28, 0xb5, 0x2f, 0xfd],
    ];
    let is_tar = bytes.len() > 262 && &bytes[257..262] == b"ustar";
    is_tar || MAGIC.iter().any(|magic| bytes.starts_with(magic))
}

fn read_stdin() -> Result<Vec<u8>, Report> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|error| Report::new(Code::Environment, error))?;
    Ok(bytes)
}

/// Where the project's settings are looked for: beside the Dockerfile.
fn project(context: &ContextSource, dockerfile: &DockerfileSource) -> Result<Project, Report> {
    let start = match (dockerfile, context) {
        (DockerfileSource::File(path), _) => path.parent().map(|parent| {
            if parent.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                parent.to_owned()
            }
        }),
        (_, ContextSource::Directory(path)) => Some(path.clone()),
        _ => None,
    };
    let Some(start) = start.filter(|start| start.is_dir()) else {
        return Ok(Project::default());
    };
    find_project(&start).map_err(|error| {
        let hint = error.hint();
        Report::new(Code::Usage, error).with_hint(hint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_input_is_told_apart() {
        assert!(!is_archive(b"FROM scratch\n"));
        assert!(is_archive(&[0x1f, 0x8b, 8, 0]));
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert!(is_archive(&tar));
    }
}
