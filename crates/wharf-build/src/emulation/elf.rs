//! Programs for each processor: what their files begin with, and one that does nothing but end, to be tried.
//!
//! System V ABI, "Object Files"; numbers of system calls from the kernel's tables.

/// A processor architecture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Architecture {
    /// In Go's words.
    pub(super) name: &'static str,
    /// In QEMU's.
    pub(super) qemu: &'static str,
    wide: bool,
    big_endian: bool,
    /// `e_machine`.
    machine: u16,
    /// `e_flags` that programs have.
    flags: u32,
    /// `exit(0)`, in the order of the bytes in memory.
    exit: &'static [u8],
}

/// Every architecture that images are commonly made for.
const ARCHITECTURES: &[Architecture] = &[
    Architecture {
        name: "386",
        qemu: "i386",
        wide: false,
        big_endian: false,
        machine: 3,
        flags: 0,
        // mov eax, 1; xor ebx, ebx; int 0x80
        exit: &[0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80],
    },
    Architecture {
        name: "amd64",
        qemu: "x86_64",
        wide: true,
        big_endian: false,
        machine: 62,
        flags: 0,
        // mov eax, 60; xor edi, edi; syscall
        exit: &[0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05],
    },
    Architecture {
        name: "arm",
        qemu: "arm",
        wide: false,
        big_endian: false,
        machine: 40,
        flags: 0x0500_0000,
        // mov r0, 0; mov r7, 1; svc 0
        exit: &[0, 0, 0xa0, 0xe3, 1, 0x70, 0xa0, 0xe3, 0, 0, 0, 0xef],
    },
    Architecture {
        name: "arm64",
        qemu: "aarch64",
        wide: true,
        big_endian: false,
        machine: 183,
        flags: 0,
        // mov x0, 0; mov x8, 93; svc 0
        exit: &[0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 1, 0, 0, 0xd4],
    },
    Architecture {
        name: "loong64",
        qemu: "loongarch64",
        wide: true,
        big_endian: false,
        machine: 258,
        flags: 0x43,
        // addi.w a0, zero, 0; addi.w a7, zero, 93; syscall 0
        exit: &[4, 0, 0x80, 0x02, 0x0b, 0x74, 0x81, 0x02, 0, 0, 0x2b, 0],
    },
    Architecture {
        name: "mips64",
        qemu: "mips64",
        wide: true,
        big_endian: true,
        machine: 8,
        flags: 0x8000_0007,
        // addiu a0, zero, 0; addiu v0, zero, 5058; syscall
        exit: &[0x24, 4, 0, 0, 0x24, 2, 0x13, 0xc2, 0, 0, 0, 0x0c],
    },
    Architecture {
        name: "mips64le",
        qemu: "mips64el",
        wide: true,
        big_endian: false,
        machine: 8,
        flags: 0x8000_0007,
        exit: &[0, 0, 4, 0x24, 0xc2, 0x13, 2, 0x24, 0x0c, 0, 0, 0],
    },
    Architecture {
        name: "ppc64le",
        qemu: "ppc64le",
        wide: true,
        big_endian: false,
        machine: 21,
        flags: 2,
        // li r0, 1; li r3, 0; sc
        exit: &[1, 0, 0, 0x38, 0, 0, 0x60, 0x38, 2, 0, 0, 0x44],
    },
    Architecture {
        name: "riscv64",
        qemu: "riscv64",
        wide: true,
        big_endian: false,
        machine: 243,
        flags: 4,
        // li a0, 0; li a7, 93; ecall
        exit: &[0x13, 5, 0, 0, 0x93, 8, 0xd0, 5, 0x73, 0, 0, 0],
    },
    Architecture {
        name: "s390x",
        qemu: "s390x",
        wide: true,
        big_endian: true,
        machine: 22,
        flags: 0,
        // lghi r2, 0; svc 1
        exit: &[0xa7, 0x29, 0, 0, 0x0a, 1],
    },
];

/// Where the program is put in memory: above what the kernel lets nobody map, and at a multiple of every page size.
const ADDRESS: u64 = 0x1_0000;

/// The architectures that can be tried and emulated.
pub(super) fn architectures() -> impl Iterator<Item = &'static Architecture> {
    ARCHITECTURES.iter()
}

