//! RUN: a process on the step's root.

use std::{collections::BTreeMap, ffi::OsString, ops::ControlFlow, path::Path, sync::Arc};

use wharf_graph::{
    CacheMount, Mount, RunOp, ScriptMount, Sharing,
    event::{Event, LogBytes, Stream},
    key::ResolvedUser,
};
use wharf_sandbox::{Exit, Mount as SandboxMount, Root as SandboxRoot, Spec, SyntheticFile};
use wharf_solver::Task;
use wharf_store::{CacheMount as OpenCache, Recorder, Sharing as StoreSharing};
use wharf_tree::{
    Attrs, Entry, FollowLast, Graft, HardLinks, Layer, Mtime, Tree, merge,
    readset::{PathSet, ReadSet},
};

use super::{
    Engine, StepFailure, StepOutput,
    checkout::CheckoutJob,
    identity::resolve_user,
    maker::as_copied,
    mounts::StepMounts,
    now,
    process::{Process, relative_to},
};

impl Engine {
    pub(super) fn run_process(
        &self,
        run: &RunOp,
        task: &Task<'_, StepOutput>,
    ) -> Result<StepOutput, StepFailure> {
        let began = now();
        let parent = &task.inputs[0];
        let tree = self.seen_by(run, parent)?;
        let user = resolve_user(&run.user, &tree, &self.store)?;
        let prepared = Arc::new(with_directory(&tree, &run.cwd, (user.uid, user.gid))?);
        let (spec, mounts) = self.prepare(run, user, task, &prepared)?;
        let log = |stream: Stream, bytes: &[u8]| {
            let data = LogBytes(bytes.to_vec());
            task.observer.observe(Event::StepLog {
                step: task.step.id,
                stream,
                data,
            });
        };
        let process = Process {
            tree: &prepared,
            spec,
            mounts: &mounts,
        };
        let finished = self.processes.run(&process, &log, task.cancel)?;
        check(run, &finished.exit)?;
        let layer = relative_to(&tree, &prepared, &finished.layer);
        let tree = self.roots.tree(&parent.root)?;
        let reads = finished.asked.map(|asked| answered(asked, run, &mounts, &tree));
        self.keep_run(task, &layer, reads.as_ref(), began)
    }

    /// What the process sees of a root: with a cache mount beside it, the times of what was copied are those that the COPY gave.
    fn seen_by(&self, run: &RunOp, output: &StepOutput) -> Result<Arc<Tree>, StepFailure> {
        let caches = run.mounts.iter().any(|mount| matches!(mount, Mount::Cache(_)));
        Ok(if caches {
            self.roots.tree(&as_copied(output))?
        } else {
            self.roots.tree(&output.root)?
        })
    }

    fn keep_run(
        &self,
        task: &Task<'_, StepOutput>,
        layer: &Layer,
        reads: Option<&ReadSet>,
        began: i64,
    ) -> Result<StepOutput, StepFailure> {
        let (_, root) = self.roots.push(&task.inputs[0].root, layer)?;
        let read_set = reads
            .map(|reads| self.store.put_path_set(&reads.to_bytes()))
            .transpose()?;
        let recorder = if read_set.is_some() {
            Recorder::Fuse
        } else {
            Recorder::None
        };
        Ok(StepOutput {
            root,
            makers: Vec::new(),
            ran_at: Some(began),
            recorder,
            read_set,
            commit: None,
        })
    }

    /// Everything that the process needs but its root.
    fn prepare(
        &self,
        run: &RunOp,
        user: ResolvedUser,
        task: &Task<'_, StepOutput>,
        tree: &Arc<Tree>,
    ) -> Result<(Spec, StepMounts), StepFailure> {
        let argv = run.args.iter().map(OsString::from).collect();
        let mut spec = Spec::new(SandboxRoot::Plain { dir: "/".into() }, argv);
        spec.cwd = run.cwd.clone().into();
        (spec.uid, spec.gid, spec.groups) = (user.uid, user.gid, user.groups);
        spec.emulators = self.emulation.emulators(&task.step.platform)?;
        self.environment.restrict(&mut spec, run);
        let mut mounts = StepMounts::new(tree)?;
        let hosts: Vec<_> = run
            .extra_hosts
            .iter()
            .map(|alias| (alias.host.clone(), alias.address))
            .collect();
        self.environment
            .mount_common(&mut mounts, tree, run, &hosts, &spec.hostname)?;
        let variables = self.mount_all(run, task, tree, &mut mounts)?;
        spec.env = self.environment.variables(run, &user.home, variables);
        Ok((spec, mounts))
    }

