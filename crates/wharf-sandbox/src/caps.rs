//! Sets of capabilities (capabilities(7)).

use serde::{Deserialize, Serialize};

macro_rules! capabilities {
    ($($name:literal $bit:literal,)*) => {
        /// The names of all capabilities up to Linux 6.18, with their numbers.
        const NAMES: &[(&str, u8)] = &[$(($name, $bit),)*];
    };
}

capabilities! {
    "CAP_CHOWN" 0, "CAP_DAC_OVERRIDE" 1, "CAP_DAC_READ_SEARCH" 2, "CAP_FOWNER" 3, "CAP_FSETID" 4, "CAP_KILL" 5,
    "CAP_SETGID" 6, "CAP_SETUID" 7, "CAP_SETPCAP" 8, "CAP_LINUX_IMMUTABLE" 9, "CAP_NET_BIND_SERVICE" 10,
    "CAP_NET_BROADCAST" 11, "CAP_NET_ADMIN" 12, "CAP_NET_RAW" 13, "CAP_IPC_LOCK" 14, "CAP_IPC_OWNER" 15,
    "CAP_SYS_MODULE" 16, "CAP_SYS_RAWIO" 17, "CAP_SYS_CHROOT" 18, "CAP_SYS_PTRACE" 19, "CAP_SYS_PACCT" 20,
    "CAP_SYS_ADMIN" 21, "CAP_SYS_BOOT" 22, "CAP_SYS_NICE" 23, "CAP_SYS_RESOURCE" 24, "CAP_SYS_TIME" 25,
    "CAP_SYS_TTY_CONFIG" 26, "CAP_MKNOD" 27, "CAP_LEASE" 28, "CAP_AUDIT_WRITE" 29, "CAP_AUDIT_CONTROL" 30,
    "CAP_SETFCAP" 31, "CAP_MAC_OVERRIDE" 32, "CAP_MAC_ADMIN" 33, "CAP_SYSLOG" 34, "CAP_WAKE_ALARM" 35,
    "CAP_BLOCK_SUSPEND" 36, "CAP_AUDIT_READ" 37, "CAP_PERFMON" 38, "CAP_BPF" 39, "CAP_CHECKPOINT_RESTORE" 40,
}

/// What Docker gives a container (moby `daemon/pkg/oci/caps/defaults.go`).
const DOCKER: &[&str] = &[
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// A set of capabilities, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities(u64);

impl Capabilities {
    /// None.
    pub const fn none() -> Self {
        Self(0)
    }

    /// Docker's default set.
    pub fn docker() -> Self {
        DOCKER
            .iter()
            .filter_map(|name| Self::parse(name))
            .fold(Self::none(), Self::with)
    }

    /// All that this program knows.
    pub fn all() -> Self {
        Self((1 << NAMES.len()) - 1)
    }

    /// The set of the one capability of that name (`CAP_…`).
    pub fn parse(name: &str) -> Option<Self> {
        NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, bit)| Self(1 << bit))
    }

    /// Whether all of `other` are among these.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set but for `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` are in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits, as /proc/self/status shows them.
    pub const fn bits(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbered_in_order() {
        assert!(
            NAMES
                .iter()
                .enumerate()
                .all(|(place, (_, bit))| place == usize::from(*bit))
        );
    }

    #[test]
    fn dockers_set_is_the_known_mask() {
        assert_eq!(Capabilities::docker().bits(), 0xa804_25fb);
    }
}
