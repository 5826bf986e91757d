//! Repositories as roots: `ADD https://….git#ref:dir` and git contexts, by the machine's own `git`.
//!
//! A bare repository per remote is kept among the store's caches, so that a second build fetches what is new. Prompts, hooks,
//! system and user configuration that could run programs are switched off.

mod error;
mod process;

use std::{
    ffi::{OsStr, OsString},
    ops::ControlFlow,
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
};

use wharf_dockerfile::patterns::PatternMatcher;
use wharf_graph::GitSource;
use wharf_http::ShownUrl;
use wharf_store::{Sharing, Store};
use wharf_tree::{Entry, Mtime, Node, TreePath};

use crate::{
    context::{Wanted, scan},
    credentials::{CredentialError, Credentials},
    root::Root,
};

use process::Ended;
pub use {error::GitError, process::Patience};

/// What a reference stood for.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// The files.
    pub root: Root,
    /// The full commit, in hex.
    pub commit: String,
}

/// The root that holds the checkout.
pub fn checkout(
    source: &GitSource,
    store: &Store,
    credentials: &Credentials,
    patience: &Patience,
) -> Result<Checkout, GitError> {
    let id = format!("git-remote:{}", source.remote);
    let mut forever = |_: &wharf_store::Waiting| ControlFlow::Continue(());
    let repository = store.cache_mount(&id, Sharing::Locked, &mut forever)?;
    let mut repository = repository.expect("waiting is never given up");
    let environment = environment(&source.remote, credentials)?;
    let git = Git {
        dir: repository.path(),
        remote: &source.remote,
        environment: &environment,
        patience: Some(patience),
    };
    if repository.is_new() {
        git.run("init", ["init", "--quiet", "--bare", "."])?;
    }
    let found = git.find(source)?;
    let work = store.work_dir()?;
    let files = work.path().join("checkout");
    git.check_out(source, &found, &files)?;
    let time = if source.commit_times {
        Some(git.time(&found.commit)?)
    } else {
        None
    };
    let root = read(source, &files, time, store)?;
    if repository.is_new() {
        repository.filled()?;
    }
    Ok(Checkout {
        root,
        commit: found.commit,
    })
}

struct Git<'a> {
    dir: &'a Path,
    remote: &'a str,
    environment: &'a [(&'static str, OsString)],
    /// With what asks the remote.
    patience: Option<&'a Patience>,
}

/// What a reference stands for.
struct Found {
    /// An annotated tag or a commit.
    object: String,
    /// The commit.
    commit: String,
}

