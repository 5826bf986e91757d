//! `RUN --mount`: what is in a step's root besides its root.

use std::cmp::Ordering;

use wharf_dockerfile::{
    Word,
    ast::{self, MountFlag, MountKind},
    expand,
};

use super::{
    error::{LowerError, LowerFault},
    from::From,
    paths,
    stage::StageLowering,
};
use crate::{
    run::{BindMount, CacheMount, FileOwner, Mount, SecretMount, Sharing, SshMount, TmpfsMount},
    source::ContextName,
    step::{Input, StepId},
};

/// Permissions of a new cache, a secret and an agent's socket when nothing is said.
const CACHE_MODE: u32 = 0o755;
const SECRET_MODE: u32 = 0o400;
const SSH_MODE: u32 = 0o600;
/// The build argument that keeps one's caches apart from others'.
const CACHE_NAMESPACE: &str = "BUILDKIT_CACHE_MOUNT_NS";

/// The mounts of a RUN, and the step's inputs: its root, then what is mounted.
pub(super) struct LoweredMounts {
    pub(super) mounts: Vec<Mount>,
    pub(super) inputs: Vec<StepId>,
}

impl StageLowering<'_> {
    pub(super) fn mounts(&mut self, flags: &[MountFlag]) -> Result<LoweredMounts, LowerError> {
        let mut lowered = LoweredMounts {
            mounts: Vec::with_capacity(flags.len()),
            inputs: vec![self.state.root],
        };
        for flag in flags {
            let mount = self.mount(flag, &mut lowered.inputs)?;
            lowered.mounts.push(mount);
        }
        lowered.mounts.sort_by(by_place);
        Ok(lowered)
    }

    fn mount(&mut self, flag: &MountFlag, inputs: &mut Vec<StepId>) -> Result<Mount, LowerError> {
        let escape = self.shared.dockerfile.escape();
        let mount = flag
            .resolve(&mut |value| expand(value, &|name| self.variable(name), escape))
            .map_err(|(span, error)| LowerError::new(span, LowerFault::Mount(error)))?;
        Ok(match mount.kind {
            MountKind::Bind => Mount::Bind(self.bind(flag, &mount, inputs)?),
            MountKind::Cache => Mount::Cache(self.cache(flag, &mount, inputs)?),
            MountKind::Tmpfs => Mount::Tmpfs(TmpfsMount {
                target: self.mount_target(flag, &mount)?,
                size: Some(mount.size).filter(|size| *size > 0),
                read_only: mount.read_only,
            }),
            MountKind::Secret => Mount::Secret(secret(mount)),
            MountKind::Ssh => Mount::Ssh(ssh(flag, mount)?),
        })
    }

    fn bind(
        &mut self,
        flag: &MountFlag,
        mount: &ast::Mount,
        inputs: &mut Vec<StepId>,
    ) -> Result<BindMount, LowerError> {
        let target = self.mount_target(flag, mount)?;
        let source = paths::clean(mount.source.as_deref().unwrap_or_default());
        let files = match flag.from() {
            Some(from) => self.mounted_files(from, &source)?,
            None => self.builder.context(&ContextName::Main, &source),
        };
        Ok(BindMount {
            target,
            input: add_input(inputs, files),
            source,
            read_only: mount.read_only,
        })
    }

    fn cache(
        &mut self,
        flag: &MountFlag,
        mount: &ast::Mount,
        inputs: &mut Vec<StepId>,
    ) -> Result<CacheMount, LowerError> {
        let target = self.mount_target(flag, mount)?;
        let source = paths::clean(mount.source.as_deref().unwrap_or_default());
        let owner = owner(mount, CACHE_MODE);
        let seed = match flag.from() {
            // An owner makes a new directory, so that nothing of the source's own is seen.
            Some(_) if source == "/" && owner.is_some() => None,
            Some(from) => {
                let files = self.mounted_files(from, &source)?;
                Some((add_input(inputs, files), source))
            }
            None => None,
        };
        let id = mount.id.clone().unwrap_or_else(|| cleaned_target(mount));
        let namespace = self.shared.options.build_args.get(CACHE_NAMESPACE);
        Ok(CacheMount {
            target,
            id: namespace.map_or_else(|| id.clone(), |namespace| format!("{namespace}/{id}")),
            sharing: match mount.sharing {
                None | Some(ast::Sharing::Shared) => Sharing::Shared,
                Some(ast::Sharing::Private) => Sharing::Private,
                Some(ast::Sharing::Locked) => Sharing::Locked,
            },
            owner: owner.filter(|_| seed.is_none()),
            seed,
            read_only: mount.read_only,
        })
    }

    fn mounted_files(&mut self, from: &Word, source: &str) -> Result<StepId, LowerError> {
        self.files_of(&From::of_mount(from), source)
    }

    fn mount_target(&self, flag: &MountFlag, mount: &ast::Mount) -> Result<String, LowerError> {
        let written = mount.target.as_deref().unwrap_or_default();
        let target = paths::join(self.working_dir(), written);
        if target == "/" {
            return Err(LowerError::new(flag.span, LowerFault::MountTarget(target)));
        }
        Ok(target)
    }
}

