//! Docker's profile format (moby `profiles/seccomp`), and which of its rules count for a process.

use serde::Deserialize;

use super::{
    Arch,
    rule::{Action, Condition, Filter, Rule, Test},
};
use crate::caps::Capabilities;

/// What the conditions of a profile ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The process's bounding set.
    pub capabilities: Capabilities,
    /// The machine's own architecture.
    pub arch: Arch,
    /// Major and minor number of the kernel's release.
    pub kernel: (u32, u32),
}

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The text is not a profile.
    #[error("not a seccomp profile in JSON")]
    Json(#[from] serde_json::Error),
    /// An action that is not known, or needs an agent that is not there (`SCMP_ACT_NOTIFY`).
    #[error("action `{0}` is not supported")]
    Action(String),
    /// A comparison that is not known.
    #[error("comparison `{0}` is not known")]
    Comparison(String),
    /// A call has six arguments.
    #[error("a call has no argument {0}")]
    Argument(u32),
    /// A number that does not fit into a filter's answer.
    #[error("error number {0} is too large")]
    Errno(u32),
    /// Neither or both of `architectures` and `archMap`.
    #[error("`architectures` and `archMap` are both given")]
    Architectures,
    /// A kernel version that is not `major.minor`.
    #[error("`{0}` is not a kernel version")]
    Kernel(String),
    /// More instructions than the kernel takes.
    #[error("the profile makes a program of {0} instructions; the kernel takes 4096")]
    TooLong(usize),
}

/// The rules of a profile's text that count in `context`.
pub(crate) fn parse(text: &str, context: &Context) -> Result<Filter, ProfileError> {
    let profile: Profile = serde_json::from_str(text)?;
    let errno = profile.default_errno_ret.unwrap_or(EPERM);
    let mut rules = Vec::new();
    for entry in &profile.syscalls {
        if entry.counts(context)? {
            rules.extend(entry.rules(errno)?);
        }
    }
    Ok(Filter {
        arches: profile.arches(context)?,
        default: action(&profile.default_action, errno)?,
        rules,
    })
}

