//! The linter on what a build would build: with its arguments, its ignore file, and all that is known of its bases.

use std::{collections::BTreeSet, error::Error as _, fmt::Write as _, sync::Arc};

use wharf_dockerfile::{
    Diagnostic, Dockerfile, Span, Stage,
    lint::{self, BaseImage, CheckConfig, CheckConfigError, Finding, LintOptions, LintReport},
    parse_bytes,
};
use wharf_graph::{
    Bases, ContextName, LowerError, LowerOptions, SourceSpan, event::Warning, known_base, lower,
};
use wharf_oci::{Platform, config::ImageConfig};
use wharf_solver::{Cancel, Observer};

use crate::{
    build::{self, Contexts, Machine, Unresolved},
    credentials::Credentials,
    error::{BuildError, Excerpt},
    lower_options::lower_options,
    phases::Phases,
    read::ReadDockerfile,
    request::BuildRequest,
};

/// The build argument that takes the place of a Dockerfile's `# check=`, as in BuildKit.
const CHECK_ARGUMENT: &str = "BUILDKIT_DOCKERFILE_CHECK";

/// What was found in a Dockerfile.
#[derive(Debug)]
pub struct Checked {
    /// How messages call it.
    pub name: String,
    /// What was understood of it.
    pub dockerfile: Dockerfile,
    /// What rules do not like.
    pub report: LintReport,
    /// What would fail the build before its first step.
    pub errors: Vec<Fault>,
}

/// Something that would fail a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The text it is about; `None` for what is not in the Dockerfile.
    pub span: Option<Span>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Checks what `request` asks to build. Without a target, all stages count.
pub fn check(
    request: &BuildRequest,
    machine: &Machine,
    observer: &Arc<dyn Observer + Send + Sync>,
    cancel: &Cancel,
) -> Result<Checked, BuildError> {
    let phases = Phases::new(&**observer);
    let credentials = Credentials::new(&request.secrets, &build::agents(request, machine)?);
    let opened = build::open(request, machine, &credentials, observer, cancel, &phases)?;
    let parsed = parse_bytes(&opened.read.bytes);
    let options = LowerOptions {
        every_stage: request.target.is_none(),
        ..lower_options(request)
    };
    let mut errors: Vec<_> = parsed.errors.iter().map(Fault::from).collect();
    let mut bases = Bases::new();
    if errors.is_empty() {
        match build::resolve_bases(&parsed.dockerfile, &options, machine, &phases) {
            Ok(resolved) => bases = resolved,
            Err(why) => errors = Fault::of_unresolved(why),
        }
    }
    let inputs = Inputs {
        dockerfile: &parsed.dockerfile,
        options: &options,
        bases: &bases,
        contexts: &opened.contexts,
    };
    let report = inputs.report();
    if errors.is_empty() {
        errors = inputs.faults(&report);
    }
    Ok(Checked {
        name: opened.read.name,
        report,
        errors,
        dockerfile: parsed.dockerfile,
    })
}

/// The names of the rules that found something, in the order of the alphabet.
pub fn rules(report: &LintReport) -> String {
    let names = report.findings.iter().map(|finding| finding.rule.name);
    let names: BTreeSet<_> = names.collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// All that a check looks at.
pub(crate) struct Inputs<'a> {
    pub(crate) dockerfile: &'a Dockerfile,
    pub(crate) options: &'a LowerOptions,
    pub(crate) bases: &'a Bases,
    pub(crate) contexts: &'a Contexts,
}

