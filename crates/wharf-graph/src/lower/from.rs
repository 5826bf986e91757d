//! Where files come from by name: an earlier stage, a named context, a base, a registry.

use wharf_dockerfile::{
    Dockerfile, ExpandOptions, Instruction, InstructionKind, Span, Stage, Word, expand_with, suggest,
};
use wharf_oci::{Platform, Reference};

use super::{
    error::{LowerError, LowerFault},
    options::{LowerOptions, NamedContext},
};
use crate::source::{ContextName, ImageSource, Source};

/// What a stage starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Base {
    /// An earlier stage.
    Stage(usize),
    /// Something from outside.
    Outside(Outside),
}

/// Files that no stage made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outside {
    Scratch,
    /// With a configuration: an image, a base, a layout.
    Image(Source),
    /// Without: a named context.
    Files(ContextName),
}

/// Where an instruction takes files from, if it says so.
pub(super) struct From<'a> {
    pub(super) word: &'a Word,
    /// Whether a number means a stage: so for COPY, not for mounts.
    by_number: bool,
}

/// All that an instruction says it takes files from.
pub(super) fn froms(instruction: &Instruction) -> Vec<From<'_>> {
    match &instruction.kind {
        InstructionKind::Copy(copy) => copy.from.iter().map(From::of_copy).collect(),
        InstructionKind::Run(run) => run
            .mounts
            .iter()
            .filter_map(|mount| mount.from())
            .map(From::of_mount)
            .collect(),
        _ => Vec::new(),
    }
}

impl<'a> From<'a> {
    pub(super) fn of_copy(word: &'a Word) -> Self {
        Self {
            word,
            by_number: true,
        }
    }

    pub(super) fn of_mount(word: &'a Word) -> Self {
        Self {
            word,
            by_number: false,
        }
    }

    /// The stage, if it is one.
    pub(super) fn stage<'d>(&self, dockerfile: &'d Dockerfile) -> Result<Option<&'d Stage>, LowerError> {
        let name = self.word.as_str();
        if !self.by_number || name.parse::<i64>().is_err() {
            return Ok(dockerfile.stage_named(name));
        }
        let stage = name
            .parse()
            .ok()
            .and_then(|index: usize| dockerfile.stages.get(index));
        match stage {
            Some(stage) => Ok(Some(stage)),
            None => Err(LowerError::new(
                self.word.span,
                LowerFault::StageIndex(name.to_owned()),
            )),
        }
    }

    /// The files. `platform` chooses those of an image.
    pub(super) fn files(
        &self,
        options: &LowerOptions,
        dockerfile: &Dockerfile,
        platform: &Platform,
    ) -> Result<Base, LowerError> {
        let name = self.word.as_str();
        let nothing = |_: &str| None;
        let expansion = expand_with(name, &nothing, ExpandOptions::new(dockerfile.escape()));
        let unchanged = expansion.is_ok_and(|expansion| expansion.text == name);
        if !unchanged {
            return Err(LowerError::new(self.word.span, LowerFault::VariableFrom));
        }
        match self.stage(dockerfile)? {
            Some(stage) => Ok(Base::Stage(stage.index)),
            None => outside(options, dockerfile, name, self.word.span, platform).map(Base::Outside),
        }
    }
}

/// What a name means that is no stage's: named context, base, registry, in this order.
pub(super) fn outside(
    options: &LowerOptions,
    dockerfile: &Dockerfile,
    name: &str,
    span: Span,
    platform: &Platform,
) -> Result<Outside, LowerError> {
    if name == "scratch" {
        return Ok(Outside::Scratch);
    }
    if let Some(context) = options.context(name, platform) {
        return Ok(of_context(options, context));
    }
    if options.bases.contains(name) {
        return Ok(Outside::Image(Source::Base(name.to_owned())));
    }
    let reference: Reference = name.parse().map_err(|error| {
        let bases = options.bases.iter().map(String::as_str);
        let near_base = || suggest::nearest(name, bases, suggest::Case::Ignored);
        let suggestion = dockerfile.suggest_stage(name).or_else(near_base);
        LowerError::new(span, LowerFault::Reference(error)).suggest(suggestion)
    })?;
    Ok(Outside::Image(image(options, reference)))
}

pub(super) fn of_context(options: &LowerOptions, (key, context): (String, &NamedContext)) -> Outside {
    match context {
        NamedContext::Files => Outside::Files(ContextName::Named(key)),
        NamedContext::Image(reference) if reference.familiar() == "scratch" => Outside::Scratch,
        NamedContext::Image(reference) => Outside::Image(image(options, reference.clone())),
        NamedContext::OciLayout(layout) => Outside::Image(Source::OciLayout(layout.clone())),
        NamedContext::Base(name) => Outside::Image(Source::Base(name.clone())),
    }
}

fn image(options: &LowerOptions, reference: Reference) -> Source {
    let reference = reference.or_latest();
    Source::Image(ImageSource {
        digest: reference.digest().copied(),
        reference: reference.to_string(),
        pull: options.pull,
    })
}
