//! Arguments and flags to a typed instruction: everything that can be known without expanding a variable.

use super::arguments::{Arguments, split_pair};
use super::flags::Flags;
use super::health::healthcheck;
use super::heredoc::parse_operator;
use super::logical::Text;
use super::mounts;
use crate::ast::{
    AddInstruction, ArgDeclaration, CommandLine, Comment, CopyInstruction, FileTransfer, Flag, Heredoc,
    InstructionKind, KeyValue, Keyword, NetworkMode, OnbuildInstruction, RunInstruction, SecurityMode,
    describe,
};
use crate::diagnostic::{Diagnostic, SyntaxError};
use crate::source::{Source, Span};
use crate::word::Word;

/// What is wrong, and where.
type Problem = (Span, SyntaxError);

/// What an instruction is made from.
pub(super) struct Parts<'a> {
    pub(super) source: &'a Source,
    pub(super) keyword: Keyword,
    /// Where the keyword stands: errors about what is missing point there.
    pub(super) keyword_span: Span,
    pub(super) line: Text<'a>,
    pub(super) flags: &'a [Flag],
    pub(super) comments: &'a [Comment],
    pub(super) heredocs: Vec<Heredoc>,
}

/// The instruction. `None` when it cannot be understood, which `errors` then says; but an instruction with a wrong flag, say,
/// comes out without it.
pub(super) fn build(
    parts: Parts<'_>,
    arguments: Arguments<'_>,
    errors: &mut Vec<Diagnostic>,
) -> Option<InstructionKind> {
    if parts.keyword == Keyword::Healthcheck {
        let place = parts.keyword_span;
        return healthcheck(arguments, parts.flags, place, errors).map(InstructionKind::Healthcheck);
    }
    let flags = Flags::check(parts.keyword, parts.flags, errors);
    let result = match (parts.keyword, arguments) {
        (Keyword::Run, Arguments::Command(command)) => {
            return Some(InstructionKind::Run(run(
                command,
                parts.heredocs,
                &flags,
                parts.source,
                errors,
            )));
        }
        (Keyword::Copy, Arguments::Words { words, .. }) => copy(&parts, words, &flags),
        (Keyword::Add, Arguments::Words { words, .. }) => add(&parts, words, &flags),
        (Keyword::Cmd, Arguments::Command(command)) => Ok(InstructionKind::Cmd(command)),
        (Keyword::Entrypoint, Arguments::Command(command)) => Ok(InstructionKind::Entrypoint(command)),
        (Keyword::Shell, Arguments::Command(command)) => shell(command, parts.keyword_span),
        (Keyword::Env, Arguments::Pairs(pairs)) => named(pairs, Keyword::Env).map(InstructionKind::Env),
        (Keyword::Label, Arguments::Pairs(pairs)) => named(pairs, Keyword::Label).map(InstructionKind::Label),
        (Keyword::Arg, Arguments::Quoted(words)) => declarations(&words, parts.comments),
        (Keyword::Expose, Arguments::Words { words, .. }) => Ok(InstructionKind::Expose(words)),
        (Keyword::Volume, Arguments::Words { words, .. }) => volume(words, parts.keyword_span),
        (Keyword::Onbuild, Arguments::Trigger(command)) => {
            onbuild(command.keyword, parts.line, &parts.heredocs)
        }
        (Keyword::Maintainer, Arguments::Text(word)) => Ok(InstructionKind::Maintainer(word)),
        (Keyword::Stopsignal, Arguments::Text(word)) => Ok(InstructionKind::Stopsignal(word)),
        (Keyword::User, Arguments::Text(word)) => Ok(InstructionKind::User(word)),
        (Keyword::Workdir, Arguments::Text(word)) => Ok(InstructionKind::Workdir(word)),
        (keyword, _) => Err((parts.keyword_span, too_few_arguments(keyword))),
    };
    result
        .map_err(|(span, error)| errors.push(Diagnostic::new(span, error)))
        .ok()
}

fn too_few_arguments(keyword: Keyword) -> SyntaxError {
    match keyword {
        Keyword::Maintainer | Keyword::Stopsignal | Keyword::User | Keyword::Workdir => {
            SyntaxError::ExactlyOneArgument(keyword)
        }
        _ => SyntaxError::AtLeastOneArgument(keyword),
    }
}

fn run(
    command: CommandLine,
    heredocs: Vec<Heredoc>,
    flags: &Flags<'_>,
    source: &Source,
    errors: &mut Vec<Diagnostic>,
) -> RunInstruction {
    let list = |name| flags.list(name);
    let mounts = list("mount")
        .iter()
        .filter_map(|value| mounts::mount(value, source, errors))
        .collect();
    let devices = list("device")
        .iter()
        .filter_map(|value| mounts::device(value, source, errors))
        .collect();
    let network = flags.written("network");
    let security = flags.written("security");
    RunInstruction {
        command,
        heredocs,
        mounts,
        devices,
        network: choose(network, &NetworkMode::NAMES, SyntaxError::UnknownNetwork, errors),
        security: choose(
            security,
            &SecurityMode::NAMES,
            SyntaxError::UnknownSecurity,
            errors,
        ),
    }
}

