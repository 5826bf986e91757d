//! What a build can be given: the ARGs, secrets and SSH agents of the wanted stage and of the stages that it leads to.
//!
//! BuildKit's subrequest `frontend.outline` (`frontend/dockerfile/dockerfile2llb/outline.go`).

use std::collections::{BTreeMap, BTreeSet};

use wharf_dockerfile::{Dockerfile, ExpandOptions, InstructionKind, Span, ast::ArgDeclaration, expand_with};

use super::{
    environment::Variables,
    from::{Base, From, froms},
    options::LowerOptions,
    plan::PlannedStage,
};

/// What a build of a stage can be given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outline {
    /// The stage's name as written; empty if it has none.
    pub name: String,
    /// What the comment above its FROM says.
    pub description: String,
    /// By place in the Dockerfile, as secrets and agents are.
    pub args: Vec<OutlineArg>,
    /// Secrets.
    pub secrets: Vec<OutlineMount>,
    /// SSH agents.
    pub ssh: Vec<OutlineMount>,
}

/// An ARG that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlineArg {
    /// Its name.
    pub name: String,
    /// What the comment above says of it.
    pub description: String,
    /// The value that it has; empty if none.
    pub value: String,
    /// The instruction that declares it.
    pub span: Span,
}

/// A secret or an SSH agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlineMount {
    /// Its id.
    pub id: String,
    /// Whether the build fails without it.
    pub required: bool,
    /// The RUN that mounts it first.
    pub span: Span,
}

/// What one stage notes of itself while it is lowered.
#[derive(Debug, Clone, Default)]
pub(super) struct StageNotes {
    args: BTreeMap<String, ArgNote>,
    used: BTreeSet<String>,
    secrets: Vec<OutlineMount>,
    ssh: Vec<OutlineMount>,
}

#[derive(Debug, Clone)]
struct ArgNote {
    arg: OutlineArg,
    /// The ARGs that its default refers to.
    refers: BTreeSet<String>,
}

impl StageNotes {
    /// A stage that has only its FROM, which used the ARGs `used`. `globals` are those before the first FROM.
    pub(super) fn new(globals: &Self, used: BTreeSet<String>) -> Self {
        Self {
            args: globals.args.clone(),
            used,
            ..Self::default()
        }
    }

    /// The ARGs before the first FROM, whose values are `variables`.
    pub(super) fn of_globals(dockerfile: &Dockerfile, options: &LowerOptions, variables: &Variables) -> Self {
        let mut notes = Self::default();
        for instruction in &dockerfile.global {
            let InstructionKind::Arg(declarations) = &instruction.kind else {
                continue;
            };
            for declaration in declarations {
                let name = declaration.name.as_str();
                let mut refers = if options.build_args.contains_key(name) {
                    BTreeSet::new()
                } else {
                    referred(dockerfile, declaration, variables)
                };
                if refers.remove(name) {
                    // `ARG X=${X}y`: it goes on from what it was.
                    refers.extend(
                        notes
                            .args
                            .get(name)
                            .into_iter()
                            .flat_map(|old| old.refers.clone()),
                    );
                }
                let arg = noted(declaration, variables.get(name), instruction.span);
                notes.args.insert(name.to_owned(), ArgNote { arg, refers });
            }
        }
        notes
    }

    /// Notes an ARG of the stage. One that is `inherited` is described where it was declared first.
    pub(super) fn arg(
        &mut self,
        declaration: &ArgDeclaration,
        value: Option<&str>,
        span: Span,
        inherited: bool,
    ) {
        let name = declaration.name.as_str();
        if !inherited {
            let note = ArgNote {
                arg: noted(declaration, value, span),
                refers: BTreeSet::new(),
            };
            self.args.insert(name.to_owned(), note);
        }
        self.used.insert(name.to_owned());
    }

    pub(super) fn secret(&mut self, id: &str, required: bool, span: Span) {
        add_mount(&mut self.secrets, id, required, span);
    }

