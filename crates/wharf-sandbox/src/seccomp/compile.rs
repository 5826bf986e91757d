//! Rules → BPF: a binary search over call numbers for each audit architecture, tests of arguments at its leaves.
//!
//! The search keeps the cost of a filter low twice: for each call, and when it is installed, since the kernel then runs it once
//! for every number to learn which calls are always let through.

use std::collections::BTreeMap;

use super::{
    Arch, ProfileError, Program,
    bpf::{AND, IF_AT_LEAST, IF_EQUAL, IF_GREATER, Instruction, LOAD, RETURN, branch, either},
    rule::{Action, Condition, Filter, Rule, Test},
};

/// The kernel's limit (`BPF_MAXINSNS`).
const MOST: usize = 4096;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

/// What a call that the profile could not know fails with, so that programs fall back to older calls (as runc does).
const ENOSYS: Action = Action::errno(38);

pub(crate) fn compile(filter: &Filter) -> Result<Program, ProfileError> {
    let mut code = vec![Instruction::plain(RETURN, Action::KILL_PROCESS.0)];
    for audit in audits(filter) {
        let arches: Vec<Arch> = filter
            .arches
            .iter()
            .copied()
            .filter(|arch| arch.audit() == audit)
            .collect();
        let mut calls = vec![Instruction::plain(LOAD, NUMBER)];
        calls.extend(search(&intervals(filter, &arches)));
        code = either(IF_EQUAL, audit, calls, code);
    }
    code.insert(0, Instruction::plain(LOAD, ARCH));
    match code.len() {
        0..=MOST => Ok(Program(code)),
        length => Err(ProfileError::TooLong(length)),
    }
}

/// The audit architectures; the first is tested last, so the list is turned: the native one comes first in the program.
fn audits(filter: &Filter) -> Vec<u32> {
    let mut audits: Vec<u32> = Vec::new();
    for arch in &filter.arches {
        if !audits.contains(&arch.audit()) {
            audits.push(arch.audit());
        }
    }
    audits.reverse();
    audits
}

/// What to do from a call number on, up to the next one's.
#[derive(Debug, Clone, PartialEq)]
struct Interval {
    from: u32,
    leaf: Vec<Instruction>,
}

/// The whole range of numbers of one audit architecture, cut where what is to be done changes.
fn intervals(filter: &Filter, arches: &[Arch]) -> Vec<Interval> {
    let mut cuts: BTreeMap<u32, Vec<Instruction>> = BTreeMap::new();
    if arches.contains(&Arch::X86_64) {
        cuts.insert(Arch::X32.base(), answer(Action::KILL_PROCESS));
    }
    for arch in arches {
        cut(&mut cuts, filter, *arch);
    }
    let mut intervals: Vec<Interval> = cuts
        .into_iter()
        .map(|(from, leaf)| Interval { from, leaf })
        .collect();
    intervals.dedup_by(|next, before| next.leaf == before.leaf);
    intervals
}

/// 32-bit ARM's private calls begin here, far above all others.
const ARM_PRIVATE: u32 = 0xf_0000;

fn cut(cuts: &mut BTreeMap<u32, Vec<Instruction>>, filter: &Filter, arch: Arch) {
    let leaves = leaves(filter, arch);
    let ordinary = leaves
        .keys()
        .filter(|number| **number < arch.base() + ARM_PRIVATE);
    let last = ordinary.max().copied();
    cuts.insert(arch.base(), answer(filter.default));
    for (number, leaf) in leaves {
        let gap = if Some(number) >= last {
            beyond(filter.default)
        } else {
            filter.default
        };
        cuts.entry(number + 1).or_insert_with(|| answer(gap));
        cuts.insert(number, leaf);
    }
}

/// What happens to calls newer than every call that the profile names.
fn beyond(default: Action) -> Action {
    if default == Action::ALLOW || default == Action::LOG {
        default
    } else {
        ENOSYS
    }
}

/// What happens to each call that a rule names.
fn leaves(filter: &Filter, arch: Arch) -> BTreeMap<u32, Vec<Instruction>> {
    let mut rules: BTreeMap<u32, Vec<&Rule>> = BTreeMap::new();
    for rule in &filter.rules {
        for number in rule.calls.iter().filter_map(|call| arch.number(call)) {
            rules.entry(number).or_default().push(rule);
        }
    }
    rules
        .into_iter()
        .map(|(number, rules)| (number, leaf(&rules, filter.default)))
        .collect()
}

