//! The canonical bytes of an op: what keys are digests of.
//!
//! `docs/formats.md`, section "Keys". Every value has one encoding: integers are little-endian, a string is its length (u32)
//! and its bytes, a list its length (u32) and its items, an optional value a byte 0 or 1 and then the value, an enum a byte
//! and then its members. What must not split the cache is left out: proxy variables, contents of secrets, hints.

use std::net::IpAddr;

use wharf_oci::{Digest, Hasher, Platform};

use crate::{
    copy::{CopyOp, CopySource, PathSource},
    op::{MkdirOp, Op},
    run::{CacheMount, FileOwner, Mount, NetworkMode, RunOp, SecurityMode, Sharing},
    source::{ContextName, GitSource, Source},
    step::Input,
};

/// Hashes values as they are encoded.
pub(crate) struct Encoder {
    hasher: Hasher,
    /// Whether users' names are left out, because the numbers that they stand for are encoded instead.
    users_resolved: bool,
}

impl Encoder {
    /// Starts with `domain`, so that two sorts of key never meet.
    pub(crate) fn new(domain: &str, version: u16) -> Self {
        let mut encoder = Self {
            hasher: Hasher::new(),
            users_resolved: false,
        };
        encoder.text(domain);
        encoder.raw(&version.to_le_bytes());
        encoder
    }

    pub(crate) fn finish(self) -> Digest {
        self.hasher.finish()
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    pub(crate) fn byte(&mut self, value: u8) {
        self.raw(&[value]);
    }

    pub(crate) fn flag(&mut self, value: bool) {
        self.byte(value.into());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.raw(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.raw(&value.to_le_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.raw(&value.to_le_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.u32(text.len() as u32);
        self.raw(text.as_bytes());
    }

    pub(crate) fn digest(&mut self, digest: &Digest) {
        self.raw(digest.as_bytes());
    }

    pub(crate) fn list<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        self.u32(items.len() as u32);
        for value in items {
            item(self, value);
        }
    }

    pub(crate) fn option<T>(&mut self, value: Option<T>, some: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            some(self, value);
        }
    }

    pub(crate) fn platform(&mut self, platform: &Platform) {
        self.text(&platform.to_string());
    }

    /// Leaves users' names out of what follows.
    pub(crate) fn skip_user_names(&mut self) {
        self.users_resolved = true;
    }

    fn user_name(&mut self, name: &str) {
        self.text(if self.users_resolved { "" } else { name });
    }

    fn input(&mut self, input: Input) {
        self.u32(input.0);
    }

    /// The whole op, inputs by position.
    pub(crate) fn op(&mut self, op: &Op) {
        match op {
            Op::Source(source) => {
                self.byte(1);
                self.source(source);
            }
            Op::Run(run) => {
                self.byte(2);
                self.run(run);
            }
            Op::Copy(copy) => {
                self.byte(3);
                self.copy(copy);
            }
            Op::Mkdir(MkdirOp { path, owner, mtime }) => {
                self.byte(4);
                self.text(path);
                self.user_name(owner);
                self.option(*mtime, Self::i64);
            }
            Op::Merge => self.byte(5),
        }
    }

    fn source(&mut self, source: &Source) {
        match source {
            Source::Scratch => self.byte(1),
            Source::Image(image) => {
                self.byte(2);
                self.text(&image.reference);
                self.option(image.digest.as_ref(), Self::digest);
            }
            Source::Base(name) => {
                self.byte(3);
                self.text(name);
            }
            Source::Context(context) => {
                self.byte(4);
                let name = match &context.name {
                    ContextName::Main => None,
                    ContextName::Named(name) => Some(name.as_str()),
                };
                self.option(name, Self::text);
            }
            Source::OciLayout(layout) => {
                self.byte(5);
                self.text(&layout.path);
                self.option(layout.tag.as_deref(), Self::text);
                self.option(layout.digest.as_ref(), Self::digest);
            }
            Source::Http(http) => {
                self.byte(6);
                self.text(&http.url);
                self.option(http.checksum.as_ref(), Self::digest);
                self.text(&http.file_name);
            }
            Source::Git(git) => {
                self.byte(7);
                self.git(git);
            }
        }
    }

    fn git(&mut self, git: &GitSource) {
        for text in [&git.remote, &git.reference, &git.subdir] {
            self.text(text);
        }
        self.option(git.checksum.as_deref(), Self::text);
        for flag in [
            git.keep_git_dir,
            git.submodules,
            git.commit_times,
            git.fetch_by_commit,
        ] {
            self.flag(flag);
        }
    }

    /// All but the proxy, the user and mounts' inputs' contents.
    fn run(&mut self, run: &RunOp) {
        self.list(&run.args, |encoder, arg| encoder.text(arg));
        self.list(&run.env, |encoder, (name, value)| {
            encoder.text(name);
            encoder.text(value);
        });
        self.text(&run.cwd);
        self.user_name(&run.user);
        self.list(&run.mounts, Self::mount);
        self.byte(match run.network {
            NetworkMode::Default => 1,
            NetworkMode::None => 2,
            NetworkMode::Host => 3,
        });
        self.byte(match run.security {
            SecurityMode::Sandbox => 1,
            SecurityMode::Insecure => 2,
        });
        self.option(run.hostname.as_deref(), Self::text);
        self.list(&run.extra_hosts, |encoder, alias| {
            encoder.text(&alias.host);
            encoder.address(alias.address);
        });
        self.option(run.shm_size, Self::u64);
        self.list(&run.ulimits, |encoder, limit| {
            encoder.text(&limit.name);
            encoder.i64(limit.soft);
            encoder.i64(limit.hard);
        });
    }

    fn address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => {
                self.byte(4);
                self.raw(&address.octets());
            }
            IpAddr::V6(address) => {
                self.byte(6);
                self.raw(&address.octets());
            }
        }
    }

