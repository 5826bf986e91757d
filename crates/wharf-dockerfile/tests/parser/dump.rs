//! A Dockerfile as a text that shows everything the parser found: one line an instruction, its parts below it.

use std::fmt::Write as _;

use wharf_dockerfile::ast::{
    CommandLine, FileTransfer, HealthcheckInstruction, Heredoc, InstructionKind, MountFlag, Probe,
    RunInstruction, Separator,
};
use wharf_dockerfile::{Dockerfile, Instruction, Parse, Span, Stage, Word, render};

/// The text.
pub(crate) fn dump(parse: &Parse) -> String {
    let mut out = String::new();
    let file = &parse.dockerfile;
    let directives = &file.directives;
    for (name, directive) in [
        ("syntax", &directives.syntax),
        ("escape", &directives.escape),
        ("check", &directives.check),
    ] {
        if let Some(directive) = directive {
            let _ = writeln!(out, "# {name} = {}", directive.value.raw);
        }
    }
    for instruction in &file.global {
        dump_instruction(&mut out, file, instruction);
    }
    for stage in &file.stages {
        dump_stage(&mut out, file, stage);
    }
    for error in &parse.errors {
        let _ = write!(out, "{}", render("Dockerfile", &file.source, error));
    }
    out
}

fn dump_stage(out: &mut String, file: &Dockerfile, stage: &Stage) {
    let from = &stage.from;
    let _ = write!(
        out,
        "{} stage {} {:?}",
        lines(file, from.span),
        stage.index,
        from.base.raw
    );
    let parts = [
        ("name", stage.name()),
        ("platform", from.platform.as_ref().map(Word::as_str)),
        ("about", stage.description()),
    ];
    for (name, value) in parts {
        if let Some(value) = value {
            let _ = write!(out, " {name}={value:?}");
        }
    }
    let _ = writeln!(
        out,
        "{}",
        if from.empty_continuations.is_empty() {
            ""
        } else {
            " (empty continuation)"
        }
    );
    for instruction in &stage.instructions {
        dump_instruction(out, file, instruction);
    }
}

fn dump_instruction(out: &mut String, file: &Dockerfile, instruction: &Instruction) {
    let _ = write!(
        out,
        "{}   {}",
        lines(file, instruction.span),
        instruction.kind.keyword()
    );
    for flag in &instruction.flags {
        let _ = write!(out, " --{}", flag.name.raw);
        if let Some(value) = &flag.value {
            let _ = write!(out, "={:?}", value.raw);
        }
    }
    if !instruction.empty_continuations.is_empty() {
        out.push_str(" (empty continuation)");
    }
    dump_kind(out, file, &instruction.kind);
}

fn dump_kind(out: &mut String, file: &Dockerfile, kind: &InstructionKind) {
    match kind {
        InstructionKind::Add(add) => {
            line(
                out,
                &format!(" keep-git-dir={:?} unpack={:?}", add.keep_git_dir, add.unpack),
            );
            dump_files(out, file, &add.files);
        }
        InstructionKind::Copy(copy) => {
            line(out, "");
            dump_files(out, file, &copy.files);
        }
        InstructionKind::Arg(declarations) => {
            for arg in declarations {
                let value = arg
                    .value
                    .as_ref()
                    .map(|value| format!("={:?}", value.raw))
                    .unwrap_or_default();
                let about = arg
                    .description
                    .as_ref()
                    .map(|text| format!(" ({text})"))
                    .unwrap_or_default();
                let _ = write!(out, " {}{value}{about}", arg.name.raw);
            }
            line(out, "");
        }
        InstructionKind::Cmd(command) | InstructionKind::Entrypoint(command) => line(out, &show(command)),
        InstructionKind::Env(pairs) | InstructionKind::Label(pairs) => {
            for pair in pairs {
                let separator = if pair.separator == Separator::Equals {
                    '='
                } else {
                    ' '
                };
                let _ = write!(out, " {:?}{separator}{:?}", pair.key.raw, pair.value.raw);
            }
            line(out, "");
        }
        InstructionKind::Expose(words) | InstructionKind::Shell(words) | InstructionKind::Volume(words) => {
            line(out, &show_words(words));
        }
        InstructionKind::Healthcheck(check) => dump_healthcheck(out, check),
        InstructionKind::Maintainer(word)
        | InstructionKind::Stopsignal(word)
        | InstructionKind::User(word)
        | InstructionKind::Workdir(word) => line(out, &format!(" {:?}", word.raw)),
        InstructionKind::Onbuild(onbuild) => line(out, &format!(" {:?}", onbuild.expression)),
        InstructionKind::Run(run) => dump_run(out, file, run),
    }
}

fn dump_run(out: &mut String, file: &Dockerfile, run: &RunInstruction) {
    line(
        out,
        &format!("{} {:?} {:?}", show(&run.command), run.network, run.security),
    );
    run.mounts.iter().for_each(|mount| dump_mount(out, file, mount));
    for device in &run.devices {
        line(
            out,
            &format!("        device {:?} required={}", device.name, device.required),
        );
    }
    run.heredocs
        .iter()
        .for_each(|heredoc| dump_heredoc(out, file, heredoc));
    if let Some(script) = run.script() {
        line(out, &format!("        script <<{}", script.name));
    }
}

/// What the mount is when nothing needs a variable.
fn dump_mount(out: &mut String, file: &Dockerfile, mount: &MountFlag) {
    match mount.resolve(&mut |value| wharf_dockerfile::expand(value, &|_| None, file.escape())) {
        Ok(mount) => line(out, &format!("        {mount:?}")),
        Err((span, error)) => {
            let suggestion = error.suggestion().unwrap_or_default();
            line(
                out,
                &format!(
                    "        mount at {:?}: {error} [{suggestion}]",
                    file.source.slice(span)
                ),
            );
        }
    }
}

fn dump_files(out: &mut String, file: &Dockerfile, files: &FileTransfer) {
    line(
        out,
        &format!(
            "        {} -> {:?}",
            show_words(&files.sources).trim(),
            files.destination.raw
        ),
    );
    files
        .heredocs
        .iter()
        .for_each(|heredoc| dump_heredoc(out, file, heredoc));
}

fn dump_heredoc(out: &mut String, file: &Dockerfile, heredoc: &Heredoc) {
    let _ = write!(
        out,
        "        <<{} fd={} expand={}",
        heredoc.name, heredoc.descriptor, heredoc.expand
    );
    let _ = write!(
        out,
        " at {} body {}",
        lines(file, heredoc.operator),
        lines(file, heredoc.body)
    );
    line(out, &format!(" {:?}", heredoc.text()));
}

fn dump_healthcheck(out: &mut String, check: &HealthcheckInstruction) {
    match check {
        HealthcheckInstruction::None => line(out, " NONE"),
        HealthcheckInstruction::Probe(Probe {
            command,
            interval,
            timeout,
            start_period,
            start_interval,
            retries,
        }) => line(
            out,
            &format!(
                "{} {interval:?} {timeout:?} {start_period:?} {start_interval:?} {retries}",
                show(command)
            ),
        ),
    }
}

fn show(command: &CommandLine) -> String {
    let form = if command.is_exec() { "exec" } else { "shell" };
    format!(" {form}{}", show_words(command.words()))
}

fn show_words(words: &[Word]) -> String {
    words
        .iter()
        .fold(String::new(), |text, word| text + &format!(" {:?}", word.raw))
}

fn lines(file: &Dockerfile, span: Span) -> String {
    let (first, last) = file.source.lines(span);
    if first == last {
        format!("{first}")
    } else {
        format!("{first}-{last}")
    }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}
