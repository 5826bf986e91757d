//! What a build says while it works: the one output of a solve.
//!
//! The terminal, `--progress=rawjson`, telemetry and the build record are readers of this stream; nothing that works prints. A
//! stream is a sequence of [`Record`]s; as JSON, one object a line. Members are only ever added, and a reader skips those that
//! it does not know.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use wharf_oci::Digest;

use crate::{
    parts::Part,
    step::{Origin, SourceSpan, StepId},
};

/// An event and when it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// A moment, in microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first event.
    BuildStarted(BuildStarted),
    /// Something that is no step began: reading the context, asking for an image, writing the output.
    PhaseStarted(PhaseStarted),
    /// It ended.
    PhaseFinished(PhaseFinished),
    /// The steps are known. Once a build, before the first step starts.
    GraphKnown {
        /// All of them, inputs before their users.
        steps: Vec<StepInfo>,
    },
    /// A step's inputs are there and its work begins.
    StepStarted {
        /// Which.
        step: StepId,
        /// Why no earlier result could be taken, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<RunReason>,
    },
    /// How far a step, or a transfer for it, has come.
    StepProgress(Progress),
    /// A step's process wrote something.
    StepLog {
        /// Which.
        step: StepId,
        /// Where to.
        stream: Stream,
        /// What: may begin or end inside a line or a character.
        data: LogBytes,
    },
    /// A step was not run: an earlier result stands for it.
    StepCached {
        /// Which.
        step: StepId,
        /// Why that is right.
        reason: Reuse,
        /// How long the step took when it ran, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        saved_ms: Option<u64>,
    },
    /// A COPY or ADD that ran brought other files than the last time in its place.
    StepBrought {
        /// Which.
        step: StepId,
        /// The first of them.
        changes: Vec<Change>,
        /// How many there are.
        count: u64,
    },
    /// A step ran and has a result.
    StepFinished {
        /// Which.
        step: StepId,
    },
    /// A step has no result.
    StepFailed {
        /// Which.
        step: StepId,
        /// What happened and why, without the step's name: one line a cause, outermost first.
        causes: Vec<String>,
        /// The exit code of the step's process, if it is that what failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_code: Option<i32>,
    },
    /// A step was stopped, because another one failed or the user asked for it.
    StepInterrupted {
        /// Which.
        step: StepId,
    },
    /// Something that the user should know and that stops nothing.
    Warning(Warning),
    /// The last event.
    BuildFinished(BuildFinished),
}

/// The start of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildStarted {
    /// Names the build in the history.
    pub build: String,
    /// The builder's version.
    pub version: String,
    /// The context, as the user named it.
    pub context: String,
    /// The Dockerfile, as the user named it.
    pub dockerfile: String,
    /// The stage that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The platforms that were asked for.
    pub platforms: Vec<String>,
}

/// Names a phase or a transfer: unique in a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PhaseId(pub u32);

/// The start of a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseStarted {
    /// Which.
    pub phase: PhaseId,
    /// What sort of work it is.
    pub kind: PhaseKind,
    /// What people are shown: `load context`, `resolve alpine:3.20`, `write layer 2 of 3`.
    pub name: String,
}

/// What sort of work a phase is; the summary adds up times by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseKind {
    /// Reading the Dockerfile and its ignore file.
    Read,
    /// Walking and hashing a context.
    Context,
    /// Learning what a reference stands for.
    Resolve,
    /// Downloading.
    Pull,
    /// Turning a step's changes into a layer.
    Commit,
    /// Making the output.
    Export,
    /// Sending it somewhere.
    Push,
    /// What fits nothing else.
    Internal,
}

/// The end of a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseFinished {
    /// Which.
    pub phase: PhaseId,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A step as readers of the stream know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepInfo {
    /// Its number.
    pub step: StepId,
    /// The instruction, as people are shown it.
    pub name: String,
    /// What it works on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<StepId>,
    /// `os/architecture[/variant]`.
    pub platform: String,
    /// Where it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What counts in its key, but for files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// How far something has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What it is for; `None` when a phase stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// The phase it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<PhaseId>,
    /// What is being moved: a blob's digest, a package, a URL.
    pub item: String,
    /// Bytes so far.
    pub done: u64,
    /// Bytes in all, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// Where a process wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// File descriptor 1.
    Stdout,
    /// File descriptor 2.
    Stderr,
}

/// What a process wrote. As JSON a string if it is UTF-8, else an array of bytes.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "LogText", into = "LogText")]
pub struct LogBytes(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum LogText {
    Text(String),
    Bytes(Vec<u8>),
}

/// Why an earlier result stands for a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Reuse {
    /// Same op, same inputs.
    Exact,
    /// Same op, and the new inputs answer as the old ones did to everything that the step asked.
    Traced,
    /// Another step of this build is the same.
    SameAs {
        /// Which.
        step: StepId,
    },
    /// Another process ran the same step meanwhile.
    Waited {
        /// Its process ID.
        pid: u32,
    },
}

