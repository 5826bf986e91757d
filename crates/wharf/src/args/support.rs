//! Which flags of buildx work, which are accepted and ignored, and which are refused, each with its reason.
//!
//! `docs/compatibility.md` is generated from this table and from the argument definitions; a test keeps the two together.

use super::{UsageError, build::BuildArgs};

/// What wharf does with a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Support {
    /// It is accepted with a warning, and nothing comes of it: why.
    Ignored(&'static str),
    /// Some or all of its values are an error: which, and what to do.
    Refused(&'static str),
    /// It works but for what the row asks for, which is an error.
    Partly(&'static str),
}

/// A flag by its long name, whether it was given, and what is done with it.
type Row = (&'static str, fn(&BuildArgs) -> bool, Support);

/// Every flag that does not simply work.
pub(crate) const TABLE: &[Row] = &[
    (
        "attest",
        |args| args.attest.iter().any(|value| names_generator(value)),
        Support::Partly(NO_GENERATOR),
    ),
    (
        "builder",
        |args| args.builder.is_some(),
        Support::Ignored("there is no daemon, so there is no builder to choose"),
    ),
    (
        "cache-from",
        |args| !args.cache_from.is_empty(),
        Support::Ignored("results are shared through the store on this machine"),
    ),
    (
        "cache-to",
        |args| !args.cache_to.is_empty(),
        Support::Ignored("results are shared through the store on this machine"),
    ),
    (
        "cgroup-parent",
        |args| args.cgroup_parent.is_some(),
        Support::Ignored("steps stay in the caller's cgroup"),
    ),
    (
        "compress",
        |args| args.legacy.compress,
        Support::Ignored("the context is not sent anywhere"),
    ),
    (
        "cpu-period",
        |args| args.legacy.cpu_period.is_some(),
        Support::Ignored(LEGACY),
    ),
    (
        "cpu-quota",
        |args| args.legacy.cpu_quota.is_some(),
        Support::Ignored(LEGACY),
    ),
    (
        "cpu-shares",
        |args| args.legacy.cpu_shares.is_some(),
        Support::Ignored(LEGACY),
    ),
    (
        "cpuset-cpus",
        |args| args.legacy.cpuset_cpus.is_some(),
        Support::Ignored(LEGACY),
    ),
    (
        "cpuset-mems",
        |args| args.legacy.cpuset_mems.is_some(),
        Support::Ignored(LEGACY),
    ),
    (
        "debug",
        |args| args.debug,
        Support::Ignored("every build leaves a record: wharf history show"),
    ),
    (
        "force-rm",
        |args| args.legacy.force_rm,
        Support::Ignored("there are no intermediate containers"),
    ),
    (
        "isolation",
        |args| args.legacy.isolation.is_some(),
        Support::Ignored(LEGACY),
    ),
    (
        "memory",
        |args| args.legacy.memory.is_some(),
        Support::Ignored(LEGACY),
    ),
    (
        "memory-swap",
        |args| args.legacy.memory_swap.is_some(),
        Support::Ignored(LEGACY),
    ),
    (
        "policy",
        |args| !args.policy.is_empty(),
        Support::Refused("policies are not evaluated; leave it out"),
    ),
    (
        "rm",
        |args| args.legacy.rm.is_some(),
        Support::Ignored("there are no intermediate containers"),
    ),
    (
        "sbom",
        |args| args.sbom.as_deref().is_some_and(names_generator),
        Support::Partly(NO_GENERATOR),
    ),
    (
        "security-opt",
        |args| !args.legacy.security_opt.is_empty(),
        Support::Ignored("use --seccomp"),
    ),
    (
        "squash",
        |args| args.legacy.squash,
        Support::Ignored("layers are kept apart, so that they can be shared"),
    ),
];

const NO_GENERATOR: &str =
    "generator= is an error: wharf lists the contents itself and runs no scanner image; leave it out";

/// Whether a value asks for a scanner image.
fn names_generator(value: &str) -> bool {
    let fields = super::fields::parse(value).unwrap_or_default();
    fields.iter().any(|field| field.key == "generator")
}

const LEGACY: &str = "a flag of the classic builder, which buildx ignores too";

/// Warnings for flags that do nothing; an error for the first that is refused.
pub(crate) fn check(args: &BuildArgs) -> Result<Vec<String>, UsageError> {
    let mut warnings = Vec::new();
    for (flag, given, support) in TABLE {
        if !given(args) {
            continue;
        }
        match support {
            Support::Ignored(why) => warnings.push(format!("--{flag} is ignored: {why}")),
            Support::Refused(why) | Support::Partly(why) => {
                return Err(UsageError::Refused {
                    flag: format!("--{flag}"),
                    why: (*why).to_owned(),
                });
            }
        }
    }
    Ok(warnings)
}
