//! Rules about the values that instructions have in a stage.

use super::options::LintOptions;
use super::report::Reporter;
use super::rules::RuleId;
use super::scope::Scope;
use super::stage::StageState;
use crate::ast::{
    AddInstruction, ArgDeclaration, CommandLine, CopyInstruction, Dockerfile, Instruction, InstructionKind,
    KeyValue, MountFlag, Separator,
};
use crate::expand::{ExpandError, ExpandOptions, Expansion, expand_with, expand_words};
use crate::ports::ExposedPorts;
use crate::source::Span;
use crate::suggest::{Case, nearest};
use crate::word::Word;

/// Arguments that steer the build and never become variables.
const NOT_VARIABLES: [&str; 2] = ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

/// Words in a name that tell of a secret, and words that tell it is none after all.
const SECRET: [&str; 10] = [
    "apikey",
    "auth",
    "credential",
    "credentials",
    "key",
    "password",
    "pword",
    "passwd",
    "secret",
    "token",
];
const NOT_SECRET: [&str; 3] = ["public", "file", "version"];

/// A walk through the instructions of one stage.
pub(super) struct Walk<'a> {
    dockerfile: &'a Dockerfile,
    pub(super) options: &'a LintOptions<'a>,
    globals: &'a Scope,
    state: StageState,
    reporter: &'a mut Reporter,
    /// The last CMD, ENTRYPOINT and HEALTHCHECK.
    last: [Option<(Span, Span)>; 3],
    /// Where findings of a trigger are reported: it has no place in this file.
    trigger_place: Option<Span>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        dockerfile: &'a Dockerfile,
        options: &'a LintOptions<'a>,
        globals: &'a Scope,
        state: StageState,
        reporter: &'a mut Reporter,
    ) -> Self {
        Self {
            dockerfile,
            options,
            globals,
            state,
            reporter,
            last: [None; 3],
            trigger_place: None,
        }
    }

    pub(super) fn finish(self) -> StageState {
        self.state
    }

    /// An instruction that the base left for this stage.
    pub(super) fn trigger(&mut self, instruction: &Instruction, from: Span) {
        self.trigger_place = Some(from);
        self.instruction(instruction);
        self.trigger_place = None;
    }

    pub(super) fn instruction(&mut self, at: &Instruction) {
        match &at.kind {
            InstructionKind::Add(AddInstruction { files, checksum, .. }) => {
                self.values(at, checksum);
                self.files(at, files, true);
            }
            InstructionKind::Copy(CopyInstruction { files, from, .. }) => {
                self.files(at, files, from.is_none());
            }
            InstructionKind::Arg(declarations) => self.arguments(at, declarations),
            InstructionKind::Cmd(command) => {
                self.once(at, 0);
                self.shell_form(at, command);
            }
            InstructionKind::Entrypoint(command) => {
                self.once(at, 1);
                self.shell_form(at, command);
            }
            InstructionKind::Healthcheck(_) => self.once(at, 2),
            InstructionKind::Env(pairs) => self.env(at, pairs),
            InstructionKind::Label(pairs) => {
                self.pairs(at, pairs);
            }
            InstructionKind::Expose(words) => self.expose(at, words),
            InstructionKind::Run(run) => self.mounts(at, &run.mounts),
            InstructionKind::Shell(_) => self.state.has_shell = true,
            InstructionKind::Stopsignal(word) | InstructionKind::User(word) => self.values(at, [word]),
            InstructionKind::Volume(words) => self.values(at, words),
            InstructionKind::Workdir(word) => self.workdir(at, word),
            InstructionKind::Maintainer(_) | InstructionKind::Onbuild(_) => {}
        }
    }

    pub(super) fn find(&mut self, rule: RuleId, at: &Instruction, span: Span, message: String) {
        let (span, instruction) = match self.trigger_place {
            Some(place) => (place, place),
            None => (span, at.span),
        };
        self.reporter
            .find_unless_skipped(&at.comments, rule, span, instruction, message);
    }

    /// The value of a word. Variables that are not set are reported.
    pub(super) fn value(&mut self, at: &Instruction, word: &Word) -> Option<String> {
        self.value_with(at, word, ExpandOptions::new(self.dockerfile.escape()))
    }

    /// The same of several words, for what there is to report.
    pub(super) fn values<'w>(&mut self, at: &Instruction, words: impl IntoIterator<Item = &'w Word>) {
        for word in words {
            self.value(at, word);
        }
    }

    pub(super) fn value_with(
        &mut self,
        at: &Instruction,
        word: &Word,
        options: ExpandOptions,
    ) -> Option<String> {
        let expansion = self.expand(word.as_str(), options);
        match expansion {
            Ok(expansion) => {
                self.undefined(at, word.span, &expansion);
                Some(expansion.text)
            }
            Err(error) => {
                self.reporter
                    .problem(self.trigger_place.unwrap_or(word.span), error);
                None
            }
        }
    }

    fn expand(&self, text: &str, options: ExpandOptions) -> Result<Expansion, ExpandError> {
        expand_with(text, &|name| self.state.scope.get(name), options)
    }

    fn undefined(&mut self, at: &Instruction, span: Span, expansion: &Expansion) {
        if !self.state.is_known {
            return;
        }
        for name in &expansion.variables.unset {
            if self.state.scope.knows(name) || NOT_VARIABLES.contains(&name.as_str()) {
                continue;
            }
            let suggestion = nearest(name, self.state.scope.names(), Case::Significant)
                .map(|name| format!(" (did you mean ${name}?)"))
                .unwrap_or_default();
            let message = format!("Usage of undefined variable '${name}'{suggestion}");
            self.find(RuleId::UndefinedVar, at, span, message);
        }
    }

    fn arguments(&mut self, at: &Instruction, declarations: &[ArgDeclaration]) {
        for declaration in declarations {
            self.argument(at, declaration);
        }
    }

    fn argument(&mut self, at: &Instruction, declaration: &ArgDeclaration) {
        let name = declaration.name.as_str();
        self.secret("ARG", name, at, declaration.span);
        let given = self.options.build_args.get(name).cloned();
        let value = match (given, &declaration.value) {
            (Some(given), _) => Some(given),
            (None, None) => self.globals.get(name),
            (None, Some(default)) => self.value(at, default),
        };
        if let Some(value) = value
            && !NOT_VARIABLES.contains(&name)
        {
            self.state.scope.set(name, value);
        }
        self.state.scope.declare(name);
    }

    fn env(&mut self, at: &Instruction, pairs: &[KeyValue]) {
        let values = self.pairs(at, pairs);
        for (pair, (key, value)) in pairs.iter().zip(values) {
            self.secret("ENV", &key, at, pair.span);
            self.state.scope.set(&key, value);
        }
    }

    /// The values of pairs; all see the variables before the instruction.
    fn pairs(&mut self, at: &Instruction, pairs: &[KeyValue]) -> Vec<(String, String)> {
        let mut values = Vec::with_capacity(pairs.len());
        for pair in pairs {
            if pair.separator == Separator::Space {
                let keyword = &at.keyword.raw;
                let message = format!(
                    "\"{keyword} key=value\" should be used instead of legacy \"{keyword} key value\" format"
                );
                self.find(RuleId::LegacyKeyValueFormat, at, pair.span, message);
            }
            let key = self.value(at, &pair.key).unwrap_or_default();
            values.push((key, self.value(at, &pair.value).unwrap_or_default()));
        }
        values
    }

    fn secret(&mut self, keyword: &str, name: &str, at: &Instruction, span: Span) {
        let has = |words: &[&str]| {
            name.split('_')
                .any(|part| words.iter().any(|word| part.eq_ignore_ascii_case(word)))
        };
        if has(&SECRET) && !has(&NOT_SECRET) {
            let message =
                format!("Do not use ARG or ENV instructions for sensitive data ({keyword} {name:?})");
            self.find(RuleId::SecretsUsedInArgOrEnv, at, span, message);
        }
    }

    fn mounts(&mut self, at: &Instruction, mounts: &[MountFlag]) {
        for mount in mounts {
            self.mount(at, mount);
        }
    }

    fn mount(&mut self, at: &Instruction, mount: &MountFlag) {
        let options = ExpandOptions::new(self.dockerfile.escape());
        let mut expansions = Vec::new();
        let resolved = mount.resolve(&mut |value| {
            let expansion = self.expand(value, options)?;
            let text = expansion.text.clone();
            expansions.push(expansion);
            Ok(text)
        });
        for expansion in &expansions {
            self.undefined(at, mount.span, expansion);
        }
        if let Err((span, error)) = resolved {
            self.reporter.problem(self.trigger_place.unwrap_or(span), error);
        }
    }

    fn expose(&mut self, at: &Instruction, words: &[Word]) {
        for word in words {
            self.expose_word(at, word);
        }
    }

    fn expose_word(&mut self, at: &Instruction, word: &Word) {
        let words = expand_words(
            word.as_str(),
            &|name| self.state.scope.get(name),
            self.dockerfile.escape(),
        );
        for port in words.unwrap_or_default() {
            match port.parse::<ExposedPorts>() {
                Ok(ports) => self.exposed(at, word.span, &port, &ports),
                Err(error) => self
                    .reporter
                    .problem(self.trigger_place.unwrap_or(word.span), error),
            }
        }
    }

    fn exposed(&mut self, at: &Instruction, span: Span, port: &str, ports: &ExposedPorts) {
        if ports.protocol != ports.protocol.to_lowercase() {
            let message = format!("Defined protocol '{port}' in EXPOSE instruction should be lowercase");
            self.find(RuleId::ExposeProtoCasing, at, span, message);
        }
        if ports.is_mapping {
            let message = format!(
                "EXPOSE instruction should not define an IP address or host-port mapping, found '{port}'"
            );
            self.find(RuleId::ExposeInvalidFormat, at, span, message);
        }
    }

    fn workdir(&mut self, at: &Instruction, word: &Word) {
        let Some(path) = self.value(at, word) else { return };
        if !self.state.has_workdir && !path.starts_with('/') {
            let message =
                format!("Relative workdir {path:?} can have unexpected results if the base image changes");
            self.find(RuleId::WorkdirRelativePath, at, word.span, message);
        }
        self.state.has_workdir = true;
    }

    /// Only the last one of a stage counts: the one before it is reported.
    fn once(&mut self, at: &Instruction, which: usize) {
        let place = self.trigger_place;
        let here = (place.unwrap_or(at.keyword.span), place.unwrap_or(at.span));
        let Some((span, instruction)) = self.last[which].replace(here) else {
            return;
        };
        let keyword = &at.keyword.raw;
        let message = format!(
            "Multiple {keyword} instructions should not be used in the same stage because only the last one will be used"
        );
        let rule = RuleId::MultipleInstructionsDisallowed;
        self.reporter
            .find_unless_skipped(&at.comments, rule, span, instruction, message);
    }

    /// A shell between does not hand signals on; whoever sets a shell has thought about that.
    fn shell_form(&mut self, at: &Instruction, command: &CommandLine) {
        if !command.is_exec() && !self.state.has_shell {
            let keyword = &at.keyword.raw;
            let message = format!(
                "JSON arguments recommended for {keyword} to prevent unintended behavior related to OS signals"
            );
            self.find(RuleId::JSONArgsRecommended, at, command.span(), message);
        }
    }
}
