//! All stages of one platform, one after the other.

use wharf_dockerfile::{Dockerfile, Span};
use wharf_oci::Platform;

use super::{
    args::{self, SOURCE_DATE_EPOCH},
    bases::Bases,
    builder::GraphBuilder,
    environment::{VariableList, Variables},
    error::LowerError,
    options::LowerOptions,
    outline::{self, Outline, StageNotes},
    plan::{Plan, PlannedStage},
    scan,
    stage::{StageLowering, StageState},
    start,
};
use crate::{
    source::ContextName,
    step::{Scan, SourceSpan, Target},
};

/// What all stages of one platform share.
pub(super) struct Shared<'a> {
    pub(super) dockerfile: &'a Dockerfile,
    pub(super) options: &'a LowerOptions,
    pub(super) bases: &'a Bases,
    pub(super) target: &'a Platform,
    pub(super) globals: Variables,
    /// The ARGs before the first FROM, for the outline.
    pub(super) global_notes: StageNotes,
    pub(super) proxies: VariableList,
    pub(super) epoch: Option<i64>,
    /// The epoch as the image's documents write it.
    pub(super) created: Option<String>,
}

/// The lowering of a build for one platform.
pub(super) struct Lowering<'a> {
    shared: Shared<'a>,
    builder: &'a mut GraphBuilder,
    stages: Vec<PlannedStage<'a>>,
    /// The wanted stage.
    wanted: usize,
    /// The needed stages that are done, by number.
    done: Vec<Option<StageState>>,
    /// What the stages noted for the outline, by number.
    notes: Vec<StageNotes>,
}

impl<'a> Lowering<'a> {
    pub(super) fn new(
        dockerfile: &'a Dockerfile,
        options: &'a LowerOptions,
        bases: &'a Bases,
        target: &'a Platform,
        builder: &'a mut GraphBuilder,
        plan: Plan<'a>,
    ) -> Result<Self, Vec<LowerError>> {
        let mut globals = plan.globals;
        let epoch = args::epoch(options, &globals).map_err(|error| vec![error])?;
        match epoch {
            Some(epoch) => globals.set(SOURCE_DATE_EPOCH, epoch.to_string()),
            None => globals.remove(SOURCE_DATE_EPOCH),
        }
        let created = epoch.and_then(|epoch| jiff::Timestamp::from_second(epoch).ok());
        let shared = Shared {
            dockerfile,
            options,
            bases,
            target,
            global_notes: StageNotes::of_globals(dockerfile, options, &globals),
            globals,
            proxies: args::proxies(options).into(),
            epoch,
            created: created.map(|created| created.to_string()),
        };
        Ok(Self {
            shared,
            builder,
            done: vec![None; plan.stages.len()],
            notes: vec![StageNotes::default(); plan.stages.len()],
            wanted: plan.target,
            stages: plan.stages,
        })
    }

    /// All needed stages; then what is wanted.
    pub(super) fn run(mut self) -> Result<Target, Vec<LowerError>> {
        self.stages()?;
        let scans = self.scans();
        let state = self.done[self.wanted].take().expect("the wanted stage is needed");
        Ok(Target {
            scans,
            ..self.target(&self.stages[self.wanted].label, state)
        })
    }

    /// All needed stages; then what the wanted one can be given.
    pub(super) fn outline(mut self) -> Result<Outline, Vec<LowerError>> {
        self.stages()?;
        Ok(outline::outline(
            self.shared.dockerfile,
            &self.stages,
            &self.notes,
            self.wanted,
        ))
    }

