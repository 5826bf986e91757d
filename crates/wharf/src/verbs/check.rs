//! `wharf check` and `wharf build --check`: the rules of BuildKit's linter, in its words.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::{Value, json};
use wharf_dockerfile::{
    Dockerfile, Span,
    lint::{self, LintOptions, LintReport},
    parse_bytes,
    patterns::{PatternMatcher, parse_ignore_file},
    render,
};

use crate::{
    args::{build::BuildArgs, cli::CheckArgs, values},
    report::{Code, Message, Report},
    stdout::out,
};

/// What a Dockerfile was found to be.
struct Checked {
    name: String,
    dockerfile: Option<Dockerfile>,
    /// Errors that would fail the build, rendered.
    errors: Vec<String>,
    report: LintReport,
}

/// Checks what `wharf build` would build.
pub(crate) fn run_for_build(args: &BuildArgs) -> Result<ExitCode, Report> {
    let args = CheckArgs {
        paths: vec![PathBuf::from(&args.context)],
        file: args.file.as_ref().map(PathBuf::from),
        build_arg: args.build_arg.clone(),
        target: args.target.clone(),
        format: "text".to_owned(),
    };
    run(&args)
}

/// Checks Dockerfiles.
pub(crate) fn run(args: &CheckArgs) -> Result<ExitCode, Report> {
    let mut checked = Vec::new();
    for path in &args.paths {
        checked.push(check(path, args)?);
    }
    let text = match &args.format[..] {
        "text" => checked.iter().map(text).collect::<Vec<_>>().concat(),
        "json" => pretty(&json_of(&checked)),
        "sarif" => pretty(&sarif(&checked)),
        other => {
            let error = crate::args::UsageError::value("--format", other, "text, json or sarif");
            return Err(Report::new(Code::Usage, error));
        }
    };
    out!("{}", text.trim_end());
    let wrong = |checked: &Checked| !checked.errors.is_empty() || !checked.report.problems.is_empty();
    let failed =
        |checked: &Checked| checked.report.findings_are_errors && !checked.report.findings.is_empty();
    if checked.iter().any(wrong) {
        return Ok(ExitCode::from(Code::Usage as u8));
    }
    Ok(if checked.iter().any(failed) {
        ExitCode::from(Code::Failed as u8)
    } else {
        ExitCode::SUCCESS
    })
}

fn check(path: &Path, args: &CheckArgs) -> Result<Checked, Report> {
    let file = match &args.file {
        Some(file) => file.clone(),
        None if path.is_dir() => path.join("Dockerfile"),
        None => path.to_owned(),
    };
    let bytes = fs::read(&file).map_err(|error| {
        Report::new(
            Code::Usage,
            Message(format!("cannot read {}: {error}", file.display())),
        )
    })?;
    let name = file.display().to_string();
    let parsed = parse_bytes(&bytes);
    let source = parsed.dockerfile.source.clone();
    match parsed.into_result() {
        Err(diagnostics) => {
            let errors = diagnostics
                .iter()
                .map(|diagnostic| render(&name, &source, diagnostic))
                .collect();
            Ok(Checked {
                name,
                dockerfile: None,
                errors,
                report: LintReport::default(),
            })
        }
        Ok(dockerfile) => {
            let report = lint(&dockerfile, path, args)?;
            Ok(Checked {
                name,
                dockerfile: Some(dockerfile),
                errors: Vec::new(),
                report,
            })
        }
    }
}

fn lint(dockerfile: &Dockerfile, context: &Path, args: &CheckArgs) -> Result<LintReport, Report> {
    let ignored = ignore_file(context);
    let build_args: BTreeMap<_, _> = args
        .build_arg
        .iter()
        .map(|text| values::build_arg(text))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Report::new(Code::Usage, error))?
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let target = args
        .target
        .as_ref()
        .and_then(|target| dockerfile.stage_named(target))
        .map(|stage| stage.index);
    let options = LintOptions {
        build_args,
        target,
        ignored: ignored.as_ref(),
        ..LintOptions::default()
    };
    Ok(lint::check(dockerfile, &options))
}

