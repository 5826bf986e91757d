//! What a filter does with a call: rules, already chosen for one machine and one process.

use super::Arch;

/// A whole filter.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    /// The calling conventions that are let in at all.
    pub(crate) arches: Vec<Arch>,
    /// For calls that no rule names.
    pub(crate) default: Action,
    /// In order: of those that fit a call, the first one with conditions decides, else the first without.
    pub(crate) rules: Vec<Rule>,
}

/// What happens to some calls.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// The calls; those that an architecture lacks are passed over there.
    pub(crate) calls: Vec<String>,
    /// All must hold.
    pub(crate) conditions: Vec<Condition>,
    pub(crate) action: Action,
}

/// What the kernel is to do, as a filter's return value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Action(pub(crate) u32);

impl Action {
    pub(crate) const KILL_PROCESS: Self = Self(0x8000_0000);
    pub(crate) const KILL_THREAD: Self = Self(0);
    pub(crate) const TRAP: Self = Self(0x0003_0000);
    pub(crate) const LOG: Self = Self(0x7ffc_0000);
    pub(crate) const ALLOW: Self = Self(0x7fff_0000);

    /// The call is not made and fails with this number; with 0 it seems to succeed.
    pub(crate) const fn errno(errno: u16) -> Self {
        Self(0x0005_0000 | errno as u32)
    }

    /// A tracer is told this number; without one the call fails with ENOSYS.
    pub(crate) const fn trace(message: u16) -> Self {
        Self(0x7ff0_0000 | message as u32)
    }
}

/// A condition on one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Condition {
    /// Which argument: 0 to 5.
    pub(crate) argument: u8,
    pub(crate) test: Test,
}

/// What must be true of an argument, all 64 bits of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Test {
    Equal(u64),
    NotEqual(u64),
    Less(u64),
    AtMost(u64),
    Greater(u64),
    AtLeast(u64),
    /// The bits of `mask` are those of `value`.
    Masked {
        mask: u64,
        value: u64,
    },
}
