//! `wharf base build|show|diff` and `wharf lock`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use indicatif::HumanBytes;
use wharf_base::{LockFile, Package};
use wharf_build::{
    build::Machine,
    from_lock::FromLock,
    image_source::{BaseError, debian_architecture},
    request::Bases,
};
use wharf_dockerfile::parse_bytes;
use wharf_graph::{LowerOptions, Source, required_bases};
use wharf_oci::{Platform, Reference};
use wharf_solver::Cancel;

use crate::{
    args::{
        cli::{BaseVerb, GlobalArgs, LockArgs},
        values,
    },
    machine::{Choices, local, machine},
    report::{Code, Message, Report},
    settings::{Project, find_project},
    stdout::out,
};

fn environment(error: impl std::error::Error + 'static) -> Report {
    Report::new(Code::Environment, error)
}

fn base_error(error: BaseError) -> Report {
    let code = if error.is_usage() {
        Code::Usage
    } else {
        Code::Environment
    };
    let hint = error.hint();
    Report::new(code, error).with_hint(hint)
}

fn open(global: &GlobalArgs, project: &Path, pull: bool) -> Result<(Machine, Project), Report> {
    let found = find_project(project).map_err(|error| {
        let hint = error.hint();
        Report::new(Code::Usage, error).with_hint(hint)
    })?;
    let machine = machine(&local(global)?, &Choices::default())?;
    let bases = Bases {
        tables: found.bases.clone(),
        file: found.file.clone(),
    };
    machine.images.begin(&bases, pull, None, &Cancel::new());
    Ok((machine, found))
}