fn leaf(rules: &[&Rule], default: Action) -> Vec<Instruction> {
    let (always, sometimes): (Vec<&Rule>, Vec<&Rule>) =
        rules.iter().partition(|rule| rule.conditions.is_empty());
    let last = always.first().map_or(default, |rule| rule.action);
    let mut code: Vec<Instruction> = sometimes.iter().flat_map(|rule| guarded(rule)).collect();
    code.extend(answer(last));
    code
}

fn answer(action: Action) -> Vec<Instruction> {
    vec![Instruction::plain(RETURN, action.0)]
}

/// Code that answers when all conditions hold, and runs off its end otherwise.
fn guarded(rule: &Rule) -> Vec<Instruction> {
    let mut code = answer(rule.action);
    for condition in rule.conditions.iter().rev() {
        code = guard(condition, code);
    }
    code
}

/// Code that runs `inner` when the condition holds, and otherwise passes over it.
fn guard(condition: &Condition, inner: Vec<Instruction>) -> Vec<Instruction> {
    let low = ARGUMENTS + 8 * u32::from(condition.argument);
    let words = Words { low, high: low + 4 };
    match condition.test {
        Test::Equal(value) => words.masked(u64::MAX, value, inner),
        Test::Masked { mask, value } => words.masked(mask, value, inner),
        Test::NotEqual(value) => words.different(value, inner),
        Test::Greater(value) => words.above(IF_GREATER, value, inner),
        Test::AtLeast(value) => words.above(IF_AT_LEAST, value, inner),
        Test::Less(value) => words.below(IF_AT_LEAST, value, inner),
        Test::AtMost(value) => words.below(IF_GREATER, value, inner),
    }
}

/// Where the two halves of an argument lie; all architectures here are little-endian.
struct Words {
    low: u32,
    high: u32,
}

fn high(value: u64) -> u32 {
    (value >> 32) as u32
}

impl Words {
    fn masked(&self, mask: u64, value: u64, inner: Vec<Instruction>) -> Vec<Instruction> {
        let low = test(self.low, mask as u32, value as u32, inner);
        test(self.high, high(mask), high(value), low)
    }

    /// Runs `inner` unless both halves are equal to `value`'s.
    fn different(&self, value: u64, inner: Vec<Instruction>) -> Vec<Instruction> {
        let length = inner.len() as u8;
        let mut code = vec![
            Instruction::plain(LOAD, self.high),
            jump(IF_EQUAL, high(value), 0, 2),
            Instruction::plain(LOAD, self.low),
            jump(IF_EQUAL, value as u32, length, 0),
        ];
        code.extend(inner);
        code
    }

    /// Runs `inner` when the upper half is greater, or equal and the lower half passes `lower`.
    fn above(&self, lower: u16, value: u64, inner: Vec<Instruction>) -> Vec<Instruction> {
        let length = inner.len() as u8;
        let mut code = vec![
            Instruction::plain(LOAD, self.high),
            jump(IF_GREATER, high(value), 3, 0),
            jump(IF_EQUAL, high(value), 0, length + 2),
            Instruction::plain(LOAD, self.low),
            jump(lower, value as u32, 0, length),
        ];
        code.extend(inner);
        code
    }

    /// Runs `inner` unless the upper half is greater, or equal and the lower half passes `lower`.
    fn below(&self, lower: u16, value: u64, inner: Vec<Instruction>) -> Vec<Instruction> {
        let length = inner.len() as u8;
        let mut code = vec![
            Instruction::plain(LOAD, self.high),
            jump(IF_GREATER, high(value), length + 3, 0),
            jump(IF_EQUAL, high(value), 0, 2),
            Instruction::plain(LOAD, self.low),
            jump(lower, value as u32, length, 0),
        ];
        code.extend(inner);
        code
    }
}

fn jump(code: u16, operand: u32, when: u8, otherwise: u8) -> Instruction {
    Instruction {
        code,
        when,
        otherwise,
        operand,
    }
}

/// Runs `inner` when the word at `offset`, masked, is `value`. At most six conditions of seven instructions nest: all jumps fit.
fn test(offset: u32, mask: u32, value: u32, inner: Vec<Instruction>) -> Vec<Instruction> {
    let mut code = vec![Instruction::plain(LOAD, offset)];
    if mask != u32::MAX {
        code.push(Instruction::plain(AND, mask));
    }
    code.push(jump(IF_EQUAL, value, 0, inner.len() as u8));
    code.extend(inner);
    code
}

/// A binary search for the interval that A lies in.
fn search(intervals: &[Interval]) -> Vec<Instruction> {
    if let [only] = intervals {
        return only.leaf.clone();
    }
    let (low, high) = intervals.split_at(intervals.len() / 2);
    branch(high[0].from, search(low), search(high))
}