    fn stages(&mut self) -> Result<(), Vec<LowerError>> {
        let mut errors = Vec::new();
        for (index, stage) in self.stages.iter().enumerate().filter(|(_, stage)| stage.needed) {
            let mut lowering = StageLowering::new(stage, &self.shared, self.builder, &self.done);
            errors.extend(lowering.instructions());
            let StageLowering { state, notes, .. } = lowering;
            self.done[index] = Some(state);
            self.notes[index] = notes;
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// The stages and the context that the Dockerfile wants to be looked at.
    fn scans(&mut self) -> Vec<Scan> {
        if !self.shared.options.scan {
            return Vec::new();
        }
        let globals = &self.shared.globals;
        let of_stage = |(stage, state): (&PlannedStage<'_>, &Option<StageState>)| {
            let state = state.as_ref()?;
            scan::is_wanted(scan::STAGE, &stage.label, state, globals).then(|| Scan {
                name: stage.label.clone(),
                root: state.root,
            })
        };
        let all = self.stages.iter().zip(&self.done).enumerate();
        let others = all.filter(|(index, _)| *index != self.wanted);
        let mut scans: Vec<_> = others.filter_map(|(_, stage)| of_stage(stage)).collect();
        let wanted = &self.stages[self.wanted].label;
        if let Some(state) = &self.done[self.wanted]
            && scan::is_wanted(scan::CONTEXT, wanted, state, globals)
        {
            scans.push(Scan {
                name: "context".to_owned(),
                root: self.builder.context(&ContextName::Main, "/"),
            });
        }
        scans.sort_by(|a, b| a.name.cmp(&b.name));
        scans
    }

    fn target(&self, stage: &str, state: StageState) -> Target {
        let options = self.shared.options;
        let mut config = state.config;
        config.config.labels.extend(options.labels.clone());
        let platform = if options.platforms.is_empty() {
            Platform::of(&config)
        } else {
            self.shared.target.clone()
        };
        start::set_platform(&mut config, &platform);
        Target {
            platform,
            stage: stage.to_owned(),
            root: state.root,
            config,
            history: state.history,
            epoch: self.shared.epoch,
            scans: Vec::new(),
        }
    }
}

impl Shared<'_> {
    pub(super) fn span(&self, span: Span) -> SourceSpan {
        let source = &self.dockerfile.source;
        let (start, end) = (source.position(span.start), source.position(span.end));
        SourceSpan {
            start_line: start.line as u32,
            start_column: start.column as u32,
            end_line: end.line as u32,
            end_column: end.column as u32,
        }
    }

    /// How steps name their platform: not at all when there is one only. What a stage compiles for is told where it declared one of the
    /// TARGET arguments, since only then its steps differ between targets.
    pub(super) fn shown_platform(&self, platform: &Platform, variables: &Variables) -> String {
        if self.options.platforms.len() < 2 {
            return String::new();
        }
        match compiled_for(platform, variables) {
            Some(target) if target.os != platform.os => format!("{platform}->{target}"),
            Some(target) if target.architecture != platform.architecture => {
                let target = target.to_string();
                let (_, architecture) = target.split_once('/').unwrap_or(("", &target));
                format!("{platform}->{architecture}")
            }
            _ => platform.to_string(),
        }
    }

    /// How steps name their stage: not at all when there is one only.
    pub(super) fn stage_label(&self, stage: &PlannedStage<'_>) -> String {
        if self.dockerfile.stages.len() == 1 {
            return String::new();
        }
        stage.label.clone()
    }
}

/// The platform that a stage's TARGET arguments name, as far as it declared them. BuildKit's `platformFromEnv`.
fn compiled_for(platform: &Platform, variables: &Variables) -> Option<Platform> {
    if let Some(target) = variables.get("TARGETPLATFORM") {
        return target.parse().ok();
    }
    let names = ["TARGETOS", "TARGETARCH", "TARGETVARIANT"];
    let [os, architecture, variant] = names.map(|name| variables.get(name));
    if os.is_none() && architecture.is_none() && variant.is_none() {
        return None;
    }
    Some(Platform::new(
        os.unwrap_or(&platform.os),
        architecture.unwrap_or(&platform.architecture),
        variant.unwrap_or_default(),
    ))
}