impl Architecture {
    /// The first bytes of every program and library, as far as the machine.
    pub(super) fn magic(&self) -> Vec<u8> {
        let mut magic = vec![
            0x7f,
            b'E',
            b'L',
            b'F',
            self.class(),
            1 + u8::from(self.big_endian),
            1,
            0,
        ];
        magic.extend([0; 8]);
        magic.extend(self.half(2));
        magic.extend(self.half(self.machine));
        magic
    }

    /// The bits of the magic that count: those of the system's ABI do not, and a library that can be executed is a program too.
    pub(super) fn mask(&self) -> Vec<u8> {
        let mut mask = vec![0xff; 20];
        mask[7] = 0;
        mask[if self.big_endian { 17 } else { 16 }] = 0xfe;
        mask
    }

    /// A program that ends with code 0.
    pub(super) fn program(&self) -> Vec<u8> {
        let (header, segment) = if self.wide { (64, 56) } else { (52, 32) };
        let length = u64::from(header + segment) + self.exit.len() as u64;
        let mut program = self.magic();
        program.extend(self.word(1));
        program.extend(self.address(ADDRESS + u64::from(header + segment)));
        program.extend(self.address(header.into()));
        program.extend(self.address(0));
        program.extend(self.word(self.flags));
        for half in [header, segment, 1, 0, 0, 0] {
            program.extend(self.half(half));
        }
        program.extend(self.segment(length));
        program.extend(self.exit);
        program
    }

    /// The whole file, to be read and executed. Where the flags stand differs.
    fn segment(&self, length: u64) -> Vec<u8> {
        let (load, read_and_execute) = (self.word(1), self.word(5));
        let sizes = [0, ADDRESS, ADDRESS, length, length].map(|number| self.address(number));
        let align = self.address(ADDRESS);
        if self.wide {
            [load, read_and_execute, sizes.concat(), align].concat()
        } else {
            [load, sizes.concat(), read_and_execute, align].concat()
        }
    }

    const fn class(&self) -> u8 {
        if self.wide { 2 } else { 1 }
    }

    fn half(&self, number: u16) -> Vec<u8> {
        self.ordered(&number.to_le_bytes())
    }

    fn word(&self, number: u32) -> Vec<u8> {
        self.ordered(&number.to_le_bytes())
    }

    fn address(&self, number: u64) -> Vec<u8> {
        let size = if self.wide { 8 } else { 4 };
        self.ordered(&number.to_le_bytes()[..size])
    }

    fn ordered(&self, little: &[u8]) -> Vec<u8> {
        let mut bytes = little.to_vec();
        if self.big_endian {
            bytes.reverse();
        }
        bytes
    }
}

/// Whether a file is a program that needs no other file: an ELF file without `PT_INTERP`.
pub(super) fn is_static(head: &[u8]) -> bool {
    const PT_INTERP: u32 = 3;
    let number = |at: usize, size: usize| -> Option<u64> {
        let bytes = head.get(at..at + size)?;
        let mut all = [0; 8];
        all[..size].copy_from_slice(bytes);
        Some(u64::from_le_bytes(all))
    };
    // The emulators of machines that wharf runs on are 64 bits wide and little-endian.
    if !head.starts_with(&[0x7f, b'E', b'L', b'F', 2, 1]) {
        return false;
    }
    let (Some(start), Some(size), Some(count)) = (number(32, 8), number(54, 2), number(56, 2)) else {
        return false;
    };
    (0..count).all(|index| {
        let place = usize::try_from(start.saturating_add(index * size)).unwrap_or(usize::MAX - 4);
        number(place, 4).is_some_and(|kind| kind != u64::from(PT_INTERP))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_have_the_headers_of_their_class() {
        for architecture in architectures() {
            let program = architecture.program();
            assert!(
                program.starts_with(&architecture.magic()),
                "{}",
                architecture.name
            );
            assert_eq!(architecture.magic().len(), architecture.mask().len());
            let headers = program.len() - architecture.exit.len();
            assert_eq!(
                headers,
                if architecture.wide { 120 } else { 84 },
                "{}",
                architecture.name
            );
        }
    }

    #[test]
    fn our_own_program_is_static_and_a_text_is_not() {
        assert!(is_static(&ARCHITECTURES[1].program()));
        assert!(!is_static(b"#!/bin/sh\n") && !is_static(b"\x7fELF\x02\x01"));
    }
}
