//! The instructions that describe the image: ENV, ARG, LABEL, CMD, ENTRYPOINT and the rest. WORKDIR makes a directory too.

use wharf_dockerfile::{
    ExposedPorts, Word,
    ast::{ArgDeclaration, CommandLine, HealthcheckInstruction, KeyValue, Probe},
    expand_words,
};
use wharf_oci::config::Healthcheck;

use super::{
    error::{LowerError, LowerFault},
    history::{self, Layer},
    paths, scan,
    stage::{Place, StageLowering},
    windows::{self, is_windows},
};
use crate::{
    op::{MkdirOp, Op},
    step::Reusable,
};

/// ARGs for the scanner of a build's contents: known to the build, but no variables.
const NO_VARIABLES: [&str; 2] = [scan::CONTEXT, scan::STAGE];

impl StageLowering<'_> {
    /// All values are expanded with the variables as they were before the instruction.
    pub(super) fn env(&mut self, pairs: &[KeyValue]) -> Result<(), LowerError> {
        let pairs = self.pairs(pairs)?;
        for (name, value) in &pairs {
            self.state.variables.set(name.as_str(), value.as_str());
            self.state.config.config.set_env(name, value);
        }
        self.remember(with_pairs("ENV", &pairs), Layer::None);
        Ok(())
    }

    pub(super) fn label(&mut self, pairs: &[KeyValue]) -> Result<(), LowerError> {
        let pairs = self.pairs(pairs)?;
        self.remember(with_pairs("LABEL", &pairs), Layer::None);
        self.state.config.config.labels.extend(pairs);
        Ok(())
    }

    fn pairs(&self, pairs: &[KeyValue]) -> Result<Vec<(String, String)>, LowerError> {
        let pair = |pair: &KeyValue| Ok((self.expand(&pair.key)?, self.expand(&pair.value)?));
        pairs.iter().map(pair).collect()
    }

    /// A build argument, else the default (which sees the ARGs before it), else the global ARG of that name.
    pub(super) fn arg(
        &mut self,
        place: Place<'_>,
        declarations: &[ArgDeclaration],
    ) -> Result<(), LowerError> {
        let mut text = "ARG".to_owned();
        for declaration in declarations {
            let name = declaration.name.as_str();
            let given = self.shared.options.build_arg(name);
            let value = match (given, &declaration.value) {
                (Some(given), _) => Some(given.to_owned()),
                (None, Some(default)) => Some(self.expand(default)?),
                (None, None) => self.shared.globals.get(name).map(str::to_owned),
            };
            let inherited = given.is_none() && declaration.value.is_none() && value.is_some();
            self.notes
                .arg(declaration, value.as_deref(), place.span, inherited);
            text.extend([" ", name]);
            if let Some(value) = &value {
                text.extend(["=", value]);
            }
            if let Some(value) = value.as_deref().filter(|_| !NO_VARIABLES.contains(&name)) {
                self.state.variables.set(name, value);
            }
            self.state.declare(name, value.unwrap_or_default());
        }
        self.remember(text, Layer::None);
        Ok(())
    }

    pub(super) fn cmd(&mut self, command: &CommandLine) {
        self.has_cmd = true;
        let args = self.arguments(command);
        self.remember(format!("CMD {}", history::quoted_list(&args)), Layer::None);
        let config = &mut self.state.config.config;
        config.cmd = args;
        config.args_escaped = true;
    }

    pub(super) fn entrypoint(&mut self, command: &CommandLine) {
        let args = self.arguments(command);
        self.remember(format!("ENTRYPOINT {}", history::quoted_list(&args)), Layer::None);
        let config = &mut self.state.config.config;
        config.entrypoint = args;
        if !self.has_cmd {
            config.cmd.clear();
        }
    }

    fn arguments(&self, command: &CommandLine) -> Vec<String> {
        match command {
            CommandLine::Shell(word) => self.with_shell(word.as_str()),
            CommandLine::Exec { args, .. } => texts(args),
        }
    }

    pub(super) fn shell(&mut self, words: &[Word]) {
        let words = texts(words);
        self.remember(format!("SHELL {}", history::list(&words)), Layer::None);
        self.state.config.config.shell = words;
    }

    pub(super) fn expose(&mut self, words: &[Word]) -> Result<(), LowerError> {
        let mut words: Vec<&Word> = words.iter().collect();
        words.sort_by_key(|word| word.as_str());
        let mut ports = Vec::new();
        for word in words {
            ports.extend(self.ports(word)?);
        }
        self.remember(format!("EXPOSE {}", history::list(&ports)), Layer::None);
        self.state.config.config.exposed_ports.extend(ports);
        Ok(())
    }

    fn ports(&self, word: &Word) -> Result<Vec<String>, LowerError> {
        let escape = self.shared.dockerfile.escape();
        let specs = expand_words(word.as_str(), &|name| self.variable(name), escape)
            .map_err(|error| LowerError::new(word.span, LowerFault::Expand(error)))?;
        let mut ports = Vec::new();
        for spec in specs {
            let exposed: ExposedPorts = spec
                .parse()
                .map_err(|error| LowerError::new(word.span, LowerFault::Port(error)))?;
            ports.extend(exposed.names());
        }
        Ok(ports)
    }

    pub(super) fn healthcheck(&mut self, instruction: &HealthcheckInstruction) {
        let check = match instruction {
            HealthcheckInstruction::None => Healthcheck {
                test: vec!["NONE".to_owned()],
                ..Healthcheck::default()
            },
            HealthcheckInstruction::Probe(probe) => healthcheck(probe),
        };
        self.remember(
            format!("HEALTHCHECK {}", history::healthcheck(&check)),
            Layer::None,
        );
        self.state.config.config.healthcheck = Some(check);
    }

    pub(super) fn maintainer(&mut self, name: &Word) {
        self.remember(format!("MAINTAINER {}", name.as_str()), Layer::None);
        name.as_str().clone_into(&mut self.state.config.author);
    }

    /// Triggers leave no trace in the history.
    pub(super) fn on_build(&mut self, expression: &str) {
        self.state.config.config.on_build.push(expression.to_owned());
    }

    pub(super) fn stop_signal(&mut self, word: &Word) -> Result<(), LowerError> {
        let signal = self.expand(word)?;
        if !is_signal(&signal) {
            return Err(LowerError::new(word.span, LowerFault::Signal(signal)));
        }
        self.remember(format!("STOPSIGNAL {signal}"), Layer::None);
        self.state.config.config.stop_signal = signal;
        Ok(())
    }

    pub(super) fn user(&mut self, word: &Word) -> Result<(), LowerError> {
        let user = self.expand(word)?;
        self.remember(format!("USER {user}"), Layer::None);
        self.state.config.config.user = user;
        Ok(())
    }

    pub(super) fn volume(&mut self, words: &[Word]) -> Result<(), LowerError> {
        let volumes = self.expand_all(words)?;
        if let Some(empty) = volumes.iter().position(String::is_empty) {
            return Err(LowerError::new(words[empty].span, LowerFault::EmptyVolume));
        }
        self.remember(format!("VOLUME {}", history::list(&volumes)), Layer::None);
        self.state.config.config.volumes.extend(volumes);
        Ok(())
    }

    fn next_working_dir(&self, path: &str) -> Result<String, LowerFault> {
        let current = &self.state.config.config.working_dir;
        if !is_windows(&self.state.platform) {
            return Ok(paths::workdir(current, path));
        }
        let path = if path.is_empty() {
            String::new()
        } else {
            windows::within(path, false)?
        };
        // It was brought into this form when the stage began.
        Ok(paths::workdir(&current.replace('\\', "/"), &path))
    }

    /// The root needs no making; any other directory is a step, even if it is there already.
    pub(super) fn workdir(&mut self, place: Place<'_>, word: &Word) -> Result<(), LowerError> {
        let expanded = self.expand(word)?;
        let path = self
            .next_working_dir(&expanded)
            .map_err(|fault| LowerError::new(word.span, fault))?;
        let config = &mut self.state.config.config;
        config.working_dir = if is_windows(&self.state.platform) {
            windows::shown(&path)
        } else {
            path.clone()
        };
        self.state.working_dir = paths::clean(&path);
        let text = format!("WORKDIR {path}");
        if path == "/" {
            self.remember(text, Layer::None);
            return Ok(());
        }
        let op = Op::Mkdir(MkdirOp {
            path: self.state.working_dir.clone(),
            owner: self.state.config.config.user.clone(),
            mtime: self.shared.epoch,
        });
        let name = self.shown(place.code);
        let origin = self.next_origin(place);
        self.add_step(op, vec![self.state.root], name, origin, Reusable::Yes);
        let layer = self.layer();
        self.remember(text, layer);
        Ok(())
    }
}

