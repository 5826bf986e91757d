//! Steps that could start now, in two lines: what waits for the world, and what works here.

use std::{collections::BinaryHeap, time::Duration};

use wharf_graph::{Op, Step, StepId};

use crate::solve::Limits;

/// Which limit a step falls under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Sources: mostly waiting for a network or a disk.
    Sources,
    /// Everything else.
    Steps,
}

impl Lane {
    pub(crate) const fn of(step: &Step) -> Self {
        match step.op {
            Op::Source(_) => Self::Sources,
            _ => Self::Steps,
        }
    }
}

/// The longest way to the end first; among equals the first in the graph.
type Line = BinaryHeap<(Duration, std::cmp::Reverse<StepId>)>;

/// The steps that could start, and how many may.
pub(crate) struct Queue {
    lines: [Line; 2],
    free: [usize; 2],
}

impl Queue {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            lines: [Line::new(), Line::new()],
            free: [limits.sources.get(), limits.steps.get()],
        }
    }

    pub(crate) fn push(&mut self, lane: Lane, step: StepId, remaining: Duration) {
        self.lines[lane as usize].push((remaining, std::cmp::Reverse(step)));
    }

    /// A step that may start now; it takes a place in its lane.
    pub(crate) fn pop(&mut self) -> Option<StepId> {
        let lane = (0..2)
            .filter(|lane| self.free[*lane] > 0)
            .max_by_key(|lane| self.lines[*lane].peek())?;
        let (_, std::cmp::Reverse(step)) = self.lines[lane].pop()?;
        self.free[lane] -= 1;
        Some(step)
    }

    /// How many steps could start now.
    pub(crate) fn startable(&self) -> usize {
        (0..2)
            .map(|lane| self.lines[lane].len().min(self.free[lane]))
            .sum()
    }

    /// Gives a place back.
    pub(crate) fn release(&mut self, lane: Lane) {
        self.free[lane as usize] += 1;
    }

    pub(crate) fn clear(&mut self) {
        self.lines.iter_mut().for_each(BinaryHeap::clear);
    }
}