    /// Adds the mounts of the step; gives the variables that they bring.
    fn mount_all(
        &self,
        run: &RunOp,
        task: &Task<'_, StepOutput>,
        tree: &Arc<Tree>,
        mounts: &mut StepMounts,
    ) -> Result<Vec<(String, String)>, StepFailure> {
        let caches = self.open_caches(run, task)?;
        let mut variables = Vec::new();
        let mut agents = 0;
        for mount in &run.mounts {
            match mount {
                Mount::Bind(bind) => {
                    let other = self.seen_by(run, &task.inputs[bind.input.0 as usize])?;
                    mounts.add_tree(tree, &bind.target, &other, &bind.source, bind.read_only)?;
                }
                Mount::Cache(cache) => mounts.add(tree, cache_mount(cache, &caches[&cache.id]), true)?,
                Mount::Tmpfs(tmpfs) => {
                    let mount = SandboxMount::Tmpfs {
                        target: (&tmpfs.target).into(),
                        size: tmpfs.size,
                        mode: tmpfs_mode(tree, &tmpfs.target),
                    };
                    mounts.add(tree, mount, true)?;
                }
                Mount::Secret(secret) => variables.extend(self.environment.secret(secret, tree, mounts)?),
                Mount::Ssh(ssh) => {
                    if let Some(socket) = self.environment.agent(ssh, agents, tree, mounts)? {
                        if agents == 0 {
                            variables.push(("SSH_AUTH_SOCK".to_owned(), socket));
                        }
                        agents += 1;
                    }
                }
                Mount::Script(script) => mounts.add(tree, script_mount(script), true)?,
            }
        }
        mounts.hold(caches.into_values());
        Ok(variables)
    }

    /// Opens the step's caches by id: in the order of the ids, so that two steps that lock the same ones do not wait for each other for
    /// ever, and each once.
    fn open_caches(
        &self,
        run: &RunOp,
        task: &Task<'_, StepOutput>,
    ) -> Result<BTreeMap<String, OpenCache>, StepFailure> {
        let caches = run.mounts.iter().filter_map(|mount| match mount {
            Mount::Cache(cache) => Some((cache.id.clone(), cache)),
            _ => None,
        });
        let by_id: BTreeMap<String, &CacheMount> = caches.collect();
        let opened = by_id
            .into_iter()
            .map(|(id, cache)| Ok((id, self.open_cache(cache, task)?)));
        opened.collect()
    }

