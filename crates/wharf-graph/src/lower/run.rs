//! RUN: a process on the stage's root.

use wharf_dockerfile::ast::{self, CommandLine, Heredoc, RunInstruction};

use super::{
    error::{LowerError, LowerFault},
    mount::LoweredMounts,
    stage::{Place, StageLowering},
};
use crate::{
    op::Op,
    run::{Mount, NetworkMode, RunOp, ScriptMount, SecurityMode},
};

/// Where a heredoc with a shebang lies while it runs.
const SCRIPTS: &str = "/dev/pipes";

impl StageLowering<'_> {
    pub(super) fn run(&mut self, place: Place<'_>, run: &RunInstruction) -> Result<(), LowerError> {
        if let Some(device) = run.devices.first() {
            return Err(LowerError::new(device.span, LowerFault::Device));
        }
        if run.command.words().is_empty() {
            return Err(LowerError::new(run.command.span(), LowerFault::EmptyCommand));
        }
        let command = command(run);
        let args = match &run.command {
            CommandLine::Shell(_) => self.with_shell(&command.text),
            CommandLine::Exec { args, .. } => args.iter().map(|arg| arg.raw.clone()).collect(),
        };
        let LoweredMounts { mut mounts, inputs } = self.mounts(&run.mounts)?;
        for mount in &mounts {
            match mount {
                Mount::Secret(secret) => self.notes.secret(&secret.id, secret.required, place.span),
                Mount::Ssh(agent) => self.notes.ssh(&agent.id, agent.required, place.span),
                _ => {}
            }
        }
        mounts.splice(0..0, command.script.map(Mount::Script));
        let text = self.history_of(&args);
        let name = self.run_name(place, run, &mounts);
        let origin = self.next_origin(place);
        let op = self.run_op(run, args, mounts);
        let reuse = self.reusable();
        self.add_step(Op::Run(Box::new(op)), inputs, name, origin, reuse);
        let layer = self.layer();
        self.remember(text, layer);
        Ok(())
    }

    fn run_op(&mut self, run: &RunInstruction, args: Vec<String>, mounts: Vec<Mount>) -> RunOp {
        let options = self.shared.options;
        RunOp {
            args,
            env: self.variable_list(),
            proxy: self.proxies(),
            cwd: self.working_dir().to_owned(),
            user: self.state.config.config.user.clone(),
            mounts,
            network: match run.network {
                ast::NetworkMode::Default => options.network,
                ast::NetworkMode::None => NetworkMode::None,
                ast::NetworkMode::Host => NetworkMode::Host,
            },
            security: match run.security {
                ast::SecurityMode::Sandbox => SecurityMode::Sandbox,
                ast::SecurityMode::Insecure => SecurityMode::Insecure,
            },
            hostname: options.hostname.clone(),
            extra_hosts: options.extra_hosts.clone(),
            shm_size: options.shm_size,
            ulimits: options.ulimits.clone(),
        }
    }

    /// The text of the image's history: the ARGs that the command saw, then the command.
    fn history_of(&self, args: &[String]) -> String {
        let mut text = "RUN ".to_owned();
        if !self.state.args.is_empty() {
            text.extend(["|", &self.state.args.len().to_string(), " "]);
        }
        for (name, value) in &self.state.args {
            let value = self.state.variables.get(name).unwrap_or(value);
            text.extend([name, "=", value, " "]);
        }
        for arg in args {
            text.extend([arg, " "]);
        }
        text.push_str("# buildkit");
        text
    }

    fn run_name(&self, place: Place<'_>, run: &RunInstruction, mounts: &[Mount]) -> String {
        let secrets: Vec<&str> = mounts.iter().filter_map(secret_variable).collect();
        match run.script() {
            Some(script) => self.shown_command(&format!("{} ({})", place.code, summary(script)), &secrets),
            None => self.shown_command(place.code, &secrets),
        }
    }
}

/// The variable that holds a secret.
fn secret_variable(mount: &Mount) -> Option<&str> {
    match mount {
        Mount::Secret(secret) => secret.env.as_deref(),
        _ => None,
    }
}

/// What a shell form says to its shell.
struct Command {
    text: String,
    script: Option<ScriptMount>,
}

/// Dockerfile reference, "Here-Documents": a heredoc that is the whole command is the shell's script, or a file of its own
/// if it begins with `#!`; others are left to the shell.
fn command(run: &RunInstruction) -> Command {
    let written = run.command.words().first().map_or("", |word| word.as_str());
    let Some(script) = run.script() else {
        let text = run.heredocs.iter().fold(written.to_owned(), |text, heredoc| {
            format!("{text}\n{}{}", heredoc.content, heredoc.name)
        });
        return Command { text, script: None };
    };
    let text = script.text();
    if !text.starts_with("#!") {
        return Command {
            text: text.into_owned(),
            script: None,
        };
    }
    Command {
        text: format!("{SCRIPTS}/{}", script.name),
        script: Some(ScriptMount {
            target: SCRIPTS.to_owned(),
            name: script.name.clone(),
            content: text.into_owned(),
        }),
    }
}

/// The first line of a script, and dots if there are more.
fn summary(script: &Heredoc) -> String {
    let mut lines = script.content.trim().lines();
    let first = lines.next().unwrap_or_default().to_owned();
    match lines.next() {
        Some(_) => first + "...",
        None => first,
    }
}
