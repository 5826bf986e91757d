//! What a build does, as data: steps and ops, the keys of their results, the events of a solve, and how a Dockerfile becomes
//! a graph of steps.
//!
//! Nothing here reads a disk, asks a network or starts a process: what lowering must know of the world (base images'
//! configurations, settings) is given to it.

mod copy;
mod encode;
pub mod event;
pub mod key;
mod lower;
mod op;
mod parts;
mod run;
mod source;
mod step;

pub use copy::{CopyOp, CopySource, DownloadSource, FileSource, ParentsPattern, PathSource};
pub use event::Stream;
pub use key::{Resolved, ResolvedUser};
pub use lower::{
    BaseImage, BaseRequest, Bases, GitUrl, GitUrlError, LowerError, LowerFault, LowerOptions, NamedContext,
    NoCache, Outline, OutlineArg, OutlineMount, known_base, lower, outline, required_bases,
};
pub use op::{MkdirOp, Op};
pub use parts::Part;
pub use run::{
    BindMount, CacheMount, FileOwner, HostAlias, Mount, NetworkMode, RunOp, ScriptMount, SecretMount,
    SecurityMode, Sharing, SshMount, TmpfsMount, Ulimit,
};
pub use source::{
    ContextName, ContextSource, GitSource, HttpSource, ImageSource, LayoutSource, PullPolicy, Source,
};
pub use step::{Graph, HistoryEntry, Input, Origin, Reusable, Scan, SourceSpan, Step, StepId, Target};
