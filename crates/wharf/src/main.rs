//! The `wharf` command: arguments → settings → one module a verb. The only crate that prints and reads the environment.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is the crate that prints"
)]

mod args;
mod explain;
mod interrupt;
mod machine;
mod paths;
mod progress;
mod report;
mod request;
mod settings;
mod stdout;
mod verbs;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use args::cli::{Cli, Verb};

fn main() -> ExitCode {
    wharf_sandbox::init_if_asked_with(wharf_build::exec::ENTRIES);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    let done = match &cli.verb {
        Verb::Build(args) => verbs::build::run(&cli.global, args),
        Verb::Check(args) => verbs::check::run(&cli.global, args),
        Verb::Images(format) => verbs::images::list(&cli.global, format),
        Verb::Tag(args) => verbs::images::tag(&cli.global, args),
        Verb::Inspect(args) => verbs::images::inspect(&cli.global, args),
        Verb::Rmi(args) => verbs::images::remove(&cli.global, args),
        Verb::Pull(args) => verbs::transfer::pull(&cli.global, args),
        Verb::Push(args) => verbs::transfer::push(&cli.global, args),
        Verb::Store(verb) => verbs::store::run(&cli.global, verb),
        Verb::History(args) => verbs::history::run(&cli.global, args),
        Verb::Explain(args) => verbs::explain::run(&cli.global, args),
        Verb::Host(format) => verbs::host::run(&cli.global, format),
        Verb::Run(args) => Ok(verbs::run::run(&cli.global, args)),
        Verb::Base(verb) => verbs::base::run(&cli.global, verb),
        Verb::Lock(args) => verbs::base::lock(&cli.global, args),
    };
    done.unwrap_or_else(|report| report.print())
}

/// What clap refuses, or prints because it was asked for it. `wharf run` keeps the low codes for the container's own.
fn refused(error: &clap::Error) -> ExitCode {
    // Nobody may be there to read it.
    let _ = error.print();
    let lenient = Cli::command().ignore_errors(true);
    let matches = lenient.try_get_matches_from(std::env::args_os()).ok();
    let runs = matches.is_some_and(|matches| matches.subcommand_name() == Some("run"));
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if runs => ExitCode::from(verbs::run::OWN_FAILURE),
        code => ExitCode::from(u8::try_from(code).unwrap_or(report::Code::Usage as u8)),
    }
}
