//! What every step sees besides its root: certificates, name resolution, secrets, agents, limits.

use std::{
    collections::BTreeMap,
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use wharf_graph::{Mount as RunMount, NetworkMode, RunOp, SecurityMode, key::Resolved};
use wharf_oci::{Digest, Platform};
use wharf_sandbox::{Mount, Network, Resource, Seccomp, Spec, SyntheticFile, Ulimit};
use wharf_tree::Tree;

use super::{
    StepFailure,
    mounts::{StepMounts, public_file},
};
use crate::{
    ca::{self, Certificates},
    request::Secret,
    ssh_agent::KeyAgent,
};

/// What every step of a build sees besides its root. None of it is part of a layer.
#[derive(Debug, Clone, Default)]
pub struct StepEnvironment {
    /// The machine's certificates.
    pub ca: Certificates,
    /// Secrets by id.
    pub secrets: BTreeMap<String, Secret>,
    /// Agents by id.
    pub ssh: BTreeMap<String, Agent>,
    /// Entitlements that were allowed.
    pub allow: Vec<String>,
    /// The system call filter.
    pub seccomp: SeccompChoice,
    /// The configured cache scope.
    pub scope: String,
}

/// An SSH agent of the build.
#[derive(Debug, Clone)]
pub enum Agent {
    /// The user's, by its socket.
    Forwarded(PathBuf),
    /// One of this process.
    Keys(Arc<KeyAgent>),
}

impl Agent {
    pub(crate) fn socket(&self) -> &Path {
        match self {
            Self::Forwarded(socket) => socket,
            Self::Keys(agent) => agent.socket(),
        }
    }
}

/// `--seccomp`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SeccompChoice {
    /// Docker's profile.
    #[default]
    Default,
    /// None.
    Unconfined,
    /// The text of a profile in Docker's format.
    Profile(String),
}

/// Raised when what is recorded, or what a record means, changes.
const TRACE_VERSION: u16 = 1;

impl StepEnvironment {
    /// What of this counts in keys.
    pub fn resolved(&self) -> Resolved {
        let seccomp = match &self.seccomp {
            SeccompChoice::Default => Some(Digest::of(b"default")),
            SeccompChoice::Unconfined => None,
            SeccompChoice::Profile(text) => Some(Digest::of(text.as_bytes())),
        };
        Resolved {
            user: None,
            seccomp,
            scope: self.scope.clone(),
            trace_version: TRACE_VERSION,
            one_owner: false,
            has_xattrs: false,
            has_acls: false,
            machine: Platform::host().architecture,
        }
    }

    /// Fills in what `run` says about limits, network and privileges.
    pub(super) fn restrict(&self, spec: &mut Spec, run: &RunOp) {
        spec.seccomp = match &self.seccomp {
            SeccompChoice::Default => Seccomp::Default,
            SeccompChoice::Unconfined => Seccomp::Unconfined,
            SeccompChoice::Profile(text) => Seccomp::Profile(text.clone()),
        };
        spec.network = match run.network {
            NetworkMode::Default | NetworkMode::Host => Network::Host,
            NetworkMode::None => Network::None,
        };
        if run.security == SecurityMode::Insecure {
            spec.insecure();
        }
        if let Some(size) = run.shm_size {
            spec.shm_size = size;
        }
        spec.hostname = run.hostname.clone().unwrap_or_else(|| HOSTNAME.to_owned());
        let unlimited = |limit: i64| u64::try_from(limit).ok();
        spec.ulimits = run
            .ulimits
            .iter()
            .filter_map(|limit| {
                let resource = Resource::parse(&limit.name)?;
                Some(Ulimit {
                    resource,
                    soft: unlimited(limit.soft),
                    hard: unlimited(limit.hard),
                })
            })
            .collect();
    }

    /// Fails for a step that asks for more than was allowed, whether or not it would run.
    pub(super) fn allowed(&self, run: &RunOp) -> Result<(), StepFailure> {
        if run.network == NetworkMode::Host {
            self.require("--network=host", "network.host")?;
        }
        if run.security == SecurityMode::Insecure {
            self.require("--security=insecure", "security.insecure")?;
        }
        Ok(())
    }

    fn require(&self, what: &'static str, entitlement: &'static str) -> Result<(), StepFailure> {
        if self.allow.iter().any(|allowed| allowed == entitlement) {
            return Ok(());
        }
        Err(StepFailure::NotAllowed { what, entitlement })
    }

    /// The files that every step gets. Those of name resolution lie below the mounts of `run`: what is mounted there hides them.
    pub(super) fn mount_common(
        &self,
        mounts: &mut StepMounts,
        tree: &Tree,
        run: &RunOp,
        hosts: &[(String, IpAddr)],
        hostname: &str,
    ) -> Result<(), StepFailure> {
        let files = [
            (RESOLV_CONF, fs::read(RESOLV_CONF).unwrap_or_default()),
            (HOSTS, hosts_file(hosts, hostname)),
        ];
        for (path, content) in files {
            if !is_hidden(path, run) {
                mounts.add(tree, public_file(path, content), false)?;
            }
        }
        let certificates = self.ca.get().map_err(StepFailure::Certificates)?;
        if !certificates.is_empty() {
            let files = certificates
                .files
                .iter()
                .map(|(name, bytes)| SyntheticFile::public(*name, bytes.clone()));
            let mount = Mount::Directory {
                target: ca::DIRECTORY.into(),
                files: files.collect(),
            };
            mounts.add(tree, mount, true)?;
        }
        Ok(())
    }

