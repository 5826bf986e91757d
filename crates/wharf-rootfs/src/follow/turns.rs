//! Who asks in turns, and when somebody looks where the asker is.

/// When somebody looks where the askers are: when another one asks, often after one has moved, then so that looking costs a fraction of what
/// it saves.
#[derive(Debug)]
pub(super) struct Turns {
    asker: u32,
    /// Whether several asked in turns in the last round.
    pub(super) several: bool,
    /// How often another thread asked than before, in this round.
    changes: u32,
    /// Requests to come in this round.
    left: u32,
    /// Requests of the whole round.
    round: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// What was found the last time is believed.
    Stay,
    /// Somebody looks where the asker is.
    Look,
    /// There is no one to follow.
    Leave,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            asker: 0,
            several: false,
            changes: 0,
            left: Self::SHORTEST_ROUND,
            round: Self::SHORTEST_ROUND,
        }
    }
}

impl Turns {
    const SHORTEST_ROUND: u32 = 2;
    const LONGEST_ROUND: u32 = 16;

    pub(super) fn asked_by(&mut self, thread: u32) -> Turn {
        let other = thread != self.asker;
        self.asker = thread;
        self.changes += u32::from(other);
        self.left -= 1;
        if self.left > 0 {
            return if other && !self.several {
                Turn::Look
            } else {
                Turn::Stay
            };
        }
        // One process after the other asks at least four times each.
        self.several = self.changes > self.round.div_ceil(4);
        self.begin((self.round + 1).min(Self::LONGEST_ROUND));
        if self.several { Turn::Leave } else { Turn::Look }
    }

    /// Somebody looked, and the asker was elsewhere than the last one. Between two who are in different places that means nothing.
    pub(super) const fn moved(&mut self) {
        if self.changes == 0 {
            self.begin(Self::SHORTEST_ROUND);
        }
    }

    const fn begin(&mut self, round: u32) {
        self.changes = 0;
        self.round = round;
        self.left = round;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of requests by the threads of these numbers, each in a place of its own.
    fn turns(askers: impl IntoIterator<Item = u32>) -> String {
        let mut turns = Turns::default();
        let mut place = 0;
        let mut turn = |asker| match turns.asked_by(asker) {
            Turn::Stay => '.',
            Turn::Look => {
                if std::mem::replace(&mut place, asker) != asker {
                    turns.moved();
                }
                'L'
            }
            Turn::Leave => 'x',
        };
        askers.into_iter().map(&mut turn).collect()
    }

    #[test]
    fn looks_often_at_first() {
        assert_eq!(turns([7; 27]), "LL..L...L....L.....L......L");
        assert!(
            turns([7; 279]).ends_with("L...............L"),
            "then each sixteenth time"
        );
    }

    #[test]
    fn looks_often_after_a_move() {
        let mut turns = Turns::default();
        (0..279).for_each(|_| _ = turns.asked_by(7));
        turns.moved();
        let next = [(); 5].map(|()| turns.asked_by(7));
        let (stay, look) = (Turn::Stay, Turn::Look);
        assert_eq!(next, [stay, look, stay, stay, look]);
    }

    #[test]
    fn leaves_when_several_ask_in_turns() {
        assert_eq!(turns([1, 2].repeat(10)), "Lx..x...x....x.....x");
        let one_after_the_other = (0..30).map(|number| 1 + number / 5);
        assert_eq!(turns(one_after_the_other), "LL..LL..L.L..L.L...LL....LL...");
    }
}
