//! Cache keys: digests of what a step does and of what it works on, never of file times.
//!
//! `docs/formats.md`, section "Keys". The exact key names a step on given trees. The family key names it on any, and leads by
//! way of path sets to strong keys. Both are made of the op as it is *resolved* against its parent: the numbers behind a
//! user's name, not the name.

use std::fmt;

use wharf_oci::Digest;
use wharf_tree::TreeDigest;

use crate::{encode::Encoder, op::Op, step::Step};

/// The version of all key formats. Raised when an encoding or the meaning of a step changes, so that old results are not taken.
pub const KEY_VERSION: u16 = 3;

/// How many path sets a family keeps in a lane.
pub const SLOTS: u8 = 8;

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Digest);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.short())
            }
        }
    };
}

key! {
    /// A step on given inputs.
    ExactKey
}
key! {
    /// A step on whatever inputs.
    FamilyKey
}
key! {
    /// Where one of a family's path sets is found.
    SlotKey
}
key! {
    /// Where a step stands, so that equal steps of different projects do not push each other's path sets out.
    Lane
}

/// What a key needs and the op does not say, because it depends on the parent's files or on the machine's settings.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Resolved {
    /// What USER (of RUN), `--chown` (of COPY) or the owner (of WORKDIR) stand for in the parent.
    pub user: Option<ResolvedUser>,
    /// Digest of the seccomp profile's text; `None` is unconfined.
    pub seccomp: Option<Digest>,
    /// Configured: results of one scope are not taken by another.
    pub scope: String,
    /// Version of the recorder and of what it records; results of another are not taken.
    pub trace_version: u16,
    /// Whether steps see one user and one group only, so that every file they make is 0:0.
    pub one_owner: bool,
    /// Of RUN: whether anything in its roots has an extended attribute, and an access control list. Where nothing has, the kernel is told so
    /// once, and a process that asks for one learns "not supported" instead of "none".
    pub has_xattrs: bool,
    /// The same for access control lists, which the kernel enforces only where there are any.
    pub has_acls: bool,
    /// The architecture of the processor that steps run on. A RUN for another one is run by an emulator, which shows: its results are
    /// not those of a machine of that architecture.
    pub machine: String,
}

/// A user as the kernel knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ResolvedUser {
    /// User ID.
    pub uid: u32,
    /// Primary group ID.
    pub gid: u32,
    /// Supplementary groups, sorted.
    pub groups: Vec<u32>,
    /// The value HOME gets when the environment has none.
    pub home: String,
}

impl ExactKey {
    /// The key of `step` on `trees`: one for each of the step's inputs, in their order. Where a step takes a part of an input
    /// only (COPY, the `source` of a mount), the caller gives the digest of a tree of that part.
    pub fn new(step: &Step, resolved: &Resolved, trees: &[TreeDigest]) -> Self {
        let mut encoder = Encoder::new("wharf exact key", KEY_VERSION);
        encoder.digest(&FamilyKey::new(step, resolved).0);
        encoder.list(trees, |encoder, tree| encoder.digest(&tree.0));
        Self(encoder.finish())
    }
}

impl FamilyKey {
    /// The key of `step` without what it works on.
    pub fn new(step: &Step, resolved: &Resolved) -> Self {
        let mut encoder = Encoder::new("wharf family key", KEY_VERSION);
        encoder.platform(&step.platform);
        if resolved.user.is_some() {
            encoder.skip_user_names();
        }
        encoder.op(&step.op);
        encode_resolved(&mut encoder, resolved);
        if resolved.emulates(step) {
            encoder.text("emulated");
        }
        Self(encoder.finish())
    }
}

impl Resolved {
    /// Whether a step's programs are for another processor than the machine's.
    fn emulates(&self, step: &Step) -> bool {
        matches!(step.op, Op::Run(_))
            && !self.machine.is_empty()
            && step.platform.architecture != self.machine
    }
}

fn encode_resolved(encoder: &mut Encoder, resolved: &Resolved) {
    encoder.option(resolved.user.as_ref(), |encoder, user| {
        encoder.u32(user.uid);
        encoder.u32(user.gid);
        encoder.list(&user.groups, |encoder, group| encoder.u32(*group));
        encoder.text(&user.home);
    });
    encoder.option(resolved.seccomp.as_ref(), Encoder::digest);
    encoder.text(&resolved.scope);
    encoder.u32(resolved.trace_version.into());
    encoder.flag(resolved.one_owner);
    encoder.flag(resolved.has_xattrs);
    encoder.flag(resolved.has_acls);
}

impl Lane {
    /// No lane: where every path set is found besides its own lane.
    pub fn empty() -> Self {
        Self(Encoder::new("wharf empty lane", KEY_VERSION).finish())
    }

    /// The lane of the `ordinal`-th (from 0) of the equal ops of `stage`. `project` names context and Dockerfile by their paths
    /// in the repository.
    pub fn new(project: &str, stage: &str, ordinal: u32) -> Self {
        let mut encoder = Encoder::new("wharf lane", KEY_VERSION);
        encoder.text(project);
        encoder.text(stage);
        encoder.u32(ordinal);
        Self(encoder.finish())
    }
}

impl SlotKey {
    /// The `slot`-th (below [`SLOTS`]) place for a path set of `family` in `lane`.
    pub fn new(family: FamilyKey, lane: Lane, slot: u8) -> Self {
        let mut encoder = Encoder::new("wharf path set slot", KEY_VERSION);
        encoder.digest(&family.0);
        encoder.digest(&lane.0);
        encoder.byte(slot);
        Self(encoder.finish())
    }
}

impl Op {
    /// The digest of the op alone: equal ops, and only they, have equal ones. What proxies and hints say is not in it.
    pub fn digest(&self) -> Digest {
        let mut encoder = Encoder::new("wharf op", KEY_VERSION);
        encoder.op(self);
        encoder.finish()
    }
}