    fn open_cache(&self, cache: &CacheMount, task: &Task<'_, StepOutput>) -> Result<OpenCache, StepFailure> {
        let sharing = match cache.sharing {
            Sharing::Shared => StoreSharing::Shared,
            Sharing::Private => StoreSharing::Private,
            Sharing::Locked => StoreSharing::Locked,
        };
        let mut wait = |_: &wharf_store::Waiting| {
            if task.cancel.is_cancelled() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let opened = self.store.cache_mount(&cache.id, sharing, &mut wait)?;
        let mut opened = opened.ok_or(StepFailure::Interrupted)?;
        if opened.is_new() {
            self.fill_cache(cache, task, opened.path())?;
            opened.filled()?;
        }
        Ok(opened)
    }

    /// A new cache mount's first content: what `from` has, or an empty directory of the owner asked for.
    fn fill_cache(
        &self,
        cache: &CacheMount,
        task: &Task<'_, StepOutput>,
        dir: &Path,
    ) -> Result<(), StepFailure> {
        let mut tree = match &cache.seed {
            Some((input, path)) => {
                let other = self.roots.tree(&task.inputs[input.0 as usize].root)?;
                let found = other
                    .lookup(path, FollowLast::Yes)
                    .map_err(|_| StepFailure::NotFound {
                        path: path.clone(),
                        place: "the cache mount's source".to_owned(),
                    })?;
                Tree {
                    root: found.entry.clone(),
                    links: Arc::new(HardLinks::default()),
                }
            }
            None => {
                let attrs = Attrs::root(0o755);
                let mtime = Mtime {
                    secs: now(),
                    nanos: 0,
                };
                Tree {
                    root: Entry::dir(attrs, mtime, wharf_tree::Dir::default()),
                    links: Arc::default(),
                }
            }
        };
        if let Some(owner) = cache.owner {
            let mode = (owner.mode & 0o7777) as u16;
            tree.root.attrs = Attrs {
                mode,
                uid: owner.uid,
                gid: owner.gid,
                xattrs: None,
            };
        }
        let failed = |source| StepFailure::CacheMount {
            id: cache.id.clone(),
            source,
        };
        // The checkout makes the directory itself.
        std::fs::remove_dir(dir).map_err(|source| {
            let path = wharf_tree::TreePath::root();
            failed(wharf_rootfs::CheckoutError { path, source }.into())
        })?;
        let job = CheckoutJob {
            tree: &tree,
            dir,
            markers: None,
            owners: self.processes.owners(),
            threads: self.processes.threads,
        };
        job.run(&self.processes.sandbox, &self.store).map_err(failed)
    }
}

fn cache_mount(cache: &CacheMount, opened: &OpenCache) -> SandboxMount {
    SandboxMount::Bind {
        source: opened.path().to_owned(),
        target: (&cache.target).into(),
        read_only: cache.read_only,
    }
}

pub(super) fn script_mount(script: &ScriptMount) -> SandboxMount {
    let mut file = SyntheticFile::public(&script.name, script.content.clone().into_bytes());
    file.mode = 0o755;
    SandboxMount::Directory {
        target: (&script.target).into(),
        files: vec![file],
    }
}

/// That of the directory which is there already, as runc keeps it; where there is none, anybody may write. The look-up is one of
/// those that are recorded for every mount.
fn tmpfs_mode(tree: &Tree, target: &str) -> u32 {
    match tree.lookup(target, FollowLast::Yes) {
        Ok(found) if found.entry.node.is_dir() => found.entry.attrs.mode.into(),
        _ => 0o1777,
    }
}

/// `tree` with the working directory that the process needs, if it lacks it: it belongs to the process's user.
fn with_directory(tree: &Arc<Tree>, path: &str, owner: (u32, u32)) -> Result<Tree, StepFailure> {
    if tree.lookup(path, FollowLast::Yes).is_ok() {
        return Ok((**tree).clone());
    }
    let mut graft = Graft::new(
        tree,
        Mtime {
            secs: now(),
            nanos: 0,
        },
    );
    graft
        .mkdir(path.as_bytes(), owner)
        .map_err(|source| StepFailure::Mkdir {
            path: path.to_owned(),
            source,
        })?;
    let layer: Layer = graft.finish();
    Ok(merge(tree, &layer))
}

/// The answers to what the process asked, and to what was looked up for it: its working directory and what is mounted where.
fn answered(mut asked: PathSet, run: &RunOp, mounts: &StepMounts, tree: &Tree) -> ReadSet {
    asked.ask_lookup(0, tree, &run.cwd, FollowLast::Yes);
    mounts.ask_own(tree, &mut asked);
    let roots: Vec<&Tree> = std::iter::once(tree).chain(mounts.other_roots()).collect();
    asked.record(&roots)
}

fn check(run: &RunOp, exit: &Exit) -> Result<(), StepFailure> {
    let what = format!("process \"{}\"", run.args.join(" "));
    match exit {
        Exit::Code(0) => Ok(()),
        Exit::NotExecuted(why) => Err(StepFailure::NotExecuted {
            what,
            why: why.clone(),
            code: exit.code(),
        }),
        exit => Err(StepFailure::Exit {
            what,
            code: exit.code(),
        }),
    }
}
