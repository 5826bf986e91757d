//! One instruction, and the payloads that are not worth a file of their own.

use super::{
    AddInstruction, CommandLine, Comment, CopyInstruction, HealthcheckInstruction, Keyword, RunInstruction,
};
use crate::source::Span;
use crate::word::Word;

/// An instruction other than FROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// From the keyword to the end of the last line, heredocs included, without the last line's ending (unless that line is
    /// empty).
    pub span: Span,
    /// The keyword as written.
    pub keyword: Word,
    /// The instruction as one line (continuations joined, heredoc bodies left out), ends trimmed: what progress shows.
    pub code: String,
    /// The comments above.
    pub comments: Vec<Comment>,
    /// Lines of white space within a continued line.
    pub empty_continuations: Vec<Span>,
    /// Its flags in order, as written; the payload holds what they mean.
    pub flags: Vec<Flag>,
    /// What it says.
    pub kind: InstructionKind,
}

/// A flag as written: `--name` or `--name=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The whole flag.
    pub span: Span,
    /// The name, without the dashes.
    pub name: Word,
    /// What follows the `=`, quotes and escapes removed. `None` without a `=`.
    pub value: Option<Word>,
}

/// What an instruction says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstructionKind {
    /// ADD.
    Add(AddInstruction),
    /// ARG: its declarations in order.
    Arg(Vec<ArgDeclaration>),
    /// CMD.
    Cmd(CommandLine),
    /// COPY.
    Copy(CopyInstruction),
    /// ENTRYPOINT.
    Entrypoint(CommandLine),
    /// ENV: keys and values are expanded, all with the environment before this instruction.
    Env(Vec<KeyValue>),
    /// EXPOSE: each word is expanded and then split.
    Expose(Vec<Word>),
    /// HEALTHCHECK.
    Healthcheck(HealthcheckInstruction),
    /// LABEL: keys and values are expanded.
    Label(Vec<KeyValue>),
    /// MAINTAINER: the rest of the line, not expanded.
    Maintainer(Word),
    /// ONBUILD.
    Onbuild(OnbuildInstruction),
    /// RUN.
    Run(RunInstruction),
    /// SHELL: program and arguments, not expanded, never empty.
    Shell(Vec<Word>),
    /// STOPSIGNAL: expanded.
    Stopsignal(Word),
    /// USER: expanded.
    User(Word),
    /// VOLUME: each path is expanded.
    Volume(Vec<Word>),
    /// WORKDIR: expanded.
    Workdir(Word),
}

impl InstructionKind {
    /// Which instruction this is.
    pub const fn keyword(&self) -> Keyword {
        match self {
            Self::Add(_) => Keyword::Add,
            Self::Arg(_) => Keyword::Arg,
            Self::Cmd(_) => Keyword::Cmd,
            Self::Copy(_) => Keyword::Copy,
            Self::Entrypoint(_) => Keyword::Entrypoint,
            Self::Env(_) => Keyword::Env,
            Self::Expose(_) => Keyword::Expose,
            Self::Healthcheck(_) => Keyword::Healthcheck,
            Self::Label(_) => Keyword::Label,
            Self::Maintainer(_) => Keyword::Maintainer,
            Self::Onbuild(_) => Keyword::Onbuild,
            Self::Run(_) => Keyword::Run,
            Self::Shell(_) => Keyword::Shell,
            Self::Stopsignal(_) => Keyword::Stopsignal,
            Self::User(_) => Keyword::User,
            Self::Volume(_) => Keyword::Volume,
            Self::Workdir(_) => Keyword::Workdir,
        }
    }
}

/// One name of an ARG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgDeclaration {
    /// Name and value.
    pub span: Span,
    /// The name, not expanded.
    pub name: Word,
    /// The default: expanded only when no build argument replaces it.
    pub value: Option<Word>,
    /// What the comment above says of it (`# <name> <description>`).
    pub description: Option<String>,
}

/// A pair of ENV or LABEL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The whole pair.
    pub span: Span,
    /// The key, to be expanded.
    pub key: Word,
    /// The value, to be expanded.
    pub value: Word,
    /// What stands between them.
    pub separator: Separator,
}

/// What parts a key from its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// `key=value`.
    Equals,
    /// `key value`, the legacy form: one pair, the value is the rest of the line.
    Space,
}

/// ONBUILD: an instruction for the builds that use this image as their base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnbuildInstruction {
    /// The trigger's keyword as written. Not checked to be an instruction: that is the later build's concern.
    pub trigger: Word,
    /// The trigger as the image's configuration keeps it: one line, and the bodies of its heredocs. Give it to
    /// [`crate::parse_trigger`].
    pub expression: String,
}
