//! One stage: each instruction changes its state and may add a step.

use std::sync::Arc;

use wharf_dockerfile::{ExpandOptions, InstructionKind, Quotes, Span, Word, expand_with};
use wharf_oci::{Platform, config::ImageConfig};

use super::{
    builder::{GraphBuilder, NewStep},
    environment::{VariableList, Variables},
    error::{LowerError, LowerFault},
    from::{Base, From, Outside},
    history::{self, Layer},
    lowering::Shared,
    outline::StageNotes,
    plan::{PlannedInstruction, PlannedStage},
    reproducible::with_reproducible,
    start,
    windows::is_windows,
};
use crate::{
    op::Op,
    step::{HistoryEntry, Origin, Reusable, StepId},
};

/// What a shell form is given to when neither SHELL nor the base says otherwise.
const DEFAULT_SHELL: &[&str] = &["/bin/sh", "-c"];

/// The same on Windows.
const WINDOWS_SHELL: &[&str] = &["cmd", "/S", "/C"];

/// What the instructions so far have made of a stage.
#[derive(Clone)]
pub(super) struct StageState {
    /// The step whose root is the stage's.
    pub(super) root: StepId,
    pub(super) platform: Platform,
    pub(super) config: ImageConfig,
    /// The configuration's working directory in normal form; `/` if there is none.
    pub(super) working_dir: String,
    pub(super) history: Vec<HistoryEntry>,
    /// ENV and ARG together, as RUN sees them.
    pub(super) variables: Variables,
    /// The declared ARGs, for the history of RUN.
    pub(super) args: Vec<(String, String)>,
}

/// A stage at work.
pub(super) struct StageLowering<'s> {
    pub(super) shared: &'s Shared<'s>,
    pub(super) builder: &'s mut GraphBuilder,
    done: &'s [Option<StageState>],
    stage: &'s PlannedStage<'s>,
    pub(super) state: StageState,
    /// For the outline.
    pub(super) notes: StageNotes,
    /// Whether the stage itself had a CMD: ENTRYPOINT forgets an inherited one.
    pub(super) has_cmd: bool,
    ordinal: u32,
    total: u32,
}

/// The instruction at hand.
#[derive(Clone, Copy)]
pub(super) struct Place<'i> {
    /// The instruction as one line.
    pub(super) code: &'i str,
    pub(super) span: Span,
    on_build: bool,
}

impl StageState {
    /// Notes an ARG; one that is declared again keeps its place.
    pub(super) fn declare(&mut self, name: &str, value: String) {
        match self.args.iter_mut().find(|(known, _)| known == name) {
            Some(known) => known.1 = value,
            None => self.args.push((name.to_owned(), value)),
        }
    }
}

impl<'s> StageLowering<'s> {
    /// The stage after FROM.
    pub(super) fn new(
        stage: &'s PlannedStage<'s>,
        shared: &'s Shared<'s>,
        builder: &'s mut GraphBuilder,
        done: &'s [Option<StageState>],
    ) -> Self {
        let starts_outside = matches!(&stage.base, Base::Outside(base) if *base != Outside::Scratch);
        Self {
            state: start::start(stage, shared, builder, done),
            notes: StageNotes::new(&shared.global_notes, stage.used_args.clone()),
            shared,
            builder,
            done,
            stage,
            has_cmd: false,
            ordinal: u32::from(starts_outside),
            total: start::total(stage),
        }
    }

    /// All instructions. One that is wrong changes nothing; the others are gone through nevertheless.
    pub(super) fn instructions(&mut self) -> Vec<LowerError> {
        let mut errors = Vec::new();
        for planned in &self.stage.instructions {
            if let Err(error) = self.instruction(planned) {
                errors.push(if planned.on_build {
                    error.at(planned.span)
                } else {
                    error
                });
            }
        }
        errors
    }

    fn instruction(&mut self, planned: &PlannedInstruction<'_>) -> Result<(), LowerError> {
        let place = Place {
            code: &planned.instruction.code,
            span: planned.span,
            on_build: planned.on_build,
        };
        match &planned.instruction.kind {
            kind @ (InstructionKind::Add(_) | InstructionKind::Copy(_)) => self.files(place, kind)?,
            InstructionKind::Run(run) => self.run(place, run)?,
            InstructionKind::Workdir(path) => self.workdir(place, path)?,
            InstructionKind::Arg(declarations) => self.arg(place, declarations)?,
            InstructionKind::Env(pairs) => self.env(pairs)?,
            InstructionKind::Cmd(command) => self.cmd(command),
            InstructionKind::Entrypoint(command) => self.entrypoint(command),
            InstructionKind::Expose(words) => self.expose(words)?,
            InstructionKind::Healthcheck(check) => self.healthcheck(check),
            InstructionKind::Label(pairs) => self.label(pairs)?,
            InstructionKind::Maintainer(name) => self.maintainer(name),
            InstructionKind::Onbuild(trigger) => self.on_build(&trigger.expression),
            InstructionKind::Shell(words) => self.shell(words),
            InstructionKind::Stopsignal(signal) => self.stop_signal(signal)?,
            InstructionKind::User(user) => self.user(user)?,
            InstructionKind::Volume(paths) => self.volume(paths)?,
        }
        Ok(())
    }

    /// The value of a word.
    pub(super) fn expand(&self, word: &Word) -> Result<String, LowerError> {
        let options = ExpandOptions::new(self.shared.dockerfile.escape());
        if plain_prefix(word.as_str(), options) == word.as_str().len() {
            return Ok(word.raw.clone());
        }
        let expansion = expand_with(word.as_str(), &|name| self.variable(name), options);
        let value = expansion.map(|expansion| expansion.text);
        value.map_err(|error| LowerError::new(word.span, LowerFault::Expand(error)))
    }

