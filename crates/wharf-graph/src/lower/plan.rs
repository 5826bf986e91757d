//! Which stages there are, what each starts from, which are needed, and what must be known of their bases.

use std::{borrow::Cow, collections::BTreeSet};

use wharf_dockerfile::{Dockerfile, ExpandOptions, Expansion, Instruction, Span, Stage, Word, expand_with};
use wharf_oci::Platform;

use super::{
    args,
    bases::{BaseRequest, Bases},
    cycle::{Visit, find_cycle},
    environment::Variables,
    error::{LowerError, LowerFault},
    from::{Base, From, Outside, froms, of_context, outside},
    options::LowerOptions,
};

/// The plan of a build for one platform.
pub(super) struct Plan<'a> {
    pub(super) stages: Vec<PlannedStage<'a>>,
    /// The wanted stage.
    pub(super) target: usize,
    /// What FROM expands and ARG inherits.
    pub(super) globals: Variables,
    /// The bases of needed stages that are not known yet.
    pub(super) missing: Vec<BaseRequest>,
}

/// A stage before its instructions are lowered.
pub(super) struct PlannedStage<'a> {
    pub(super) stage: &'a Stage,
    /// Its name or `stage-<index>`.
    pub(super) label: String,
    pub(super) base: Base,
    /// The base as FROM names it, variables expanded.
    pub(super) base_name: String,
    /// The ARGs that FROM refers to.
    pub(super) used_args: BTreeSet<String>,
    /// What its programs run on.
    pub(super) platform: Platform,
    /// Whether a named context stands for it, and its instructions do not count.
    pub(super) is_replaced: bool,
    pub(super) needed: bool,
    /// The triggers of the base, then the stage's own; only of needed stages.
    pub(super) instructions: Vec<PlannedInstruction<'a>>,
}

/// An instruction of a stage.
pub(super) struct PlannedInstruction<'a> {
    pub(super) instruction: Cow<'a, Instruction>,
    /// Where people are pointed to.
    pub(super) span: Span,
    /// Whether the base's ONBUILD wrote it.
    pub(super) on_build: bool,
}

/// Makes the plan. The errors are those of FROM and of what leads from stage to stage.
pub(super) fn plan<'a>(
    dockerfile: &'a Dockerfile,
    options: &LowerOptions,
    target: &Platform,
    bases: &Bases,
) -> Result<Plan<'a>, Vec<LowerError>> {
    let globals = args::global_args(dockerfile, options, target).map_err(|error| vec![error])?;
    let mut planner = Planner {
        dockerfile,
        options,
        target,
        bases,
        globals,
        stages: Vec::new(),
        missing: Vec::new(),
        errors: Vec::new(),
    };
    planner.plan_stages();
    planner.find_cycles();
    match planner.find_target() {
        Ok(target) if planner.errors.is_empty() => {
            planner.need(target);
            if options.every_stage {
                (0..dockerfile.stages.len()).for_each(|stage| planner.need(stage));
            }
            return planner.finish(target);
        }
        Ok(_) => {}
        Err(error) => planner.errors.push(error),
    }
    Err(planner.errors)
}

/// A plan in the making.
pub(super) struct Planner<'a, 'o> {
    pub(super) dockerfile: &'a Dockerfile,
    pub(super) options: &'o LowerOptions,
    pub(super) target: &'o Platform,
    pub(super) bases: &'o Bases,
    globals: Variables,
    pub(super) stages: Vec<PlannedStage<'a>>,
    pub(super) missing: Vec<BaseRequest>,
    pub(super) errors: Vec<LowerError>,
}