/// What a denied call fails with unless the profile says otherwise.
const EPERM: u32 = 1;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: String,
    default_errno_ret: Option<u32>,
    architectures: Option<Vec<String>>,
    arch_map: Option<Vec<ArchMap>>,
    #[serde(default)]
    syscalls: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchMap {
    architecture: String,
    sub_architectures: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: Option<String>,
    names: Option<Vec<String>>,
    action: String,
    errno_ret: Option<u32>,
    args: Option<Vec<Arg>>,
    includes: Option<Conditions>,
    excludes: Option<Conditions>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arg {
    index: u32,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Conditions {
    arches: Option<Vec<String>>,
    caps: Option<Vec<String>>,
    min_kernel: Option<String>,
}

impl Profile {
    /// The native architecture and what the profile lists beside it. Names of other machines are passed over.
    fn arches(&self, context: &Context) -> Result<Vec<Arch>, ProfileError> {
        let listed = self.architectures.as_deref().unwrap_or_default();
        let maps = self.arch_map.as_deref().unwrap_or_default();
        if !listed.is_empty() && !maps.is_empty() {
            return Err(ProfileError::Architectures);
        }
        let native = maps.iter().filter(|map| map.architecture == context.arch.name());
        let mapped = native
            .filter_map(|map| map.sub_architectures.as_deref())
            .flatten();
        let mut arches = vec![context.arch];
        arches.extend(listed.iter().chain(mapped).filter_map(|name| Arch::parse(name)));
        let mut seen = Vec::new();
        arches.retain(|arch| {
            !seen.contains(arch) && {
                seen.push(*arch);
                true
            }
        });
        Ok(arches)
    }
}

impl Entry {
    fn counts(&self, context: &Context) -> Result<bool, ProfileError> {
        let included = match &self.includes {
            Some(conditions) => conditions.all(context)?,
            None => true,
        };
        let excluded = match &self.excludes {
            Some(conditions) => conditions.any(context)?,
            None => false,
        };
        Ok(included && !excluded)
    }

    /// One rule; when an argument is tested twice, one for each test (as runc does: a single rule could never fit).
    fn rules(&self, default_errno: u32) -> Result<Vec<Rule>, ProfileError> {
        let conditions = self
            .args
            .iter()
            .flatten()
            .map(Arg::condition)
            .collect::<Result<Vec<_>, _>>()?;
        let action = action(&self.action, self.errno_ret.unwrap_or(default_errno))?;
        let rule = |conditions| Rule {
            calls: self.names.iter().flatten().chain(&self.name).cloned().collect(),
            conditions,
            action,
        };
        if repeats(&conditions) {
            return Ok(conditions.into_iter().map(|one| rule(vec![one])).collect());
        }
        Ok(vec![rule(conditions)])
    }
}

fn repeats(conditions: &[Condition]) -> bool {
    let twice = |(place, one): (usize, &Condition)| {
        conditions[..place]
            .iter()
            .any(|earlier| earlier.argument == one.argument)
    };
    conditions.iter().enumerate().any(twice)
}

impl Conditions {
    fn all(&self, context: &Context) -> Result<bool, ProfileError> {
        let arches = self
            .arches
            .as_deref()
            .is_none_or(|arches| has_arch(arches, context));
        let caps = self.caps.iter().flatten().all(|cap| has_cap(cap, context));
        Ok(arches && caps && self.kernel(context)?.unwrap_or(true))
    }

    fn any(&self, context: &Context) -> Result<bool, ProfileError> {
        let arches = self
            .arches
            .as_deref()
            .is_some_and(|arches| has_arch(arches, context));
        let caps = self.caps.iter().flatten().any(|cap| has_cap(cap, context));
        Ok(arches || caps || self.kernel(context)?.unwrap_or(false))
    }

    fn kernel(&self, context: &Context) -> Result<Option<bool>, ProfileError> {
        let at_least = |version: &String| {
            let parsed = version
                .split_once('.')
                .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
            let wanted: (u32, u32) = parsed.ok_or_else(|| ProfileError::Kernel(version.clone()))?;
            Ok(context.kernel >= wanted)
        };
        self.min_kernel.as_ref().map(at_least).transpose()
    }
}

/// moby asks about the native architecture only, also for the rules of its sub-architectures.
fn has_arch(arches: &[String], context: &Context) -> bool {
    arches.is_empty() || arches.iter().any(|arch| arch == context.arch.condition())
}

fn has_cap(name: &str, context: &Context) -> bool {
    Capabilities::parse(name).is_some_and(|cap| context.capabilities.contains(cap))
}

impl Arg {
    fn condition(&self) -> Result<Condition, ProfileError> {
        let argument = u8::try_from(self.index).ok().filter(|index| *index < 6);
        Ok(Condition {
            argument: argument.ok_or(ProfileError::Argument(self.index))?,
            test: self.test()?,
        })
    }

    fn test(&self) -> Result<Test, ProfileError> {
        Ok(match self.op.as_str() {
            "SCMP_CMP_EQ" => Test::Equal(self.value),
            "SCMP_CMP_NE" => Test::NotEqual(self.value),
            "SCMP_CMP_LT" => Test::Less(self.value),
            "SCMP_CMP_LE" => Test::AtMost(self.value),
            "SCMP_CMP_GT" => Test::Greater(self.value),
            "SCMP_CMP_GE" => Test::AtLeast(self.value),
            "SCMP_CMP_MASKED_EQ" => Test::Masked {
                mask: self.value,
                value: self.value_two,
            },
            other => return Err(ProfileError::Comparison(other.to_owned())),
        })
    }
}

fn action(name: &str, errno: u32) -> Result<Action, ProfileError> {
    // The kernel caps errors at MAX_ERRNO.
    let number = u16::try_from(errno).ok().filter(|errno| *errno <= 4095);
    let number = number.ok_or(ProfileError::Errno(errno))?;
    Ok(match name {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Action::KILL_THREAD,
        "SCMP_ACT_KILL_PROCESS" => Action::KILL_PROCESS,
        "SCMP_ACT_TRAP" => Action::TRAP,
        "SCMP_ACT_ERRNO" => Action::errno(number),
        "SCMP_ACT_TRACE" => Action::trace(number),
        "SCMP_ACT_LOG" => Action::LOG,
        "SCMP_ACT_ALLOW" => Action::ALLOW,
        other => return Err(ProfileError::Action(other.to_owned())),
    })
}