/// Makes, shows or compares bases.
pub(crate) fn run(global: &GlobalArgs, verb: &BaseVerb) -> Result<ExitCode, Report> {
    let platform = Platform::host();
    match verb {
        BaseVerb::Build { name, project, pull } => {
            let (machine, _) = open(global, project, *pull)?;
            let base = machine.images.make_base(name, &platform).map_err(base_error)?;
            let size: u64 = base.packages.iter().map(|package| package.size).sum();
            out!(
                "{name}: {} packages ({}), tree {}",
                base.packages.len(),
                HumanBytes(size),
                base.tree
            );
        }
        BaseVerb::Show { name, project } => {
            let (machine, _) = open(global, project, false)?;
            let resolution = machine
                .images
                .resolve_base(name, &platform, true)
                .map_err(base_error)?;
            for package in &resolution.packages {
                out!(
                    "{:<32} {:<28} {:<8} {:>10}  {:?}",
                    package.name,
                    package.version,
                    package.architecture,
                    HumanBytes(package.size).to_string(),
                    package.reason
                );
            }
            out!(
                "{} packages, {} to download",
                resolution.packages.len(),
                HumanBytes(resolution.download_size())
            );
        }
        BaseVerb::Diff { name, other, project } => {
            let (machine, _) = open(global, project, false)?;
            return diff(&machine, name, other.as_deref(), &platform);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What the base would have now against its lock, or against another base. Exit code 1 says that they differ.
fn diff(machine: &Machine, name: &str, other: Option<&str>, platform: &Platform) -> Result<ExitCode, Report> {
    let now = machine
        .images
        .resolve_base(name, platform, other.is_some())
        .map_err(base_error)?;
    let before = match other {
        Some(other) => machine
            .images
            .resolve_base(other, platform, true)
            .map_err(base_error)?,
        None => {
            let lock = machine.images.lock_file().map_err(base_error)?;
            if lock.is_none_or(|lock| lock.base(name, debian_architecture(platform)).is_none()) {
                let error = Message(format!("the base {name} is not locked"));
                return Err(Report::new(Code::Usage, error)
                    .with_hint(Some("run `wharf lock`, or name another base".into())));
            }
            machine
                .images
                .resolve_base(name, platform, true)
                .map_err(base_error)?
        }
    };
    let versions = |packages: &[Package]| -> BTreeMap<String, String> {
        packages
            .iter()
            .map(|package| (package.name.clone(), package.version.clone()))
            .collect()
    };
    let (old, new) = (versions(&before.packages), versions(&now.packages));
    let mut differ = false;
    for name in old
        .keys()
        .chain(new.keys().filter(|name| !old.contains_key(*name)))
    {
        let line = match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) if old == new => continue,
            (Some(old), Some(new)) => format!("~ {name} {old} → {new}"),
            (Some(old), None) => format!("- {name} {old}"),
            (None, new) => format!("+ {name} {}", new.map_or("", String::as_str)),
        };
        differ = true;
        out!("{line}");
    }
    Ok(if differ {
        ExitCode::from(Code::Failed as u8)
    } else {
        ExitCode::SUCCESS
    })
}

/// Writes `wharf.lock` and `<Dockerfile>.lock`.
pub(crate) fn lock(global: &GlobalArgs, args: &LockArgs) -> Result<ExitCode, Report> {
    let mut platforms = values::platforms(&args.platform).map_err(|error| Report::new(Code::Usage, error))?;
    if platforms.is_empty() {
        platforms.push(Platform::host());
    }
    let (machine, project) = open(global, &args.project, true)?;
    if let Some(path) = machine.images.lock_path().filter(|_| !project.bases.is_empty()) {
        let mut lock = machine
            .images
            .lock_file()
            .map_err(base_error)?
            .unwrap_or_default();
        for platform in &platforms {
            lock_bases(&machine, &project, platform, &mut lock)?;
        }
        write(&path, &lock.to_text())?;
        out!("{}: {} bases", path.display(), project.bases.len());
    }
    let dockerfile = args
        .file
        .clone()
        .unwrap_or_else(|| args.project.join("Dockerfile"));
    if dockerfile.exists() {
        lock_from(&machine, &project, &dockerfile, platforms)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn lock_bases(
    machine: &Machine,
    project: &Project,
    platform: &Platform,
    lock: &mut LockFile,
) -> Result<(), Report> {
    lock.retain(|name| project.bases.contains_key(name));
    for (name, settings) in &project.bases {
        let resolution = machine
            .images
            .resolve_base(name, platform, false)
            .map_err(base_error)?;
        lock.set(name, settings, &resolution);
    }
    Ok(())
}

fn lock_from(
    machine: &Machine,
    project: &Project,
    dockerfile: &Path,
    platforms: Vec<Platform>,
) -> Result<(), Report> {
    let bytes = fs::read(dockerfile).map_err(environment)?;
    let parsed = parse_bytes(&bytes).into_result().map_err(|errors| {
        Report::new(
            Code::Usage,
            Message(format!("{} has {} errors", dockerfile.display(), errors.len())),
        )
        .with_hint(Some("`wharf check` shows them".into()))
    })?;
    let options = LowerOptions {
        bases: project.bases.keys().cloned().collect(),
        platforms,
        ..LowerOptions::new(Platform::host())
    };
    let wanted = required_bases(&parsed, &options, &wharf_graph::Bases::new()).map_err(|errors| {
        Report::new(
            Code::Usage,
            errors.into_iter().next().expect("an error says what is wrong"),
        )
    })?;
    let mut lock = FromLock::default();
    for request in wanted {
        let Source::Image(image) = request.source else {
            continue;
        };
        let reference: Reference = image.reference.parse().map_err(environment)?;
        if reference.digest().is_some() {
            continue;
        }
        let registry = machine.images.registry().map_err(environment)?;
        let descriptor = machine
            .network
            .wait(registry.resolve(&reference))
            .map_err(environment)?;
        lock.set(&reference, descriptor.digest);
    }
    if lock.is_empty() {
        return Ok(());
    }
    let path: PathBuf = FromLock::path_of(dockerfile);
    write(&path, &lock.to_text())?;
    out!("{}: {} images", path.display(), lock.len());
    Ok(())
}

/// Aside, then renamed: a lock is never half written.
fn write(path: &Path, text: &str) -> Result<(), Report> {
    let aside = path.with_extension(format!("lock.{}", std::process::id()));
    fs::write(&aside, text)
        .and_then(|()| fs::rename(&aside, path))
        .map_err(|error| {
            Report::new(
                Code::Environment,
                Message(format!("cannot write {}: {error}", path.display())),
            )
        })
}