fn is_commit(reference: &str) -> bool {
    matches!(reference.len(), 40 | 64) && reference.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A remote as it may be written down.
fn without_password(remote: &str) -> String {
    let Ok(mut url) = url::Url::parse(remote) else {
        return remote.to_owned();
    };
    if url.password().is_none() {
        return remote.to_owned();
    }
    // It has a host, so it may have none of both.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.to_string()
}

/// What git is told by its environment, which others on the machine do not see as they do its arguments.
fn environment(
    remote: &str,
    credentials: &Credentials,
) -> Result<Vec<(&'static str, OsString)>, CredentialError> {
    // Whatever SSH wants to ask, there is nobody to answer.
    let mut variables = vec![
        ("SSH_ASKPASS", "/bin/false".into()),
        ("SSH_ASKPASS_REQUIRE", "force".into()),
    ];
    if let Some(socket) = credentials.agent() {
        variables.push(("SSH_AUTH_SOCK", socket.into()));
    }
    if let Some(told) = credentials.of_repository(remote)? {
        variables.push(("GIT_CONFIG_COUNT", "1".into()));
        variables.push((
            "GIT_CONFIG_KEY_0",
            format!("http.{}.extraheader", scope(remote)).into(),
        ));
        variables.push((
            "GIT_CONFIG_VALUE_0",
            format!("Authorization: {}", told.reveal()).into(),
        ));
    }
    Ok(variables)
}

/// Which repositories are told what this one is: it alone, but on GitHub all, for the sake of submodules.
fn scope(remote: &str) -> &str {
    let hosts = ["https://github.com/", "https://www.github.com/"];
    let host = hosts.into_iter().find(|host| remote.starts_with(host));
    host.unwrap_or(remote)
}

impl Git<'_> {
    /// Fetches what the reference stands for.
    fn find(&self, source: &GitSource) -> Result<Found, GitError> {
        let reference = match (&source.checksum, source.reference.as_str()) {
            (Some(commit), _) if source.fetch_by_commit => commit,
            (_, "") => "HEAD",
            (_, reference) => reference,
        };
        let known = is_commit(reference)
            && self
                .run("look-up", ["cat-file", "-e", &format!("{reference}^{{commit}}")])
                .is_ok();
        let object = if known {
            reference.to_owned()
        } else {
            self.fetch(reference)?;
            self.resolve("FETCH_HEAD")?
        };
        let commit = self.resolve(&format!("{object}^{{commit}}"))?;
        let expected = source.checksum.as_ref().map(|checksum| checksum.to_lowercase());
        match expected {
            // That of an annotated tag is as good as that of what it tags.
            Some(expected) if !commit.starts_with(&expected) && !object.starts_with(&expected) => {
                Err(GitError::Checksum {
                    remote: ShownUrl::of_text(self.remote),
                    reference: reference.to_owned(),
                    expected,
                    found: commit,
                })
            }
            _ => Ok(Found { object, commit }),
        }
    }

    fn fetch(&self, reference: &str) -> Result<(), GitError> {
        let options = ["fetch", "--progress", "--depth=1", "--no-tags", "--"];
        self.ask_remote("fetch", options.into_iter().chain([self.remote, reference]))?;
        Ok(())
    }

    fn resolve(&self, name: &str) -> Result<String, GitError> {
        let told = self.run("look-up", ["rev-parse", "--verify", name])?;
        Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
    }

    /// The whole name of a tag or branch of the remote; `None` for commits and HEAD.
    fn full_name(&self, reference: &str) -> Result<Option<String>, GitError> {
        if reference.is_empty() || is_commit(reference) {
            return Ok(None);
        }
        let told = self.ask_remote("look-up", ["ls-remote", "--", self.remote, reference])?;
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let names: Vec<_> = told.lines().filter_map(|line| line.split('\t').nth(1)).collect();
        let candidates = [
            format!("refs/tags/{reference}"),
            format!("refs/heads/{reference}"),
            reference.to_owned(),
        ];
        let is_there = |candidate: &String| names.contains(&candidate.as_str());
        Ok(candidates
            .into_iter()
            .find(|name| name.starts_with("refs/") && is_there(name)))
    }

    fn check_out(&self, source: &GitSource, found: &Found, files: &Path) -> Result<(), GitError> {
        let here = Git { dir: files, ..*self };
        std::fs::create_dir_all(files).map_err(|error| GitError::Scratch {
            path: files.to_owned(),
            source: error,
        })?;
        here.run("init", ["init", "--quiet", "."])?;
        let from = self.dir.as_os_str();
        let args = ["fetch", "--quiet", "--depth=1"].map(OsStr::new);
        here.run("fetch", args.into_iter().chain([from, OsStr::new(&found.object)]))?;
        here.run("checkout", ["checkout", "--quiet", "--detach", "FETCH_HEAD"])?;
        here.run("remote", ["remote", "add", "origin", self.remote])?;
        if source.submodules {
            let options = ["--progress", "--init", "--recursive", "--depth=1"];
            here.ask_remote("submodules", ["submodule", "update"].into_iter().chain(options))?;
        }
        if source.keep_git_dir {
            self.leave_kept(source, found, &here)?;
        }
        Ok(())
    }

    /// Makes of `.git` what is worth keeping: with the name that was asked for, without passwords and traces of how it came.
    fn leave_kept(&self, source: &GitSource, found: &Found, here: &Self) -> Result<(), GitError> {
        if let Some(name) = self.full_name(&source.reference)? {
            here.run("naming", ["update-ref", &name, &found.object])?;
        }
        let remote = without_password(self.remote);
        here.run("remote", ["remote", "set-url", "origin", &remote])?;
        here.run("reflog", ["reflog", "expire", "--all", "--expire=now"])?;
        let path = here.dir.join(".git/FETCH_HEAD");
        std::fs::remove_file(&path).map_err(|error| GitError::Scratch { path, source: error })
    }

    /// When the commit was made.
    fn time(&self, commit: &str) -> Result<i64, GitError> {
        let told = self.run("look-up", ["log", "-1", "--format=%ct", commit, "--"])?;
        Ok(String::from_utf8_lossy(&told.stdout)
            .trim()
            .parse()
            .unwrap_or_default())
    }

    /// A run that speaks to nobody, for which there is no limit: a large checkout may take long and says nothing.
    fn run<S: AsRef<OsStr>>(
        &self,
        what: &'static str,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Output, GitError> {
        let output = self.command(args).stdin(Stdio::null()).output();
        self.judged(what, output.map_err(GitError::NoGit)?)
    }

    /// A run that speaks to the remote.
    fn ask_remote<S: AsRef<OsStr>>(
        &self,
        what: &'static str,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Output, GitError> {
        let Some(patience) = self.patience else {
            return self.run(what, args);
        };
        let remote = ShownUrl::of_text(self.remote);
        match process::run(&mut self.command(args), patience).map_err(GitError::NoGit)? {
            Ended::Alone(output) => self.judged(what, output),
            Ended::Silent => Err(GitError::Silent {
                what,
                remote,
                silence: patience.silence,
            }),
            Ended::Cancelled => Err(GitError::Interrupted { what, remote }),
        }
    }

    fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new("git");
        command
            .args([
                "-c",
                "core.hooksPath=/dev/null",
                "-c",
                "protocol.ext.allow=never",
                "-c",
                "advice.detachedHead=false",
            ])
            .args(args)
            .current_dir(self.dir)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE");
        command
    }

    fn judged(&self, what: &'static str, output: Output) -> Result<Output, GitError> {
        if output.status.success() {
            return Ok(output);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let message = said
            .lines()
            .rfind(|line| !line.trim().is_empty())
            .unwrap_or("no message")
            .trim()
            .to_owned();
        Err(GitError::Failed {
            what,
            remote: ShownUrl::of_text(self.remote),
            message,
        })
    }
}

