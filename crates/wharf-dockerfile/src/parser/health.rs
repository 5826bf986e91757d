//! HEALTHCHECK: its types and numbers.

use std::time::Duration;

use super::arguments::Arguments;
use super::flags::Flags;
use crate::ast::{CommandLine, Flag, HealthcheckInstruction, Keyword, Probe};
use crate::diagnostic::{Diagnostic, SyntaxError};
use crate::numbers::parse_duration;
use crate::source::Span;

pub(super) fn healthcheck(
    arguments: Arguments<'_>,
    flags: &[Flag],
    keyword: Span,
    errors: &mut Vec<Diagnostic>,
) -> Option<HealthcheckInstruction> {
    let Arguments::Health { kind, command } = arguments else {
        errors.push(Diagnostic::new(
            keyword,
            SyntaxError::AtLeastOneArgument(Keyword::Healthcheck),
        ));
        return None;
    };
    let error = match (kind.raw.to_uppercase().as_str(), command) {
        ("NONE", None) => return Some(HealthcheckInstruction::None),
        ("NONE", Some(command)) => Diagnostic::new(command.span(), SyntaxError::HealthcheckNoneArguments),
        ("CMD", Some(command)) if !is_empty(&command) => {
            return Some(HealthcheckInstruction::Probe(probe(command, flags, errors)));
        }
        ("CMD", _) => Diagnostic::new(kind.span, SyntaxError::HealthcheckWithoutCommand),
        (other, _) => Diagnostic::new(kind.span, SyntaxError::UnknownHealthcheck(other.to_owned())),
    };
    errors.push(error);
    None
}

fn is_empty(command: &CommandLine) -> bool {
    matches!(command, CommandLine::Exec { args, .. } if args.is_empty())
}

fn probe(command: CommandLine, flags: &[Flag], errors: &mut Vec<Diagnostic>) -> Probe {
    let flags = Flags::check(Keyword::Healthcheck, flags, errors);
    let retries = retries(&flags, errors);
    let mut duration = |name| duration(&flags, name, errors);
    Probe {
        command,
        interval: duration("interval"),
        timeout: duration("timeout"),
        start_period: duration("start-period"),
        start_interval: duration("start-interval"),
        retries,
    }
}

fn duration(flags: &Flags<'_>, flag: &'static str, errors: &mut Vec<Diagnostic>) -> Duration {
    let Some(value) = flags.text(flag) else {
        return Duration::ZERO;
    };
    parse_duration(value.as_str()).unwrap_or_else(|error| {
        errors.push(Diagnostic::new(
            value.span,
            SyntaxError::InvalidDuration { flag, error },
        ));
        Duration::ZERO
    })
}

/// A number that fits in 31 bits, with a sign if need be.
fn retries(flags: &Flags<'_>, errors: &mut Vec<Diagnostic>) -> u32 {
    let Some(value) = flags.text("retries") else {
        return 0;
    };
    let retries = value
        .raw
        .parse::<i32>()
        .ok()
        .and_then(|retries| u32::try_from(retries).ok());
    if retries.is_none() {
        errors.push(Diagnostic::new(
            value.span,
            SyntaxError::InvalidRetries(value.raw.clone()),
        ));
    }
    retries.unwrap_or(0)
}