    pub(super) fn expand_all(&self, words: &[Word]) -> Result<Vec<String>, LowerError> {
        words.iter().map(|word| self.expand(word)).collect()
    }

    /// The value of a variable, as words see it.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.state.variables.get(name).map(str::to_owned)
    }

    /// What people are shown of an instruction: its keyword in capitals, its variables expanded where that works.
    pub(super) fn shown(&self, code: &str) -> String {
        let options = ExpandOptions::new(self.shared.dockerfile.escape());
        shown_with(code, options, |name| self.variable(name))
    }

    /// What people are shown of a RUN: quotes and variables that the builder does not know stay, secrets do not show.
    pub(super) fn shown_command(&self, code: &str, secrets: &[&str]) -> String {
        let options = ExpandOptions {
            quotes: Quotes::Keep,
            keep_unset: true,
            ..ExpandOptions::new(self.shared.dockerfile.escape())
        };
        shown_with(code, options, |name| {
            if secrets.contains(&name) {
                Some("****".to_owned())
            } else {
                self.variable(name)
            }
        })
    }

    /// A command with the shell before a shell form.
    pub(super) fn with_shell(&self, command: &str) -> Vec<String> {
        let mut args = self.state.config.config.shell.clone();
        if args.is_empty() {
            let shell = if is_windows(&self.state.platform) {
                WINDOWS_SHELL
            } else {
                DEFAULT_SHELL
            };
            args.extend(shell.iter().map(|word| (*word).to_owned()));
        }
        args.push(command.to_owned());
        args
    }

    pub(super) fn remember(&mut self, created_by: String, layer: Layer) {
        let entry = history::entry(created_by, layer, self.shared.created.as_deref());
        self.state.history.push(entry);
    }

    /// Where the next step of the stage stands.
    pub(super) fn next_origin(&mut self, place: Place<'_>) -> Origin {
        self.ordinal += 1;
        Origin {
            platform: self
                .shared
                .shown_platform(&self.state.platform, &self.state.variables),
            stage: self.shared.stage_label(self.stage),
            ordinal: self.ordinal,
            total: self.total,
            span: self.shared.span(place.span),
            on_build: place.on_build,
        }
    }

    pub(super) fn reusable(&self) -> Reusable {
        if self.shared.options.no_cache.allows(self.stage.stage.name()) {
            Reusable::Yes
        } else {
            Reusable::No
        }
    }

    /// The step whose root holds the files that `from` names.
    pub(super) fn files_of(&mut self, from: &From<'_>, path: &str) -> Result<StepId, LowerError> {
        let shared = self.shared;
        match from.files(shared.options, shared.dockerfile, shared.target)? {
            Base::Stage(stage) => match &self.done[stage] {
                Some(state) => Ok(state.root),
                None => Err(LowerError::new(
                    from.word.span,
                    LowerFault::LaterStage {
                        from: from.word.raw.clone(),
                        stage: self.stage.label.clone(),
                    },
                )),
            },
            Base::Outside(Outside::Scratch) => Ok(self.builder.scratch()),
            Base::Outside(Outside::Files(name)) => Ok(self.builder.context(&name, path)),
            Base::Outside(Outside::Image(source)) => {
                Ok(shared.image(self.builder, &source, shared.target, None))
            }
        }
    }

    /// Adds a step that works on the stage's root, which from now on is the step's.
    pub(super) fn add_step(
        &mut self,
        op: Op,
        inputs: Vec<StepId>,
        name: String,
        origin: Origin,
        reuse: Reusable,
    ) {
        self.state.root = self.builder.add(NewStep {
            op,
            inputs,
            platform: self.state.platform.clone(),
            name,
            origin: Some(origin),
            reuse,
        });
    }

    pub(super) fn layer(&self) -> Layer {
        Layer::Of(self.state.root)
    }

    /// The working directory; `/` if nothing set it.
    pub(super) fn working_dir(&self) -> &str {
        &self.state.working_dir
    }

    /// What RUN is given.
    pub(super) fn variable_list(&mut self) -> VariableList {
        let list = self.state.variables.list();
        if self.shared.options.reproducible_steps {
            return with_reproducible(&list);
        }
        list
    }

    pub(super) fn proxies(&self) -> VariableList {
        Arc::clone(&self.shared.proxies)
    }
}

/// Where the first character stands that expansion may change; the length of the text if there is none. Most texts have none,
/// and expanding one costs as much as all else together.
fn plain_prefix(text: &str, options: ExpandOptions) -> usize {
    let changes = |c: char| c == '$' || c == options.escape || matches!(c, '\'' | '"');
    text.find(changes).unwrap_or(text.len())
}

/// Expands what can be expanded; the keyword in capitals.
fn shown_with(code: &str, options: ExpandOptions, get: impl Fn(&str) -> Option<String>) -> String {
    let (plain, rest) = code.split_at(plain_prefix(code, options));
    let rest = match rest {
        "" => String::new(),
        rest => expand_with(rest, &get, options).map_or_else(|_| rest.to_owned(), |expansion| expansion.text),
    };
    match plain.split_once(' ') {
        Some((keyword, plain)) => format!("{} {plain}{rest}", keyword.to_uppercase()),
        None => format!("{}{rest}", plain.to_uppercase()),
    }
}
