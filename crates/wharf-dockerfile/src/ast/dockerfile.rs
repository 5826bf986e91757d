//! The whole file: directives, global ARGs, stages, and how stages are found by name.

use super::{ArgDeclaration, Instruction, InstructionKind};
use crate::source::{Source, Span};
use crate::suggest;
use crate::token::Token;
use crate::word::Word;

/// A parsed Dockerfile. What could not be understood is missing here and named by a diagnostic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    /// The text it was parsed from.
    pub source: Source,
    /// `# syntax=`, `# escape=`, `# check=`.
    pub directives: Directives,
    /// The instructions before the first FROM: ARGs, unless a diagnostic says otherwise.
    pub global: Vec<Instruction>,
    /// The stages in order.
    pub stages: Vec<Stage>,
    /// Every byte of the source, in order and without gaps.
    pub tokens: Vec<Token>,
}

impl Dockerfile {
    /// The escape character that is in force: `\` or a backtick.
    pub fn escape(&self) -> char {
        self.directives.escape_character()
    }

    /// The global ARG declarations in order.
    pub fn global_args(&self) -> impl Iterator<Item = &ArgDeclaration> {
        self.global
            .iter()
            .flat_map(|instruction| match &instruction.kind {
                InstructionKind::Arg(declarations) => declarations.as_slice(),
                _ => &[],
            })
    }

    /// The stage that `FROM base` in stage number `before` means, if it means one: the last earlier stage of exactly this
    /// (lower-case) name. Otherwise the base is an image.
    pub fn stage_of_base(&self, base: &str, before: usize) -> Option<&Stage> {
        self.stages[..before.min(self.stages.len())]
            .iter()
            .rev()
            .find(|stage| stage.name() == Some(base))
    }

    /// The stage that a target, `COPY --from` or `--mount=from=` names: the last of this name, in any case.
    pub fn stage_named(&self, name: &str) -> Option<&Stage> {
        let name = name.to_lowercase();
        self.stages.iter().rev().find(|stage| stage.name() == Some(&name))
    }

    /// The stage name nearest to `name` that could have been meant.
    pub fn suggest_stage(&self, name: &str) -> Option<String> {
        suggest::nearest(
            name,
            self.stages.iter().filter_map(Stage::name),
            suggest::Case::Ignored,
        )
    }

    /// All instructions but FROM, the global ones first.
    pub fn instructions(&self) -> impl Iterator<Item = &Instruction> {
        self.global
            .iter()
            .chain(self.stages.iter().flat_map(|stage| &stage.instructions))
    }

    /// The whole instruction, FROM included, that `span` begins in; the span itself when that is none which was understood.
    pub fn instruction_at(&self, span: Span) -> Span {
        let froms = self.stages.iter().map(|stage| stage.from.span);
        let others = self.instructions().map(|instruction| instruction.span);
        froms
            .chain(others)
            .find(|whole| whole.start <= span.start && span.start < whole.end)
            .unwrap_or(span)
    }
}

/// The parser directives, which stand before everything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// `# syntax=`: the frontend that the author asks for.
    pub syntax: Option<Directive>,
    /// `# escape=`: a backslash or a backtick.
    pub escape: Option<Directive>,
    /// `# check=`: options of the linter.
    pub check: Option<Directive>,
}

impl Directives {
    /// The escape character: `\` unless a directive chose the backtick.
    pub fn escape_character(&self) -> char {
        match &self.escape {
            Some(directive) if directive.value.raw == "`" => '`',
            _ => '\\',
        }
    }
}

/// One `# name=value` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// The comment that holds it, from `#`.
    pub span: Span,
    /// The whole value, ends trimmed.
    pub value: Word,
}

/// A comment that stands directly before an instruction (blank lines between do not part them, an empty comment does).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// The comment, from `#` to the end of the line.
    pub span: Span,
    /// What follows the `#`, ends trimmed. Never empty.
    pub text: String,
}

/// A FROM and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Its number, from 0.
    pub index: usize,
    /// The FROM that opens it.
    pub from: FromInstruction,
    /// The instructions after FROM.
    pub instructions: Vec<Instruction>,
}

impl Stage {
    /// The name in lower case, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.from.name.as_ref().map(|name| name.name.as_str())
    }

    /// What the comment above FROM says of this stage (`# <name> <description>`).
    pub fn description(&self) -> Option<&str> {
        describe(&self.from.comments, self.name()?)
    }
}

/// `FROM [--platform=…] base [AS name]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromInstruction {
    /// From the keyword to the end of the instruction, without the line ending.
    pub span: Span,
    /// `FROM` as written.
    pub keyword: Word,
    /// The instruction as one line, ends trimmed.
    pub code: String,
    /// The comments above.
    pub comments: Vec<Comment>,
    /// Lines of white space within a continued line.
    pub empty_continuations: Vec<Span>,
    /// `--platform=`, to be expanded with the global ARGs.
    pub platform: Option<Word>,
    /// Image, stage, base or named context, to be expanded with the global ARGs.
    pub base: Word,
    /// `AS` as written.
    pub as_keyword: Option<Word>,
    /// The name after AS.
    pub name: Option<StageName>,
}

/// The name of a stage. It is never expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageName {
    /// Where it stands.
    pub span: Span,
    /// In lower case, as it is looked up.
    pub name: String,
    /// As written.
    pub written: String,
}

/// The description of `name` in the comments above its definition: the first line that begins with the name.
pub(crate) fn describe<'a>(comments: &'a [Comment], name: &str) -> Option<&'a str> {
    comments
        .iter()
        .find_map(|comment| comment.text.strip_prefix(name)?.strip_prefix(' '))
}
