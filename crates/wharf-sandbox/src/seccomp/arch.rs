//! Audit architectures, and the numbers of system calls on each.

use std::{collections::HashMap, sync::OnceLock};

/// Made from the kernel's user-space headers; its first lines say how.
const TABLE: &str = include_str!("../../data/syscalls.txt");

/// Set in the number of every call of the x32 ABI, which shares x86-64's audit architecture.
const X32_BIT: u32 = 0x4000_0000;

/// A calling convention of the kernel, as profiles name it (`SCMP_ARCH_…`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// x86-64.
    X86_64,
    /// 32-bit x86.
    X86,
    /// x86-64 with 32-bit pointers.
    X32,
    /// 64-bit ARM.
    Aarch64,
    /// 32-bit ARM, EABI.
    Arm,
}

impl Arch {
    /// In the order of the table's columns.
    pub(crate) const ALL: [Arch; 5] = [Arch::X86_64, Arch::X86, Arch::X32, Arch::Aarch64, Arch::Arm];

    /// The one that this program was built for.
    pub const fn native() -> Self {
        if cfg!(target_arch = "aarch64") {
            Arch::Aarch64
        } else {
            Arch::X86_64
        }
    }

    /// The architecture of that `SCMP_ARCH_` name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|arch| arch.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Arch::X86_64 => "SCMP_ARCH_X86_64",
            Arch::X86 => "SCMP_ARCH_X86",
            Arch::X32 => "SCMP_ARCH_X32",
            Arch::Aarch64 => "SCMP_ARCH_AARCH64",
            Arch::Arm => "SCMP_ARCH_ARM",
        }
    }

    /// The name that the conditions of a profile use (Go's GOARCH, as moby translates it).
    pub(crate) fn condition(self) -> &'static str {
        match self {
            Arch::X86_64 => "amd64",
            Arch::X86 => "x86",
            Arch::X32 => "x32",
            Arch::Aarch64 => "arm64",
            Arch::Arm => "arm",
        }
    }

    /// What the kernel puts into `seccomp_data.arch` (`AUDIT_ARCH_…`).
    pub(crate) fn audit(self) -> u32 {
        match self {
            Arch::X86_64 | Arch::X32 => 0xc000_003e,
            Arch::X86 => 0x4000_0003,
            Arch::Aarch64 => 0xc000_00b7,
            Arch::Arm => 0x4000_0028,
        }
    }

    /// The first number of this convention among those of its audit architecture.
    pub(crate) fn base(self) -> u32 {
        if self == Arch::X32 { X32_BIT } else { 0 }
    }

    /// The number of a call as `seccomp_data.nr` has it; none where there is no such call.
    pub(crate) fn number(self, call: &str) -> Option<u32> {
        let number = numbers().get(call)?[self as usize]?;
        Some(number | self.base())
    }
}

type Numbers = HashMap<&'static str, [Option<u32>; Arch::ALL.len()]>;

fn numbers() -> &'static Numbers {
    static NUMBERS: OnceLock<Numbers> = OnceLock::new();
    NUMBERS.get_or_init(|| {
        TABLE
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(row)
            .collect()
    })
}

fn row(line: &'static str) -> Option<(&'static str, [Option<u32>; Arch::ALL.len()])> {
    let mut columns = line.split(' ');
    let name = columns.next()?;
    Some((name, [(); Arch::ALL.len()].map(|()| columns.next()?.parse().ok())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_calls_that_differ_everywhere() {
        let all = |call| Arch::ALL.map(|arch| arch.number(call));
        assert_eq!(
            all("execve"),
            [Some(59), Some(11), Some(X32_BIT + 520), Some(221), Some(11)]
        );
        assert_eq!(
            all("mseal"),
            [Some(462), Some(462), Some(X32_BIT + 462), Some(462), Some(462)]
        );
        assert_eq!(all("set_tls"), [None, None, None, None, Some(0xf_0005)]);
        assert_eq!(all("no_such_call"), [None; 5]);
    }

    #[test]
    fn every_row_is_whole() {
        let rows: Vec<&str> = TABLE.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(numbers().len(), rows.len());
        assert!(
            rows.iter()
                .all(|row| row.split(' ').count() == 1 + Arch::ALL.len())
        );
    }
}
