//! Classic BPF: instructions over `struct seccomp_data`, and code with two ways out.

/// A filter program, ready for the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program(pub(crate) Vec<Instruction>);

impl Program {
    /// As `struct sock_filter` lies in memory, one after another.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().copied().flat_map(Instruction::to_bytes).collect()
    }

    /// How many instructions.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One instruction, as `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    /// Instructions to pass over when a jump's condition holds.
    pub(crate) when: u8,
    /// Instructions to pass over when it does not.
    pub(crate) otherwise: u8,
    pub(crate) operand: u32,
}

/// `A = *(u32 *)(data + k)`
pub(crate) const LOAD: u16 = 0x20;
/// `A &= k`
pub(crate) const AND: u16 = 0x54;
/// Passes over k instructions.
pub(crate) const JUMP: u16 = 0x05;
/// `A == k`
pub(crate) const IF_EQUAL: u16 = 0x15;
/// `A > k`, unsigned
pub(crate) const IF_GREATER: u16 = 0x25;
/// `A >= k`, unsigned
pub(crate) const IF_AT_LEAST: u16 = 0x35;
/// The answer is k.
pub(crate) const RETURN: u16 = 0x06;

impl Instruction {
    pub(crate) const fn plain(code: u16, operand: u32) -> Self {
        Self {
            code,
            when: 0,
            otherwise: 0,
            operand,
        }
    }

    fn to_bytes(self) -> [u8; 8] {
        let code = self.code.to_ne_bytes();
        let operand = self.operand.to_ne_bytes();
        [
            code[0],
            code[1],
            self.when,
            self.otherwise,
            operand[0],
            operand[1],
            operand[2],
            operand[3],
        ]
    }
}

/// Code that goes to `high` when A ≥ `pivot` and to `low` otherwise; neither may run off its end.
pub(crate) fn branch(pivot: u32, low: Vec<Instruction>, high: Vec<Instruction>) -> Vec<Instruction> {
    either(IF_AT_LEAST, pivot, high, low)
}

/// Code that goes to `then` when the test holds and to `or` otherwise; `or` may not run off its end.
pub(crate) fn either(
    code: u16,
    operand: u32,
    then: Vec<Instruction>,
    or: Vec<Instruction>,
) -> Vec<Instruction> {
    let mut program = match u8::try_from(or.len()) {
        Ok(distance) => vec![Instruction {
            code,
            when: distance,
            otherwise: 0,
            operand,
        }],
        // A conditional jump reaches 255 instructions; beyond that it passes over an unconditional one.
        Err(_) => vec![
            Instruction {
                code,
                when: 0,
                otherwise: 1,
                operand,
            },
            Instruction::plain(JUMP, or.len() as u32),
        ],
    };
    program.extend(or);
    program.extend(then);
    program
}