impl<'a> Planner<'a, '_> {
    fn plan_stages(&mut self) {
        for stage in &self.dockerfile.stages {
            let planned = self.plan_stage(stage).unwrap_or_else(|error| {
                self.errors.push(error);
                // Keeps the places of the others, whose errors are to be told too.
                PlannedStage::new(stage, Base::Outside(Outside::Scratch), self.target.clone())
            });
            self.stages.push(planned);
        }
    }

    fn plan_stage(&self, stage: &'a Stage) -> Result<PlannedStage<'a>, LowerError> {
        let word = &stage.from.base;
        let base_name = self.expand(word)?;
        if base_name.is_empty() {
            return Err(LowerError::new(
                word.span,
                LowerFault::BlankBase(word.raw.clone()),
            ));
        }
        let wanted = self.platform_flag(stage)?;
        let platform = wanted.unwrap_or_else(|| self.target.clone());
        let context = stage
            .name()
            .and_then(|name| self.options.context(name, &platform));
        let planned = if let Some(context) = context {
            PlannedStage {
                is_replaced: true,
                ..PlannedStage::new(stage, Base::Outside(of_context(self.options, context)), platform)
            }
        } else if let Some(earlier) = self.dockerfile.stage_of_base(&base_name, stage.index) {
            let platform = self.stages[earlier.index].platform.clone();
            PlannedStage::new(stage, Base::Stage(earlier.index), platform)
        } else {
            let outside = outside(self.options, self.dockerfile, &base_name, word.span, &platform)?;
            let platform = if outside == Outside::Scratch {
                self.target.clone()
            } else {
                platform
            };
            PlannedStage::new(stage, Base::Outside(outside), platform)
        };
        let words = [Some(word), stage.from.platform.as_ref()];
        let used_args = if planned.is_replaced {
            BTreeSet::new()
        } else {
            let words = words.into_iter().flatten();
            words.flat_map(|word| self.referred(word)).collect()
        };
        Ok(PlannedStage {
            base_name,
            used_args,
            ..planned
        })
    }

    fn platform_flag(&self, stage: &Stage) -> Result<Option<Platform>, LowerError> {
        let Some(flag) = &stage.from.platform else {
            return Ok(None);
        };
        let text = self.expand(flag)?;
        if text.is_empty() {
            return Err(LowerError::new(
                flag.span,
                LowerFault::BlankPlatform(flag.raw.clone()),
            ));
        }
        text.parse()
            .map(Some)
            .map_err(|error| LowerError::new(flag.span, LowerFault::Platform(error)))
    }

    /// A word of FROM.
    fn expand(&self, word: &Word) -> Result<String, LowerError> {
        self.expansion(word).map(|expansion| expansion.text)
    }

    /// The ARGs that a word of FROM takes values from.
    fn referred(&self, word: &Word) -> BTreeSet<String> {
        let expansion = self.expansion(word);
        expansion
            .map(|expansion| expansion.variables.set)
            .unwrap_or_default()
    }

    fn expansion(&self, word: &Word) -> Result<Expansion, LowerError> {
        let get = |name: &str| self.globals.get(name).map(str::to_owned);
        let options = ExpandOptions::new(self.dockerfile.escape());
        expand_with(word.as_str(), &get, options)
            .map_err(|error| LowerError::new(word.span, LowerFault::Expand(error)))
    }

    fn find_target(&self) -> Result<usize, LowerError> {
        let Some(name) = &self.options.target else {
            let last = self.stages.len().checked_sub(1);
            return last.ok_or_else(|| LowerError::new(None, LowerFault::NoStages));
        };
        let stage = self.dockerfile.stage_named(name).ok_or_else(|| {
            let error = LowerError::new(None, LowerFault::UnknownTarget(name.clone()));
            error.suggest(self.dockerfile.suggest_stage(name))
        })?;
        Ok(stage.index)
    }

    /// The stages that a stage's own instructions and base lead to.
    fn dependencies(&self, index: usize) -> Vec<(usize, Span)> {
        let planned = &self.stages[index];
        let base = match planned.base {
            Base::Stage(base) => Some((base, planned.stage.from.base.span)),
            Base::Outside(_) => None,
        };
        let from = |from: From<'_>| match from.stage(self.dockerfile) {
            Ok(Some(stage)) => Some((stage.index, from.word.span)),
            _ => None,
        };
        let own = planned.stage.instructions.iter().flat_map(froms);
        base.into_iter().chain(own.filter_map(from)).collect()
    }

    /// Reports the first cycle, as the reference does, whether or not it is needed.
    fn find_cycles(&mut self) {
        let dependencies: Vec<_> = (0..self.stages.len())
            .map(|index| self.dependencies(index))
            .collect();
        let mut state = vec![Visit::New; self.stages.len()];
        for start in 0..self.stages.len() {
            if let Some((stage, span)) = find_cycle(start, &dependencies, &mut state) {
                let fault = LowerFault::Cycle(self.stages[stage].label.clone());
                self.errors.push(LowerError::new(span, fault));
                return;
            }
        }
    }

    fn finish(self, target: usize) -> Result<Plan<'a>, Vec<LowerError>> {
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        Ok(Plan {
            stages: self.stages,
            target,
            globals: self.globals,
            missing: self.missing,
        })
    }
}

impl<'a> PlannedStage<'a> {
    fn new(stage: &'a Stage, base: Base, platform: Platform) -> Self {
        Self {
            stage,
            label: stage
                .name()
                .map_or_else(|| format!("stage-{}", stage.index), str::to_owned),
            base,
            base_name: String::new(),
            used_args: BTreeSet::new(),
            platform,
            is_replaced: false,
            needed: false,
            instructions: Vec::new(),
        }
    }
}