impl Inputs<'_> {
    /// What rules do not like. Refuses a Dockerfile whose check options cannot be read, or make errors of that when there is something.
    pub(crate) fn accept(&self, read: &ReadDockerfile) -> Result<LintReport, BuildError> {
        let source = &self.dockerfile.source;
        let directive = self.dockerfile.directives.check.as_ref();
        let config = self.config().map_err(|error| BuildError::CheckOptions {
            excerpt: directive.map(|directive| Excerpt::of_span(read, source, directive.value.span)),
            source: error,
        })?;
        let report = self.report();
        if !config.error || report.findings.is_empty() {
            return Ok(report);
        }
        let excerpts = report.findings.iter().map(|finding| Excerpt {
            message: format!("{}: {}", finding.rule.name, finding.message),
            ..Excerpt::of_span(read, source, finding.span)
        });
        Err(BuildError::Lint {
            rules: rules(&report),
            excerpts: excerpts.collect(),
        })
    }

    fn config(&self) -> Result<CheckConfig, CheckConfigError> {
        match self.options.build_args.get(CHECK_ARGUMENT) {
            Some(options) => options.parse(),
            None => CheckConfig::of(self.dockerfile),
        }
    }

    fn report(&self) -> LintReport {
        let Ok(config) = self.config() else {
            return LintReport::default();
        };
        let base = |name: &str, platform: &Platform| {
            let config = known_base(self.dockerfile, self.options, self.bases, name, platform)?;
            let base = of_base(&config);
            // Whoever names a context has seen to its platform.
            let is_chosen = self.options.is_overridden(name, platform);
            Some(BaseImage {
                platform: base.platform.filter(|_| !is_chosen),
                ..base
            })
        };
        let options = LintOptions {
            config: Some(config),
            build_args: self.options.build_args.clone(),
            target: self.target().map(|stage| stage.index),
            build_platform: self.options.build_platform.clone(),
            target_platform: self.options.target_platforms().swap_remove(0),
            ignored: self
                .contexts
                .get(&ContextName::Main)
                .map(|context| &context.ignored),
            base: &base,
        };
        lint::check(self.dockerfile, &options)
    }

    /// The stage that is wanted: of a check without a target, all are.
    fn target(&self) -> Option<&Stage> {
        match &self.options.target {
            Some(target) => self.dockerfile.stage_named(target),
            None if self.options.every_stage => None,
            None => self.dockerfile.stages.last(),
        }
    }

    /// What would fail the build of a Dockerfile whose bases are known.
    fn faults(&self, report: &LintReport) -> Vec<Fault> {
        if let Err(error) = self.config() {
            return vec![Fault::nowhere(error.to_string())];
        }
        if let Err(errors) = lower(self.dockerfile, self.options, self.bases) {
            return errors.iter().map(Fault::of_lowering).collect();
        }
        if report.findings_are_errors && !report.findings.is_empty() {
            let message = format!("lint violation found for rules: {}", rules(report));
            return vec![Fault::nowhere(message)];
        }
        Vec::new()
    }
}

/// A finding, told to one who builds.
pub(crate) fn warning(dockerfile: &Dockerfile, finding: &Finding) -> Warning {
    let place = |offset| dockerfile.source.position(offset);
    let (start, end) = (place(finding.span.start), place(finding.span.end));
    Warning {
        code: Some(finding.rule.name.to_owned()),
        message: finding.message.clone(),
        hint: None,
        span: Some(SourceSpan {
            start_line: start.line as u32,
            start_column: start.column as u32,
            end_line: end.line as u32,
            end_column: end.column as u32,
        }),
    }
}

/// What rules want to know of a base.
pub fn of_base(config: &ImageConfig) -> BaseImage {
    let variables = config.config.env.iter().map(|variable| {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        (name.to_owned(), value.to_owned())
    });
    BaseImage {
        env: variables.collect(),
        has_shell: !config.config.shell.is_empty(),
        onbuild: config.config.on_build.clone(),
        platform: format!("{}/{}", config.os, config.architecture).parse().ok(),
    }
}

impl Fault {
    fn nowhere(message: String) -> Self {
        Self {
            span: None,
            message,
            hint: None,
        }
    }

    fn of_lowering(error: &LowerError) -> Self {
        Self {
            span: error.span,
            message: error.to_string(),
            hint: suggested(error.suggestion.as_ref()),
        }
    }

    fn of_unresolved(why: Unresolved) -> Vec<Self> {
        match why {
            Unresolved::Stages(errors) => errors.iter().map(Self::of_lowering).collect(),
            Unresolved::Base(request, error) => {
                let mut message = format!("cannot use the base {}: {error}", request.name);
                let mut cause = error.source();
                while let Some(error) = cause {
                    let _ = write!(message, ": {error}");
                    cause = error.source();
                }
                vec![Self {
                    span: Some(request.span),
                    message,
                    hint: error.hint(),
                }]
            }
        }
    }
}

impl From<&Diagnostic> for Fault {
    fn from(diagnostic: &Diagnostic) -> Self {
        Self {
            span: Some(diagnostic.span),
            message: diagnostic.error.to_string(),
            hint: suggested(diagnostic.suggestion.as_ref()).or_else(|| diagnostic.hint.clone()),
        }
    }
}

fn suggested(name: Option<&String>) -> Option<String> {
    name.map(|name| format!("did you mean `{name}`?"))
}