/// The value of a flag that takes one of a few names.
fn choose<T: Copy + Default>(
    value: Option<Word>,
    names: &[(&'static str, T)],
    unknown: fn(String) -> SyntaxError,
    errors: &mut Vec<Diagnostic>,
) -> T {
    let Some(Word { span, raw }) = value else {
        return T::default();
    };
    let choice = names
        .iter()
        .find(|(name, _)| *name == raw)
        .map(|(_, choice)| *choice);
    if choice.is_none() {
        errors.push(Diagnostic::new(span, unknown(raw)));
    }
    choice.unwrap_or_default()
}

fn copy(parts: &Parts<'_>, words: Vec<Word>, flags: &Flags<'_>) -> Result<InstructionKind, Problem> {
    let files = transfer(parts, words, flags)?;
    let parents = flags.boolean("parents").unwrap_or(false);
    Ok(InstructionKind::Copy(CopyInstruction {
        files,
        from: flags.text("from"),
        parents,
    }))
}

fn add(parts: &Parts<'_>, words: Vec<Word>, flags: &Flags<'_>) -> Result<InstructionKind, Problem> {
    let files = transfer(parts, words, flags)?;
    Ok(InstructionKind::Add(AddInstruction {
        files,
        checksum: flags.text("checksum"),
        keep_git_dir: flags.boolean("keep-git-dir"),
        unpack: flags.boolean("unpack"),
    }))
}

fn transfer(parts: &Parts<'_>, mut words: Vec<Word>, flags: &Flags<'_>) -> Result<FileTransfer, Problem> {
    let no_destination = || (parts.keyword_span, SyntaxError::NoDestination(parts.keyword));
    if words.len() < 2 {
        return Err(no_destination());
    }
    let destination = words.pop().ok_or_else(no_destination)?;
    if parse_operator(destination.as_str()).is_some() {
        return Err((destination.span, SyntaxError::HeredocDestination(parts.keyword)));
    }
    let (inline, sources): (Vec<_>, Vec<_>) = words
        .into_iter()
        .partition(|word| parse_operator(word.as_str()).is_some());
    Ok(FileTransfer {
        sources,
        heredocs: inline
            .iter()
            .filter_map(|word| inline_file(word, &parts.heredocs))
            .collect(),
        destination,
        chown: flags.text("chown"),
        chmod: flags.text("chmod"),
        link: flags.boolean("link").unwrap_or(false),
        exclude: flags.list("exclude"),
    })
}

/// The heredoc that a source names. Of several with one name the last one's body counts.
fn inline_file(word: &Word, heredocs: &[Heredoc]) -> Option<Heredoc> {
    let operator = parse_operator(word.as_str())?;
    let body = heredocs
        .iter()
        .rev()
        .find(|heredoc| heredoc.name == operator.name);
    let nowhere = Span::empty(word.span.end);
    Some(Heredoc {
        operator: word.span,
        name: operator.name,
        descriptor: operator.descriptor,
        expand: operator.expand,
        strip_tabs: operator.strip_tabs,
        body: body.map_or(nowhere, |body| body.body),
        content: body.map(|body| body.content.clone()).unwrap_or_default(),
        terminator: body.map_or(nowhere, |body| body.terminator),
    })
}

fn shell(command: CommandLine, keyword: Span) -> Result<InstructionKind, Problem> {
    let empty = || (keyword, SyntaxError::AtLeastOneArgument(Keyword::Shell));
    match command {
        CommandLine::Exec { args, .. } if args.is_empty() => Err(empty()),
        CommandLine::Exec { args, .. } => Ok(InstructionKind::Shell(args)),
        CommandLine::Shell(word) if word.is_empty() => Err(empty()),
        CommandLine::Shell(word) => Err((word.span, SyntaxError::NotJson(Keyword::Shell))),
    }
}

/// Pairs whose keys are not blank.
fn named(pairs: Vec<KeyValue>, keyword: Keyword) -> Result<Vec<KeyValue>, Problem> {
    match pairs.iter().find(|pair| pair.key.is_empty()) {
        Some(pair) => Err((pair.span, SyntaxError::BlankName(keyword))),
        None => Ok(pairs),
    }
}

fn declarations(words: &[Text<'_>], comments: &[Comment]) -> Result<InstructionKind, Problem> {
    let declarations = words.iter().map(|word| {
        let (name, value) = split_pair(*word);
        if name.is_empty() {
            return Err((word.span(), SyntaxError::BlankName(Keyword::Arg)));
        }
        Ok(ArgDeclaration {
            span: word.span(),
            description: describe(comments, name.as_str()).map(str::to_owned),
            name: name.word(),
            value: value.map(|value| value.word()),
        })
    });
    declarations.collect::<Result<_, _>>().map(InstructionKind::Arg)
}

fn volume(words: Vec<Word>, keyword: Span) -> Result<InstructionKind, Problem> {
    if words.is_empty() {
        return Err((keyword, SyntaxError::AtLeastOneArgument(Keyword::Volume)));
    }
    let trimmed = words.into_iter().map(|word| match word.raw.trim() {
        "" => Err((word.span, SyntaxError::EmptyVolume)),
        path => Ok(Word::new(word.span, path)),
    });
    trimmed.collect::<Result<_, _>>().map(InstructionKind::Volume)
}

fn onbuild(trigger: Text<'_>, line: Text<'_>, heredocs: &[Heredoc]) -> Result<InstructionKind, Problem> {
    match Keyword::parse(trigger.as_str()) {
        Some(Keyword::Onbuild) => {
            return Err((trigger.span(), SyntaxError::ChainedOnbuild));
        }
        Some(keyword @ (Keyword::From | Keyword::Maintainer)) => {
            return Err((trigger.span(), SyntaxError::ForbiddenTrigger(keyword)));
        }
        _ => {}
    }
    let from = trigger.range().start - line.range().start;
    let mut expression = line.as_str()[from..].to_owned();
    for heredoc in heredocs {
        expression.push('\n');
        expression.push_str(&heredoc.content);
        expression.push_str(&heredoc.name);
    }
    Ok(InstructionKind::Onbuild(OnbuildInstruction {
        trigger: trigger.word(),
        expression,
    }))
}