/// Why a step runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum RunReason {
    /// It never ran before.
    New,
    /// The user said so: `--no-cache`.
    Asked,
    /// It is not of a kind that is kept.
    NeverKept,
    /// It ran before in this place, and something that it asked is answered differently now.
    Changed {
        /// What, in a few words: `/app/package.json`.
        what: String,
        /// The first answers that differ, in the order of the paths.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<Change>,
        /// How many there are in all.
        #[serde(default, skip_serializing_if = "is_zero")]
        count: u64,
    },
    /// It ran before in this place, but nobody saw what it read, and what it works on is different.
    Unseen,
    /// It ran before in this place, and nothing that it read is different, but a file would not have the modification time that the
    /// result remembers.
    Times {
        /// The file.
        path: String,
    },
    /// It ran before in this place, but its result is no longer kept.
    Forgotten,
    /// `--verify-cache`: a reused step runs again to be compared.
    Verify,
}

/// A question that a step asked when it ran before, and that has another answer now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Where, as the step would name it: absolute; in a bind mount relative to what is mounted.
    pub path: String,
    /// 0 is the step's root, n its n-th bind mount.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub root: u64,
    /// What is different.
    #[serde(flatten)]
    pub what: ChangeKind,
    /// The step whose layer brought or removed it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<StepId>,
}

/// What is different about a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum ChangeKind {
    /// It was not there before.
    Appeared,
    /// It is not there any more.
    Disappeared,
    /// It is of another type: a link now, say.
    Type,
    /// Mode or owner.
    Attributes,
    /// Extended attributes.
    Xattrs,
    /// Size, or the names of its hard-link group.
    Stat,
    /// Where the link leads.
    Target,
    /// What is in the directory.
    Listing {
        /// New names.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        added: Vec<String>,
        /// Names that are gone.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        removed: Vec<String>,
    },
    /// The content of the file.
    Content,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Something that the user should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// A name that settings can refer to: the rule's, for lint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// One line.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where in the Dockerfile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<SourceSpan>,
}

/// The end of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildFinished {
    /// How it ended.
    pub outcome: Outcome,
    /// What it made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<BuiltImage>,
}

/// How a build ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything asked for is there.
    Succeeded,
    /// Something failed.
    Failed,
    /// The user stopped it.
    Interrupted,
}

/// An image that a build made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltImage {
    /// `os/architecture[/variant]`.
    pub platform: String,
    /// Of its manifest.
    pub digest: Digest,
    /// Compressed layers and documents, in bytes.
    pub size: u64,
    /// The names it got.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl Timestamp {
    /// Now.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// The time from `earlier` to this; zero if the clock went back.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(since_epoch.as_micros() as u64)
    }
}

impl Record {
    /// `event`, now.
    pub fn now(event: Event) -> Self {
        Self {
            at: Timestamp::now(),
            event,
        }
    }
}

impl From<LogText> for LogBytes {
    fn from(text: LogText) -> Self {
        match text {
            LogText::Text(text) => Self(text.into_bytes()),
            LogText::Bytes(bytes) => Self(bytes),
        }
    }
}

impl From<LogBytes> for LogText {
    fn from(bytes: LogBytes) -> Self {
        String::from_utf8(bytes.0).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }
}

impl std::fmt::Debug for LogBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(event: Event) -> String {
        let record = Record {
            at: Timestamp(1_000_001),
            event,
        };
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        text
    }

    #[test]
    fn one_object_a_record() {
        let log = |data: &[u8]| Event::StepLog {
            step: StepId(3),
            stream: Stream::Stderr,
            data: LogBytes(data.to_vec()),
        };
        assert_eq!(
            json(log(b"hi\n")),
            r#"{"at":1000001,"event":"step_log","step":3,"stream":"stderr","data":"hi\n"}"#
        );
        assert_eq!(
            json(log(b"\xff\n")),
            r#"{"at":1000001,"event":"step_log","step":3,"stream":"stderr","data":[255,10]}"#
        );
        let cached = Event::StepCached {
            step: StepId(1),
            reason: Reuse::SameAs { step: StepId(0) },
            saved_ms: None,
        };
        assert_eq!(
            json(cached),
            r#"{"at":1000001,"event":"step_cached","step":1,"reason":{"by":"same_as","step":0}}"#
        );
    }

    #[test]
    fn members_of_later_versions_are_skipped() {
        let line = r#"{"at":1,"event":"step_finished","step":0,"later":true}"#;
        assert!(serde_json::from_str::<Record>(line).is_ok());
    }
}