fn texts(words: &[Word]) -> Vec<String> {
    words.iter().map(|word| word.raw.clone()).collect()
}

fn with_pairs(keyword: &str, pairs: &[(String, String)]) -> String {
    let mut text = keyword.to_owned();
    for (name, value) in pairs {
        text.extend([" ", name, "=", value]);
    }
    text
}

fn healthcheck(probe: &Probe) -> Healthcheck {
    let kind = if probe.command.is_exec() {
        "CMD"
    } else {
        "CMD-SHELL"
    };
    let mut test = vec![kind.to_owned()];
    test.extend(texts(probe.command.words()));
    let nanoseconds = |duration: std::time::Duration| duration.as_nanos() as i64;
    Healthcheck {
        test,
        interval: nanoseconds(probe.interval),
        timeout: nanoseconds(probe.timeout),
        start_period: nanoseconds(probe.start_period),
        start_interval: nanoseconds(probe.start_interval),
        retries: probe.retries.into(),
    }
}

/// Linux's signals as `moby/sys/signal` names them, without SIG.
const SIGNALS: [&str; 34] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE",
    "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU",
    "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
];

/// A number other than 0, or a name with or without SIG, in any case; `RTMIN+1` to `RTMIN+15`, `RTMAX-14` to `RTMAX`.
fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<i32>() {
        return number != 0;
    }
    let name = text.to_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let offset = |prefix: &str, most: u8| {
        name.strip_prefix(prefix)
            .is_some_and(|offset| (1..=most).any(|number| offset == number.to_string()))
    };
    SIGNALS.contains(&name)
        || matches!(name, "RTMIN" | "RTMAX")
        || offset("RTMIN+", 15)
        || offset("RTMAX-", 14)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals() {
        for good in ["9", "SIGTERM", "term", "sigrtmin+3", "RTMAX-14", "RTMIN"] {
            assert!(is_signal(good), "{good}");
        }
        for bad in [
            "0",
            "",
            "SIG",
            "NOPE",
            "RTMIN+16",
            "RTMAX-0",
            "RTMIN+01",
            "SIGSIGTERM",
        ] {
            assert!(!is_signal(bad), "{bad}");
        }
    }
}
