//! A Dockerfile becomes a graph of steps.
//!
//! Follows BuildKit's Dockerfile frontend (`frontend/dockerfile/dockerfile2llb`): the same steps, the same image
//! configuration, the same history texts. Two phases, since the base images' configurations come from outside: ask
//! [`required_bases`] until it wants nothing more, then [`lower`].

mod args;
mod bases;
mod builder;
mod copy;
mod cycle;
mod environment;
mod error;
mod execution;
mod from;
mod git_url;
mod history;
mod lowering;
mod mount;
mod needs;
mod options;
mod outline;
mod paths;
mod plan;
mod reproducible;
mod run;
mod scan;
mod stage;
mod start;
mod windows;

use wharf_dockerfile::{Dockerfile, Span};
use wharf_oci::{Platform, config::ImageConfig};

pub use bases::{BaseImage, BaseRequest, Bases};
pub use error::{LowerError, LowerFault};
pub use git_url::{GitUrl, GitUrlError};
pub use options::{LowerOptions, NamedContext, NoCache};
pub use outline::{Outline, OutlineArg, OutlineMount};

use crate::step::{Graph, Target};

/// The bases whose configurations [`lower`] will want and `bases` does not hold. What ONBUILD of one brings may need others: ask
/// again with those, until nothing is wanted. The errors are all that is wrong with the stages, none twice.
pub fn required_bases(
    dockerfile: &Dockerfile,
    options: &LowerOptions,
    bases: &Bases,
) -> Result<Vec<BaseRequest>, Vec<LowerError>> {
    let mut requests: Vec<BaseRequest> = Vec::new();
    for platform in options.target_platforms() {
        let plan = plan::plan(dockerfile, options, &platform, bases)?;
        for request in plan.missing {
            if !requests
                .iter()
                .any(|known| known.is_for(&request.source, &request.platform))
            {
                requests.push(request);
            }
        }
    }
    Ok(requests)
}

/// The configuration of the base that a stage names so, variables expanded; an empty one of a base that has none. `None` when `bases`
/// does not hold it.
pub fn known_base(
    dockerfile: &Dockerfile,
    options: &LowerOptions,
    bases: &Bases,
    name: &str,
    platform: &Platform,
) -> Option<ImageConfig> {
    match from::outside(options, dockerfile, name, Span::empty(0), platform).ok()? {
        from::Outside::Image(source) => Some(bases.get(&source, platform)?.config.clone()),
        from::Outside::Scratch | from::Outside::Files(_) => Some(ImageConfig::default()),
    }
}

/// The graph of the wanted stage on every wanted platform. `bases` holds all that [`required_bases`] wants. The errors are all
/// that is wrong with the stages that are needed, in the order of the text.
pub fn lower(
    dockerfile: &Dockerfile,
    options: &LowerOptions,
    bases: &Bases,
) -> Result<Graph, Vec<LowerError>> {
    let mut builder = builder::GraphBuilder::new(options.build_platform.clone());
    let mut targets = Vec::new();
    for platform in options.target_platforms() {
        targets.push(lower_one(dockerfile, options, bases, &platform, &mut builder)?);
    }
    Ok(Graph {
        steps: builder.finish(),
        targets,
    })
}

/// What the wanted stage can be given, on the first of the wanted platforms. `bases` as for [`lower`].
pub fn outline(
    dockerfile: &Dockerfile,
    options: &LowerOptions,
    bases: &Bases,
) -> Result<Outline, Vec<LowerError>> {
    let mut builder = builder::GraphBuilder::new(options.build_platform.clone());
    let platforms = options.target_platforms();
    let platform = platforms.first().unwrap_or(&options.build_platform);
    lowering(dockerfile, options, bases, platform, &mut builder)?.outline()
}

fn lower_one(
    dockerfile: &Dockerfile,
    options: &LowerOptions,
    bases: &Bases,
    platform: &Platform,
    builder: &mut builder::GraphBuilder,
) -> Result<Target, Vec<LowerError>> {
    lowering(dockerfile, options, bases, platform, builder)?.run()
}

fn lowering<'a>(
    dockerfile: &'a Dockerfile,
    options: &'a LowerOptions,
    bases: &'a Bases,
    platform: &'a Platform,
    builder: &'a mut builder::GraphBuilder,
) -> Result<lowering::Lowering<'a>, Vec<LowerError>> {
    let plan = plan::plan(dockerfile, options, platform, bases)?;
    if let Some(request) = plan.missing.first() {
        let fault = LowerFault::MissingBase(request.name.clone());
        return Err(vec![LowerError::new(request.span, fault)]);
    }
    lowering::Lowering::new(dockerfile, options, bases, platform, builder, plan)
}
