//! Which stages the wanted one leads to, and which bases must be known for that. ONBUILD triggers count: they are known only
//! when the base is.

use std::{borrow::Cow, collections::BTreeSet};

use wharf_dockerfile::{Instruction, InstructionKind, parse_trigger};

use super::{
    bases::BaseRequest,
    error::{LowerError, LowerFault},
    from::{Base, Outside, froms},
    plan::{PlannedInstruction, Planner},
};

impl<'a> Planner<'a, '_> {
    /// Marks the stage and all that it leads to as needed.
    pub(super) fn need(&mut self, index: usize) {
        let mut waiting = BTreeSet::from([index]);
        while let Some(index) = waiting.pop_first() {
            if self.stages[index].needed {
                continue;
            }
            self.stages[index].needed = true;
            if let Base::Stage(base) = self.stages[index].base {
                waiting.insert(base);
            }
            let instructions = self.instructions(index);
            for planned in &instructions {
                waiting.extend(self.needed_by(index, planned));
            }
            self.stages[index].instructions = instructions;
        }
    }

    /// The triggers of the base, then the stage's own instructions.
    fn instructions(&mut self, index: usize) -> Vec<PlannedInstruction<'a>> {
        let stage = self.stages[index].stage;
        let triggers = self.triggers(index);
        if self.stages[index].is_replaced {
            return Vec::new();
        }
        let mut instructions = Vec::new();
        for trigger in triggers {
            match parse_trigger(&trigger) {
                Ok(instruction) => instructions.push(PlannedInstruction {
                    instruction: Cow::Owned(instruction),
                    span: stage.from.span,
                    on_build: true,
                }),
                Err(errors) => self.errors.extend(errors.into_iter().map(|error| {
                    let trigger = trigger.clone();
                    let fault = error.error;
                    LowerError::new(stage.from.span, LowerFault::Trigger { trigger, fault })
                })),
            }
        }
        instructions.extend(stage.instructions.iter().map(|instruction| PlannedInstruction {
            instruction: Cow::Borrowed(instruction),
            span: instruction.span,
            on_build: false,
        }));
        instructions
    }

    /// The ONBUILD triggers that the stage's base brings; notes a base that is not known.
    fn triggers(&mut self, index: usize) -> Vec<String> {
        let planned = &self.stages[index];
        match &planned.base {
            Base::Stage(base) => self.stages[*base]
                .stage
                .instructions
                .iter()
                .filter_map(trigger)
                .collect(),
            Base::Outside(Outside::Image(source)) => {
                if let Some(base) = self.bases.get(source, &planned.platform) {
                    return base.config.config.on_build.clone();
                }
                let request = BaseRequest {
                    source: source.clone(),
                    platform: planned.platform.clone(),
                    name: planned.base_name.clone(),
                    span: planned.stage.from.base.span,
                };
                self.want(request);
                Vec::new()
            }
            Base::Outside(_) => Vec::new(),
        }
    }

    /// The stages that an instruction of a needed stage takes files from; notes images that are not known.
    fn needed_by(&mut self, index: usize, planned: &PlannedInstruction<'a>) -> Vec<usize> {
        let mut stages = Vec::new();
        for from in froms(&planned.instruction) {
            let platform = self.target;
            let span = if planned.on_build {
                planned.span
            } else {
                from.word.span
            };
            match from.files(self.options, self.dockerfile, platform) {
                Ok(Base::Stage(stage)) if stage < index => stages.push(stage),
                Ok(Base::Outside(Outside::Image(source))) if self.bases.get(&source, platform).is_none() => {
                    self.want(BaseRequest {
                        source,
                        platform: platform.clone(),
                        name: from.word.raw.clone(),
                        span,
                    });
                }
                // Nothing more is needed, or lowering the instruction says what is wrong.
                Ok(_) | Err(_) => {}
            }
        }
        stages
    }

    fn want(&mut self, request: BaseRequest) {
        if !self
            .missing
            .iter()
            .any(|known| known.is_for(&request.source, &request.platform))
        {
            self.missing.push(request);
        }
    }
}

fn trigger(instruction: &Instruction) -> Option<String> {
    match &instruction.kind {
        InstructionKind::Onbuild(onbuild) => Some(onbuild.expression.clone()),
        _ => None,
    }
}