/// What `git` says in a directory, in one line; `None` if it fails, or is not there.
pub(crate) fn ask(directory: &Path, args: &[&str]) -> Option<String> {
    let git = Git {
        dir: directory,
        remote: "",
        environment: &[],
        patience: None,
    };
    let output = git.run("look-up", args).ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The checked-out files as a root in the store, all of them changed at `time` if that is given.
fn read(source: &GitSource, files: &Path, time: Option<i64>, store: &Store) -> Result<Root, GitError> {
    if !source.keep_git_dir || !source.subdir.is_empty() {
        let path = files.join(".git");
        std::fs::remove_dir_all(&path).map_err(|error| GitError::Scratch { path, source: error })?;
    }
    let subdir = TreePath::new(&source.subdir).unwrap_or_default();
    let from = files.join(std::str::from_utf8(subdir.as_bytes()).unwrap_or_default());
    if !from.is_dir() {
        return Err(GitError::NoSubdirectory {
            remote: ShownUrl::of_text(&source.remote),
            subdir: source.subdir.clone(),
        });
    }
    let scanned = scan(
        &from,
        &PatternMatcher::default(),
        &Wanted::everything(),
        &store.stat_cache(&from)?,
    )?;
    for path in scanned.contents.values() {
        let path = from.join(path);
        let file = std::fs::File::open(&path).map_err(|error| GitError::Scratch { path, source: error })?;
        store.put_file(&file)?;
    }
    let mut tree = scanned.tree;
    if let Some(secs) = time {
        set_times(&mut tree.root, Mtime { secs, nanos: 0 });
    }
    Ok(Root::in_memory(tree))
}

fn set_times(entry: &mut Entry, time: Mtime) {
    entry.mtime = time;
    if let Node::Dir(dir, _) = &mut entry.node {
        let dir = Arc::make_mut(dir);
        dir.entries_mut()
            .values_mut()
            .for_each(|child| set_times(child, time));
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, time::Duration};

    use wharf_solver::Cancel;
    use wharf_testkit::Scratch;

    use super::*;

    #[test]
    fn a_host_that_never_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let port = listener.local_addr().expect("it is bound").port();
        let scratch = Scratch::new();
        let patience = Patience {
            silence: Duration::from_secs(1),
            cancel: Cancel::new(),
        };
        for scheme in ["http", "git"] {
            let remote = format!("{scheme}://127.0.0.1:{port}/some.git");
            let git = Git {
                dir: scratch.path(),
                remote: &remote,
                environment: &[],
                patience: Some(&patience),
            };
            git.run("init", ["init", "--quiet", "--bare", "."])
                .expect("git is installed");
            let error = git.fetch("HEAD").expect_err("nobody answers").to_string();
            assert_eq!(
                error,
                format!("git fetch of {remote} failed: nothing came for 1 s")
            );
        }
    }
}