    pub(super) fn ssh(&mut self, id: &str, required: bool, span: Span) {
        add_mount(&mut self.ssh, id, required, span);
    }

    /// The ARGs that were used, and those that their defaults refer to.
    fn used_args(&self) -> impl Iterator<Item = &OutlineArg> {
        let mut used = BTreeSet::new();
        let mut waiting: Vec<&String> = self.used.iter().collect();
        while let Some(name) = waiting.pop() {
            if let Some(note) = self.args.get(name)
                && used.insert(name)
            {
                waiting.extend(&note.refers);
            }
        }
        used.into_iter().map(|name| &self.args[name].arg)
    }
}

fn noted(declaration: &ArgDeclaration, value: Option<&str>, span: Span) -> OutlineArg {
    OutlineArg {
        name: declaration.name.raw.clone(),
        description: declaration.description.clone().unwrap_or_default(),
        value: value.unwrap_or_default().to_owned(),
        span,
    }
}

/// The variables that a default takes values from.
fn referred(
    dockerfile: &Dockerfile,
    declaration: &ArgDeclaration,
    variables: &Variables,
) -> BTreeSet<String> {
    let Some(default) = &declaration.value else {
        return BTreeSet::new();
    };
    let get = |name: &str| variables.get(name).map(str::to_owned);
    let options = ExpandOptions::new(dockerfile.escape());
    expand_with(default.as_str(), &get, options)
        .map(|expansion| expansion.variables.set)
        .unwrap_or_default()
}

fn add_mount(mounts: &mut Vec<OutlineMount>, id: &str, required: bool, span: Span) {
    if mounts.iter().all(|known| known.id != id) {
        mounts.push(OutlineMount {
            id: id.to_owned(),
            required,
            span,
        });
    }
}

/// The outline of stage number `wanted`. `notes` has what each needed stage noted.
pub(super) fn outline(
    dockerfile: &Dockerfile,
    stages: &[PlannedStage<'_>],
    notes: &[StageNotes],
    wanted: usize,
) -> Outline {
    let from = &stages[wanted].stage.from;
    let mut outline = Outline {
        name: from
            .name
            .as_ref()
            .map(|name| name.name.clone())
            .unwrap_or_default(),
        description: stages[wanted].stage.description().unwrap_or_default().to_owned(),
        ..Outline::default()
    };
    for index in reached(dockerfile, stages, wanted) {
        for arg in notes[index].used_args() {
            if outline.args.iter().all(|known| known.name != arg.name) {
                outline.args.push(arg.clone());
            }
        }
        for secret in &notes[index].secrets {
            add_mount(&mut outline.secrets, &secret.id, secret.required, secret.span);
        }
        for agent in &notes[index].ssh {
            add_mount(&mut outline.ssh, &agent.id, agent.required, agent.span);
        }
    }
    outline.args.sort_by_key(|arg| arg.span);
    outline.secrets.sort_by_key(|secret| secret.span);
    outline.ssh.sort_by_key(|agent| agent.span);
    outline
}

/// The wanted stage, then its base with all that leads to, then the stages that it takes files from with all that those lead to.
fn reached(dockerfile: &Dockerfile, stages: &[PlannedStage<'_>], wanted: usize) -> Vec<usize> {
    let mut reached = Vec::new();
    let mut waiting = vec![wanted];
    while let Some(index) = waiting.pop() {
        if reached.contains(&index) {
            continue;
        }
        reached.push(index);
        let stage = &stages[index];
        let from = |from: From<'_>| from.stage(dockerfile).ok().flatten().map(|stage| stage.index);
        let mut next: Vec<usize> = match stage.base {
            Base::Stage(base) => vec![base],
            Base::Outside(_) => Vec::new(),
        };
        next.extend(
            stage
                .instructions
                .iter()
                .flat_map(|planned| froms(&planned.instruction))
                .filter_map(from),
        );
        waiting.extend(next.into_iter().rev());
    }
    reached
}