fn ignore_file(context: &Path) -> Option<PatternMatcher> {
    let text = fs::read(context.join(".dockerignore")).ok()?;
    parse_ignore_file(&text).ok()
}

fn text(checked: &Checked) -> String {
    let mut text = checked.errors.join("\n");
    let Some(dockerfile) = &checked.dockerfile else {
        return text + "\n";
    };
    let place = |span: Span| {
        let at = dockerfile.source.position(span.start);
        let excerpt = wharf_dockerfile::excerpt(&dockerfile.source, span);
        format!("{}:{}:{}\n{excerpt}", checked.name, at.line, at.column)
    };
    for problem in &checked.report.problems {
        text.push_str(&format!(
            "error: {}\n{}\n\n",
            problem.error,
            place(problem.span).trim_end()
        ));
    }
    for finding in &checked.report.findings {
        let rule = finding.rule;
        text.push_str(&format!(
            "{}: {}\n{}\n{}\n\n",
            rule.name,
            finding.message,
            rule.description,
            place(finding.span).trim_end()
        ));
    }
    match checked.report.findings.len() + checked.report.problems.len() {
        0 => text.push_str(&format!("{}: no warnings found\n", checked.name)),
        1 => text.push_str(&format!("{}: 1 warning found\n", checked.name)),
        count => text.push_str(&format!("{}: {count} warnings found\n", checked.name)),
    }
    text
}

/// The schema of BuildKit's `--call=check,format=json`.
fn json_of(checked: &[Checked]) -> Value {
    let one = |checked: &Checked| {
        let warnings: Vec<_> = checked
            .report
            .findings
            .iter()
            .map(|finding| warning(checked, finding))
            .collect();
        let mut value = json!({"warnings": warnings});
        if let Some(dockerfile) = &checked.dockerfile {
            value["sources"] = json!([{
                "filename": checked.name,
                "language": "Dockerfile",
                "data": base64(dockerfile.source.text().as_bytes()),
            }]);
        }
        let problems = checked
            .report
            .problems
            .iter()
            .map(|problem| problem.error.to_string());
        let errors: Vec<_> = checked.errors.iter().cloned().chain(problems).collect();
        if !errors.is_empty() {
            value["buildError"] = json!({"message": errors.join("\n")});
        }
        value
    };
    match checked {
        [only] => one(only),
        all => Value::Array(all.iter().map(one).collect()),
    }
}

fn warning(checked: &Checked, finding: &lint::Finding) -> Value {
    let range = checked.dockerfile.as_ref().map(|dockerfile| {
        let (first, last) = dockerfile.source.lines(finding.instruction);
        json!({"start": {"line": first, "character": 0}, "end": {"line": last, "character": 0}})
    });
    json!({
        "ruleName": finding.rule.name,
        "description": finding.rule.description,
        "detail": finding.message,
        "location": {"ranges": range.into_iter().collect::<Vec<_>>()},
    })
}

/// SARIF 2.1.0.
fn sarif(checked: &[Checked]) -> Value {
    let results: Vec<_> = checked
        .iter()
        .flat_map(|checked| {
            checked.report.findings.iter().map(move |finding| {
                let line = checked
                    .dockerfile
                    .as_ref()
                    .map_or(1, |file| file.source.position(finding.span.start).line);
                let level = if checked.report.findings_are_errors {
                    "error"
                } else {
                    "warning"
                };
                json!({
                    "ruleId": finding.rule.name,
                    "level": level,
                    "message": {"text": finding.message},
                    "locations": [{"physicalLocation": {
                        "artifactLocation": {"uri": checked.name},
                        "region": {"startLine": line},
                    }}],
                })
            })
        })
        .collect();
    let rules: Vec<_> = lint::RULES
        .iter()
        .map(|rule| json!({"id": rule.name, "shortDescription": {"text": rule.description}}))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "wharf", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "results": results,
        }],
    })
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON values can be written")
}

/// RFC 4648, section 4: the reference gives sources so.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * index) & 63) as usize];
            text.push(if index <= chunk.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_every_length() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
