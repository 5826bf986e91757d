//! Text to [`Dockerfile`]: reads everything, stops at nothing, reports all errors.
//!
//! The layers, from below: [`reader`] joins lines and keeps the tokens; [`split`] cuts keyword, flags and arguments;
//! [`arguments`] gives the arguments the shape that the keyword asks for; [`instruction`] and [`from`] check them.

mod arguments;
mod csv;
mod directives;
mod flags;
mod from;
mod health;
mod heredoc;
mod instruction;
mod json;
mod logical;
mod mounts;
mod reader;
mod split;
mod words;

use arguments::Arguments;
use directives::DirectiveReader;
use from::FromParts;
use instruction::Parts;
use logical::Text;
use reader::{Item, RawInstruction, Reader};
use split::Command;

use crate::ast::{
    Comment, Dockerfile, Flag, FromInstruction, Heredoc, Instruction, InstructionKind, Keyword, Stage,
};
use crate::diagnostic::{Diagnostic, SyntaxError};
use crate::source::{Source, Span};
use crate::suggest::{Case, nearest};

pub(crate) use heredoc::is_operator;

/// A parsed text: what was understood, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parse {
    /// What was understood. With errors, as much as could be.
    pub dockerfile: Dockerfile,
    /// Everything that is wrong, in the order of the text. Empty: the Dockerfile is good.
    pub errors: Vec<Diagnostic>,
}

impl Parse {
    /// The Dockerfile if nothing is wrong.
    pub fn into_result(self) -> Result<Dockerfile, Vec<Diagnostic>> {
        if self.errors.is_empty() {
            Ok(self.dockerfile)
        } else {
            Err(self.errors)
        }
    }
}

/// Parses the text of a Dockerfile.
pub fn parse(text: &str) -> Parse {
    let source = Source::new(text);
    let parser = Parser::read(&source);
    let Parser {
        directives,
        global,
        stages,
        reader,
        mut errors,
        ..
    } = parser;
    let tokens = reader.tokens;
    if global.is_empty() && stages.is_empty() && errors.is_empty() {
        errors.push(Diagnostic::new(
            Span::empty(text.len()),
            SyntaxError::NoInstructions,
        ));
    } else if stages.is_empty() && errors.is_empty() {
        errors.push(Diagnostic::new(Span::empty(text.len()), SyntaxError::NoStages));
    }
    errors.sort_by_key(|error| error.span);
    let directives = directives.directives;
    Parse {
        dockerfile: Dockerfile {
            source,
            directives,
            global,
            stages,
            tokens,
        },
        errors,
    }
}

/// Parses a Dockerfile that may not be UTF-8. Such bytes become U+FFFD, also in the source that the result holds; in comments
/// they do no harm, elsewhere they are an error.
pub fn parse_bytes(bytes: &[u8]) -> Parse {
    let text = String::from_utf8_lossy(bytes);
    let mut result = parse(&text);
    if std::str::from_utf8(bytes).is_ok() {
        return result;
    }
    let mut errors = not_utf8(bytes, &result.dockerfile);
    result.errors.append(&mut errors);
    result.errors.sort_by_key(|error| error.span);
    result
}

/// One error for each instruction that holds bytes that are not UTF-8.
fn not_utf8(bytes: &[u8], dockerfile: &Dockerfile) -> Vec<Diagnostic> {
    use crate::token::TokenKind::{Comment, Directive};
    let mut at = 0;
    let mut errors = Vec::new();
    for chunk in bytes.utf8_chunks() {
        at += chunk.valid().len();
        if chunk.invalid().is_empty() {
            continue;
        }
        let place = Span::new(at, at + char::REPLACEMENT_CHARACTER.len_utf8());
        at = place.end;
        let token = dockerfile
            .tokens
            .partition_point(|token| token.span.end <= place.start);
        let token = dockerfile.tokens.get(token);
        if !token.is_some_and(|token| matches!(token.kind, Comment | Directive)) {
            errors.push(Diagnostic::new(place, SyntaxError::NotUtf8));
        }
    }
    errors
}

/// Parses a trigger of ONBUILD, as an image's configuration holds it: one instruction that is not FROM. Its spans are
/// relative to `expression`.
pub fn parse_trigger(expression: &str) -> Result<Instruction, Vec<Diagnostic>> {
    let source = Source::new(expression);
    let mut parser = Parser {
        in_trigger: true,
        ..Parser::new(&source)
    };
    parser.read_all();
    let whole = Span::new(0, expression.len());
    if !parser.errors.is_empty() {
        return Err(parser.errors);
    }
    if !parser.stages.is_empty() {
        return Err(vec![Diagnostic::new(
            whole,
            SyntaxError::ForbiddenTrigger(Keyword::From),
        )]);
    }
    match parser.global.pop() {
        Some(instruction) if parser.global.is_empty() => Ok(instruction),
        _ => Err(vec![Diagnostic::new(whole, SyntaxError::TriggerNotSingle)]),
    }
}

struct Parser<'a> {
    source: &'a Source,
    reader: Reader<'a>,
    directives: DirectiveReader,
    /// Comments since the last instruction.
    comments: Vec<Comment>,
    global: Vec<Instruction>,
    stages: Vec<Stage>,
    errors: Vec<Diagnostic>,
    /// A trigger stands outside of any stage, and may.
    in_trigger: bool,
}

impl<'a> Parser<'a> {
    fn new(source: &'a Source) -> Self {
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

    fn read(source: &'a Source) -> Self {
        let mut parser = Self::new(source);
        parser.read_all();
        parser
    }

    fn read_all(&mut self) {
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
        let text = self.source.slice(span).trim_start_matches('#').trim();
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
        let from: FromInstruction = from::from(parts, arguments, &mut self.errors);
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
        let keyword = instruction.kind.keyword();
        match self.stages.last_mut() {
            Some(stage) => stage.instructions.push(instruction),
            None => {
                let allowed = self.in_trigger || matches!(instruction.kind, InstructionKind::Arg(_));
                if !allowed {
                    self.errors
                        .push(Diagnostic::new(written.span(), SyntaxError::BeforeFrom(keyword)));
                }
                self.global.push(instruction);
            }
        }
    }
}