    fn mount(&mut self, mount: &Mount) {
        match mount {
            Mount::Bind(bind) => {
                self.byte(1);
                self.text(&bind.target);
                self.input(bind.input);
                self.text(&bind.source);
                self.flag(bind.read_only);
            }
            Mount::Cache(cache) => {
                self.byte(2);
                self.cache(cache);
            }
            Mount::Tmpfs(tmpfs) => {
                self.byte(3);
                self.text(&tmpfs.target);
                self.option(tmpfs.size, Self::u64);
                self.flag(tmpfs.read_only);
            }
            Mount::Secret(secret) => {
                self.byte(4);
                self.text(&secret.id);
                self.option(secret.target.as_deref(), Self::text);
                self.option(secret.env.as_deref(), Self::text);
                self.flag(secret.required);
                self.owner(secret.owner);
            }
            Mount::Ssh(ssh) => {
                self.byte(5);
                self.text(&ssh.id);
                self.option(ssh.target.as_deref(), Self::text);
                self.flag(ssh.required);
                self.owner(ssh.owner);
            }
            Mount::Script(script) => {
                self.byte(6);
                self.text(&script.target);
                self.text(&script.name);
                self.text(&script.content);
            }
        }
    }

    fn cache(&mut self, cache: &CacheMount) {
        self.text(&cache.target);
        self.text(&cache.id);
        self.byte(match cache.sharing {
            Sharing::Shared => 1,
            Sharing::Private => 2,
            Sharing::Locked => 3,
        });
        self.option(cache.seed.as_ref(), |encoder, (input, path)| {
            encoder.input(*input);
            encoder.text(path);
        });
        self.flag(cache.read_only);
        self.option(cache.owner, Self::owner);
    }

    fn owner(&mut self, owner: FileOwner) {
        for value in [owner.uid, owner.gid, owner.mode] {
            self.u32(value);
        }
    }

    fn copy(&mut self, copy: &CopyOp) {
        self.list(&copy.sources, |encoder, source| match source {
            CopySource::Path(path) => {
                encoder.byte(1);
                encoder.path_source(path);
            }
            CopySource::File(file) => {
                encoder.byte(2);
                encoder.text(&file.name);
                encoder.text(&file.content);
            }
            CopySource::Download(download) => {
                encoder.byte(3);
                encoder.input(download.input);
                encoder.text(&download.file_name);
                encoder.flag(download.unpack);
            }
            CopySource::Checkout(input) => {
                encoder.byte(4);
                encoder.input(*input);
            }
        });
        self.text(&copy.dest);
        self.option(copy.chown.as_deref(), Self::user_name);
        self.option(copy.chmod.as_deref(), Self::text);
        self.flag(copy.link);
        self.list(&copy.excludes, |encoder, pattern| encoder.text(pattern));
        self.flag(copy.add);
    }

    fn path_source(&mut self, source: &PathSource) {
        self.input(source.input);
        self.text(&source.path);
        self.option(source.parents.as_ref(), |encoder, parents| {
            encoder.text(&parents.pattern);
            encoder.flag(parents.required);
        });
        self.flag(source.unpack);
    }
}