    /// The environment of a process: what the step says wins over what the machine adds.
    pub(super) fn variables(
        &self,
        run: &RunOp,
        home: &str,
        more: Vec<(String, String)>,
    ) -> Vec<std::ffi::OsString> {
        let mut variables: Vec<(String, String)> = run.env.to_vec();
        let added = run.proxy.iter().cloned();
        let certificates = self.ca.get().ok();
        let ca = certificates
            .iter()
            .flat_map(|certificates| &certificates.env)
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        for (name, value) in more
            .into_iter()
            .chain(added)
            .chain([("HOME".to_owned(), home.to_owned())])
            .chain(ca)
        {
            if variables.iter().all(|(known, _)| *known != name) {
                variables.push((name, value));
            }
        }
        variables
            .into_iter()
            .map(|(name, value)| format!("{name}={value}").into())
            .collect()
    }

    /// Mounts a secret or gives the variable that holds it; one that is not required and not there is left out.
    pub(super) fn secret(
        &self,
        mount: &wharf_graph::SecretMount,
        tree: &Tree,
        mounts: &mut StepMounts,
    ) -> Result<Option<(String, String)>, StepFailure> {
        let Some(content) = self.secret_content(&mount.id)? else {
            return if mount.required {
                Err(StepFailure::NoSecret(mount.id.clone()))
            } else {
                Ok(None)
            };
        };
        if let Some(target) = &mount.target {
            let owner = mount.owner;
            let file = SyntheticFile {
                name: target.into(),
                content: content.clone().into(),
                mode: owner.mode,
                uid: owner.uid,
                gid: owner.gid,
            };
            mounts.add(
                tree,
                Mount::File {
                    target: target.into(),
                    file,
                },
                false,
            )?;
        }
        Ok(mount
            .env
            .clone()
            .map(|name| (name, String::from_utf8_lossy(&content).into_owned())))
    }

    fn secret_content(&self, id: &str) -> Result<Option<Vec<u8>>, StepFailure> {
        match self.secrets.get(id) {
            None => Ok(None),
            Some(Secret::Value(value)) => Ok(Some(value.clone())),
            Some(Secret::File(path)) => {
                let failed = |source: io::Error| StepFailure::Secret {
                    id: id.to_owned(),
                    source,
                };
                fs::read(path).map(Some).map_err(failed)
            }
        }
    }

    /// Mounts an agent's socket and gives the path at which the step finds it.
    pub(super) fn agent(
        &self,
        mount: &wharf_graph::SshMount,
        number: usize,
        tree: &Tree,
        mounts: &mut StepMounts,
    ) -> Result<Option<String>, StepFailure> {
        let Some(agent) = self.ssh.get(&mount.id) else {
            return if mount.required {
                Err(StepFailure::NoAgent(mount.id.clone()))
            } else {
                Ok(None)
            };
        };
        let target = mount
            .target
            .clone()
            .unwrap_or_else(|| format!("/run/buildkit/ssh_agent.{number}"));
        let owner = mount.owner;
        let socket = Mount::Socket {
            source: agent.socket().to_owned(),
            target: PathBuf::from(&target),
            mode: owner.mode,
            uid: owner.uid,
            gid: owner.gid,
        };
        mounts.add(tree, socket, false)?;
        Ok(Some(target))
    }
}

/// What `hostname` says in a step unless BUILDKIT_SANDBOX_HOSTNAME does: BuildKit's name, which ends up in files that steps make and
/// by which scripts tell that they are in a build.
const HOSTNAME: &str = "buildkitsandbox";

/// The files of name resolution.
const RESOLV_CONF: &str = "/etc/resolv.conf";
const HOSTS: &str = "/etc/hosts";

/// Whether something that `run` mounts lies over `path`.
fn is_hidden(path: &str, run: &RunOp) -> bool {
    let mut targets = run.mounts.iter().filter_map(|mount| match mount {
        RunMount::Bind(bind) => Some(&bind.target),
        RunMount::Cache(cache) => Some(&cache.target),
        RunMount::Tmpfs(tmpfs) => Some(&tmpfs.target),
        _ => None,
    });
    targets.any(|target| Path::new(path).starts_with(target))
}

/// hosts(5), as Docker and BuildKit write it.
fn hosts_file(hosts: &[(String, IpAddr)], hostname: &str) -> Vec<u8> {
    let mut text = format!("127.0.0.1\tlocalhost {hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    for (name, address) in hosts {
        text.push_str(&format!("{address}\t{name}\n"));
    }
    text.into_bytes()
}
