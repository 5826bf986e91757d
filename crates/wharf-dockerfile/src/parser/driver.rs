//! Instruction by instruction: what is read, split, shaped and checked, put where it belongs.

use super::arguments::{self, Arguments};
use super::directives::DirectiveReader;
use super::from::{self, FromParts};
use super::heredoc;
use super::instruction::{self, Parts};
use super::logical::Text;
use super::reader::{Item, RawInstruction, Reader};
use super::split::{self, Command};
use crate::ast::{Comment, Flag, Heredoc, Instruction, Keyword, Stage};
use crate::diagnostic::{Diagnostic, SyntaxError};
use crate::source::{Source, Span};
use crate::suggest::{Case, nearest};

/// The state of a run over a text.
pub(super) struct Parser<'a> {
    source: &'a Source,
    pub(super) reader: Reader<'a>,
    pub(super) directives: DirectiveReader,
    /// Comments since the last instruction.
    comments: Vec<Comment>,
    pub(super) global: Vec<Instruction>,
    pub(super) stages: Vec<Stage>,
    pub(super) errors: Vec<Diagnostic>,
    /// A trigger stands outside of any stage, and may.
    pub(super) in_trigger: bool,
}

impl<'a> Parser<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        Self {
            source,
            reader: Reader::new(source),
            directives: DirectiveReader::new(),
            comments: Vec::new(),
            global: Vec::new(),
            stages: Vec::new(),
            errors: Vec::new(),
            in_trigger: false,
        }
    }

    pub(super) fn read_all(&mut self) {
        while let Some(item) = self.reader.next(self.escape()) {
            match item {
                Item::Blank => self.directives.close(),
                Item::Comment(span) => self.comment(span),
                Item::Instruction(raw) => {
                    self.directives.close();
                    self.instruction(raw);
                }
            }
        }
    }

    fn escape(&self) -> char {
        self.directives.directives.escape_character()
    }

    fn comment(&mut self, span: Span) {
        if self.directives.take(span, self.source, &mut self.errors) {
            self.reader.mark_directive();
            return;
        }
        let text = self.source.slice(span);
        let text = text.strip_prefix('#').unwrap_or(text).trim();
        if text.is_empty() {
            self.comments.clear();
        } else {
            self.comments.push(Comment {
                span,
                text: text.to_owned(),
            });
        }
    }

    fn instruction(&mut self, mut raw: RawInstruction) {
        raw.comments = std::mem::take(&mut self.comments);
        let command = split::split(raw.text(), self.escape());
        self.reader.finish_instruction(&raw, &command.parts());
        let Some(keyword) = self.keyword(command.keyword, &raw) else {
            return;
        };
        let arguments = match arguments::parse(keyword, command.arguments, self.escape()) {
            Ok(arguments) => arguments,
            Err(mut errors) => {
                self.errors.append(&mut errors);
                return;
            }
        };
        let heredocs = self.heredocs(keyword, &arguments, raw.text());
        let flags: Vec<Flag> = command.flags.iter().map(|split| split.flag.clone()).collect();
        if keyword == Keyword::From {
            self.open_stage(&raw, &command, &flags, arguments);
        } else {
            self.add(&raw, &command, keyword, flags, arguments, heredocs);
        }
    }

    fn keyword(&mut self, written: Text<'_>, raw: &RawInstruction) -> Option<Keyword> {
        let keyword = Keyword::parse(written.as_str());
        if keyword.is_none() && written.is_empty() {
            self.errors
                .push(Diagnostic::new(raw.text().span(), SyntaxError::EmptyInstruction));
        } else if keyword.is_none() {
            let name = written.as_str();
            let near = nearest(name, Keyword::ALL.map(Keyword::name), Case::Ignored);
            let error = SyntaxError::UnknownInstruction(name.to_owned());
            self.errors
                .push(Diagnostic::new(written.span(), error).suggest(near));
        }
        keyword
    }

    /// Reads the bodies of the heredocs of an instruction that may have some; of ONBUILD, the one inside.
    fn heredocs(&mut self, keyword: Keyword, arguments: &Arguments<'_>, line: Text<'_>) -> Vec<Heredoc> {
        let takes_heredocs = match arguments {
            Arguments::Trigger(command) => {
                let keyword = Keyword::parse(command.keyword.as_str());
                let json = |keyword| {
                    arguments::parse(keyword, command.arguments, self.escape())
                        .is_ok_and(|arguments| arguments.is_json())
                };
                keyword.is_some_and(|keyword| keyword.takes_heredocs() && !json(keyword))
            }
            arguments => keyword.takes_heredocs() && !arguments.is_json(),
        };
        if !takes_heredocs {
            return Vec::new();
        }
        heredoc::operators(line)
            .into_iter()
            .map(|(operator, place)| self.heredoc(operator, place))
            .collect()
    }

    fn heredoc(&mut self, operator: heredoc::Operator, place: Text<'_>) -> Heredoc {
        let (heredoc, ended) = self.reader.heredoc(operator, place.span());
        if !ended {
            let error = SyntaxError::UnterminatedHeredoc(heredoc.name.clone());
            self.errors.push(Diagnostic::new(heredoc.operator, error));
        }
        heredoc
    }

    /// Where an instruction stands that ends with the last line read.
    fn span_from(&self, keyword: Text<'_>) -> Span {
        let start = keyword.span().start;
        Span::new(start, self.reader.end_of_last_line().max(start))
    }

    fn open_stage(
        &mut self,
        raw: &RawInstruction,
        command: &Command<'_>,
        flags: &[Flag],
        arguments: Arguments<'_>,
    ) {
        let parts = FromParts {
            span: self.span_from(command.keyword),
            keyword: command.keyword.word(),
            code: raw.text().trim().as_str().to_owned(),
            flags,
            comments: raw.comments.clone(),
            empty_continuations: raw.empty_continuations.clone(),
        };
        let from = from::from(parts, arguments, &mut self.errors);
        self.stages.push(Stage {
            index: self.stages.len(),
            from,
            instructions: Vec::new(),
        });
    }

    fn add(
        &mut self,
        raw: &RawInstruction,
        command: &Command<'_>,
        keyword: Keyword,
        flags: Vec<Flag>,
        arguments: Arguments<'_>,
        heredocs: Vec<Heredoc>,
    ) {
        let parts = Parts {
            source: self.source,
            keyword,
            keyword_span: command.keyword.span(),
            line: raw.text(),
            flags: &flags,
            comments: &raw.comments,
            heredocs,
        };
        let Some(kind) = instruction::build(parts, arguments, &mut self.errors) else {
            return;
        };
        let instruction = Instruction {
            span: self.span_from(command.keyword),
            keyword: command.keyword.word(),
            code: raw.text().trim().as_str().to_owned(),
            comments: raw.comments.clone(),
            empty_continuations: raw.empty_continuations.clone(),
            flags,
            kind,
        };
        self.place(instruction, command.keyword);
    }

    /// Puts an instruction into the stage that is open; before the first one only ARG may stand.
    fn place(&mut self, instruction: Instruction, written: Text<'_>) {
        if let Some(stage) = self.stages.last_mut() {
            stage.instructions.push(instruction);
            return;
        }
        let keyword = instruction.kind.keyword();
        // One such error is enough, and an unknown instruction may have been meant to be the FROM.
        if !self.in_trigger && keyword != Keyword::Arg && self.errors.is_empty() {
            self.errors
                .push(Diagnostic::new(written.span(), SyntaxError::BeforeFrom(keyword)));
        }
        self.global.push(instruction);
    }
}