/// What lies in another mount comes after it; secrets and agents come last, in the order written.
fn by_place(one: &Mount, other: &Mount) -> Ordering {
    match (one, other) {
        (Mount::Secret(_) | Mount::Ssh(_), Mount::Secret(_) | Mount::Ssh(_)) => Ordering::Equal,
        (Mount::Secret(_) | Mount::Ssh(_), _) => Ordering::Greater,
        (_, Mount::Secret(_) | Mount::Ssh(_)) => Ordering::Less,
        _ => one.target().cmp(&other.target()),
    }
}

/// The name of a cache that has none: its target as written, cleaned but not joined to the working directory.
fn cleaned_target(mount: &ast::Mount) -> String {
    let target = mount.target.as_deref().unwrap_or_default();
    let cleaned = paths::clean(target);
    if target.starts_with('/') {
        cleaned
    } else {
        cleaned[1..].to_owned()
    }
}

fn add_input(inputs: &mut Vec<StepId>, step: StepId) -> Input {
    // The root itself may be mounted too, but is an input of its own then: its position says that it is the root.
    let known = inputs.iter().skip(1).position(|input| *input == step);
    let position = known.map_or(inputs.len(), |position| position + 1);
    if known.is_none() {
        inputs.push(step);
    }
    Input(position as u32)
}

fn owner(mount: &ast::Mount, mode: u32) -> Option<FileOwner> {
    let is_given = mount.uid.is_some() || mount.gid.is_some() || mount.mode.is_some();
    is_given.then(|| FileOwner {
        uid: mount.uid.unwrap_or(0),
        gid: mount.gid.unwrap_or(0),
        mode: mount.mode.unwrap_or(mode),
    })
}

const fn root_owner(mode: u32) -> FileOwner {
    FileOwner { uid: 0, gid: 0, mode }
}

fn secret(mount: ast::Mount) -> SecretMount {
    let owner = owner(&mount, SECRET_MODE).unwrap_or(root_owner(SECRET_MODE));
    let target = mount.target.as_deref();
    let named = mount.source.or(mount.id);
    let id = named.unwrap_or_else(|| paths::base(target.unwrap_or_default()).to_owned());
    // A variable alone needs no file.
    let file = match target {
        Some(target) => Some(paths::clean(target)),
        None if mount.env.is_some() => None,
        None => Some(format!("/run/secrets/{}", paths::base(&id))),
    };
    SecretMount {
        target: file,
        env: mount
            .env
            .map(|name| if name.is_empty() { id.clone() } else { name }),
        id,
        required: mount.required,
        owner,
    }
}

fn ssh(flag: &MountFlag, mount: ast::Mount) -> Result<SshMount, LowerError> {
    if mount.source.is_some() {
        return Err(LowerError::new(flag.span, LowerFault::SshSource));
    }
    Ok(SshMount {
        owner: owner(&mount, SSH_MODE).unwrap_or(root_owner(SSH_MODE)),
        id: mount.id.unwrap_or_else(|| "default".to_owned()),
        target: mount.target.as_deref().map(paths::clean),
        required: mount.required,
    })
}
