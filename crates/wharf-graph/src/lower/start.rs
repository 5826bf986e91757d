//! FROM: the state that a stage starts with.

use wharf_dockerfile::InstructionKind;
use wharf_oci::{
    Platform,
    config::{Execution, ImageConfig},
};

use super::{
    builder::{GraphBuilder, NewStep},
    environment::Variables,
    from::{Base, Outside},
    history::{self, Layer},
    lowering::Shared,
    paths,
    plan::{PlannedInstruction, PlannedStage},
    stage::StageState,
    windows::{self, is_windows},
};
use crate::{
    copy::{CopyOp, CopySource, PathSource},
    op::Op,
    source::{ContextName, Source},
    step::{HistoryEntry, Input, Origin, Reusable, StepId},
};

/// What a stage's PATH is when nothing sets it: BuildKit's `system.DefaultPathEnvUnix`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The numbers in `[stage 2/5]`: the base, and each instruction that makes files.
pub(super) fn total(stage: &PlannedStage<'_>) -> u32 {
    let makes_files = |planned: &&PlannedInstruction<'_>| {
        matches!(
            planned.instruction.kind,
            InstructionKind::Add(_)
                | InstructionKind::Copy(_)
                | InstructionKind::Run(_)
                | InstructionKind::Workdir(_)
        )
    };
    let base = !matches!(stage.base, Base::Stage(_) | Base::Outside(Outside::Scratch));
    u32::from(base) + stage.instructions.iter().filter(makes_files).count() as u32
}

/// The state after FROM.
pub(super) fn start(
    stage: &PlannedStage<'_>,
    shared: &Shared<'_>,
    builder: &mut GraphBuilder,
    done: &[Option<StageState>],
) -> StageState {
    let mut state = match &stage.base {
        Base::Stage(base) => done[*base]
            .clone()
            .expect("a needed stage's base is needed, and is an earlier stage"),
        Base::Outside(outside) => from_outside(stage, outside, shared, builder),
    };
    let config = &mut state.config.config;
    config.on_build.clear();
    // Windows finds its programs by itself (moby/buildkit#5445).
    if config.env_value("PATH").is_none() && !is_windows(&state.platform) {
        config.set_env("PATH", DEFAULT_PATH);
    }
    let mut working_dir = config.working_dir.clone();
    if is_windows(&state.platform) {
        // One on another drive can be nobody's: it is taken as it is.
        working_dir = windows::within(&working_dir, false).unwrap_or(working_dir);
    }
    if !config.working_dir.is_empty() {
        working_dir = paths::workdir(&working_dir, &working_dir);
        config.working_dir.clone_from(&working_dir);
    }
    if is_windows(&state.platform) {
        config.working_dir = windows::shown(&config.working_dir);
    }
    state.working_dir = paths::clean(&working_dir);
    for pair in &config.env {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        state.variables.set(name, value);
    }
    state
}

fn from_outside(
    stage: &PlannedStage<'_>,
    outside: &Outside,
    shared: &Shared<'_>,
    builder: &mut GraphBuilder,
) -> StageState {
    let platform = stage.platform.clone();
    let mut config = empty_config(&platform);
    let origin = Origin {
        platform: shared.shown_platform(&platform, &Variables::default()),
        stage: shared.stage_label(stage),
        ordinal: 1,
        total: total(stage),
        span: shared.span(stage.stage.from.span),
        on_build: false,
    };
    let mut own_history = Vec::new();
    let root = match outside {
        Outside::Scratch => builder.scratch(),
        Outside::Files(name) => {
            let root = files(stage, name, shared, builder, origin);
            let text = format!("FROM {}", stage.stage.from.base.raw);
            own_history.push(history::entry(text, Layer::Of(root), shared.created.as_deref()));
            root
        }
        Outside::Image(source) => {
            if let Some(base) = shared.bases.get(source, &platform) {
                config = base.config.clone();
            }
            shared.image(builder, source, &platform, Some(origin))
        }
    };
    config.created = None;
    config.rootfs.diff_ids.clear();
    let history = std::mem::take(&mut config.history);
    StageState {
        root,
        platform,
        config,
        working_dir: String::new(),
        history: history
            .into_iter()
            .map(|entry| HistoryEntry { entry, step: None })
            .chain(own_history)
            .collect(),
        variables: Variables::default(),
        args: Vec::new(),
    }
}

/// A layer with all files of a context.
fn files(
    stage: &PlannedStage<'_>,
    name: &ContextName,
    shared: &Shared<'_>,
    builder: &mut GraphBuilder,
    origin: Origin,
) -> StepId {
    let inputs = vec![builder.scratch(), builder.context(name, "/")];
    let everything = PathSource {
        input: Input(1),
        path: "/".to_owned(),
        parents: None,
        unpack: false,
    };
    let reusable = shared.options.no_cache.allows(stage.stage.name());
    builder.add(NewStep {
        op: Op::Copy(CopyOp {
            sources: vec![CopySource::Path(everything)],
            dest: "/".to_owned(),
            chown: None,
            chmod: None,
            link: false,
            excludes: Vec::new(),
            add: false,
        }),
        inputs,
        platform: stage.platform.clone(),
        name: format!("FROM {}", stage.stage.from.base.raw),
        origin: Some(origin),
        reuse: if reusable { Reusable::Yes } else { Reusable::No },
    })
}

/// The configuration of `FROM scratch`.
fn empty_config(platform: &Platform) -> ImageConfig {
    let mut config = ImageConfig {
        config: Execution {
            working_dir: "/".to_owned(),
            ..Execution::default()
        },
        ..ImageConfig::default()
    };
    set_platform(&mut config, platform);
    config
}

pub(super) fn set_platform(config: &mut ImageConfig, platform: &Platform) {
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    config.os.clone_from(&platform.os);
    config.architecture.clone_from(&platform.architecture);
    config.variant = given(&platform.variant);
    config.os_version = given(&platform.os_version);
}

fn shown_source(source: &Source) -> String {
    match source {
        Source::Image(image) => match &image.digest {
            Some(digest) if !image.reference.contains('@') => format!("{}@{digest}", image.reference),
            _ => image.reference.clone(),
        },
        Source::Base(name) => name.clone(),
        Source::OciLayout(layout) => format!("oci-layout://{}", layout.path),
        _ => String::new(),
    }
}

impl Shared<'_> {
    /// The step that brings an image's files: those of the manifest whose configuration was read. An image without layers
    /// is `scratch`.
    pub(super) fn image(
        &self,
        builder: &mut GraphBuilder,
        source: &Source,
        platform: &Platform,
        origin: Option<Origin>,
    ) -> StepId {
        let mut source = source.clone();
        if let Some(base) = self.bases.get(&source, platform) {
            let is_empty = base.config.rootfs.diff_ids.is_empty();
            if is_empty && base.config.history.iter().all(|entry| entry.empty_layer) && base.digest.is_some()
            {
                return builder.scratch();
            }
            match &mut source {
                Source::Image(image) => image.digest = base.digest,
                Source::OciLayout(layout) => layout.digest = base.digest,
                _ => {}
            }
        }
        let name = format!("FROM {}", shown_source(&source));
        builder.add(NewStep {
            op: Op::Source(source),
            inputs: Vec::new(),
            platform: platform.clone(),
            name,
            origin,
            reuse: Reusable::Yes,
        })
    }
}
