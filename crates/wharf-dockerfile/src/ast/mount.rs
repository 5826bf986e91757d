//! `RUN --mount=…`: as written, and as it is once its values are expanded.

use crate::source::Span;
use crate::word::Word;

/// A `--mount` as written. Every value but `from` may hold variables, so what the mount is can only be said when a stage is
/// lowered: see [`MountFlag::resolve`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountFlag {
    /// The flag's value.
    pub span: Span,
    /// The comma-separated fields in order.
    pub fields: Vec<MountField>,
}

/// `key=value` or `key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountField {
    /// The whole field (of a flag with quotes or escapes: the whole value).
    pub span: Span,
    /// The key in lower case.
    pub key: String,
    /// The field as written, for messages.
    pub written: String,
    /// What follows the `=`, to be expanded. `None` without a `=`.
    pub value: Option<Word>,
}

/// A mount whose values are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// `type=`.
    pub kind: MountKind,
    /// `from=`: stage name, image or named context.
    pub from: Option<String>,
    /// `source=`: a path in `from` or the context; of a secret or an ssh socket: its id.
    pub source: Option<String>,
    /// `target=`, as written: relative to the working directory.
    pub target: Option<String>,
    /// Whether the step may not write. Writes to a `bind` are dropped after the step.
    pub read_only: bool,
    /// `size=` of a tmpfs, in bytes; 0 means no limit of its own.
    pub size: u64,
    /// `id=`.
    pub id: Option<String>,
    /// `sharing=` of a cache; `None` means shared.
    pub sharing: Option<Sharing>,
    /// `required`: a secret or ssh socket that the build was not given is an error.
    pub required: bool,
    /// `env=` of a secret: the variable that takes it. Given but empty: the id is the name.
    pub env: Option<String>,
    /// `mode=`.
    pub mode: Option<u32>,
    /// `uid=`.
    pub uid: Option<u32>,
    /// `gid=`.
    pub gid: Option<u32>,
}

/// `type=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MountKind {
    /// A part of the context, a stage or an image.
    #[default]
    Bind,
    /// A directory that outlives the step.
    Cache,
    /// Memory.
    Tmpfs,
    /// A secret as a file or a variable.
    Secret,
    /// A socket of an ssh agent.
    Ssh,
}

impl MountKind {
    /// The names that `type=` takes.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("bind", Self::Bind),
        ("cache", Self::Cache),
        ("tmpfs", Self::Tmpfs),
        ("secret", Self::Secret),
        ("ssh", Self::Ssh),
    ];

    /// The name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// `sharing=`: what happens when two steps use one cache at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sharing {
    /// Both write to it.
    Shared,
    /// Each has one of its own.
    Private,
    /// The second waits.
    Locked,
}

impl Sharing {
    /// The names that `sharing=` takes.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("shared", Self::Shared),
        ("private", Self::Private),
        ("locked", Self::Locked),
    ];
}
