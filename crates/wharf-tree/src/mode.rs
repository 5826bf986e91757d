//! `--chmod`: octal and symbolic modes, as BuildKit reads them (BSD's `setmode`, without a umask).

use std::str::FromStr;

/// A change of permissions, parsed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModeChange(Change);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Change {
    Octal(u16),
    Symbolic(Vec<Action>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Action {
    Set(u16),
    Clear(u16),
    /// Set when the file is a directory, or had an execute bit before the whole change.
    SetExecute(u16),
    /// Copies three bits from the class that lies `from` bits up to the classes of `to`.
    Copy {
        from: u8,
        to: u16,
        op: u8,
    },
}

/// Text that is no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a mode (octal from 0 to 07777, or symbolic like u+x,go-w)")]
pub struct ModeError(pub String);

const SET_UID: u16 = 0o4000;
const SET_GID: u16 = 0o2000;
const STICKY: u16 = 0o1000;
const OTHERS: u16 = 0o007;
const READ: u16 = 0o444;
const WRITE: u16 = 0o222;
const EXECUTE: u16 = 0o111;
/// What `a` means: the sticky bit belongs to nobody.
const ALL: u16 = 0o6777;

impl FromStr for ModeChange {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, ModeError> {
        let error = || ModeError(text.to_owned());
        if text.starts_with(|first: char| first.is_ascii_digit()) {
            let mode = u16::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777);
            return mode.map(|mode| Self(Change::Octal(mode))).ok_or_else(error);
        }
        let mut actions = Vec::new();
        for clause in text.split(',') {
            parse_clause(clause.as_bytes(), &mut actions).ok_or_else(error)?;
        }
        Ok(Self(Change::Symbolic(actions)))
    }
}

impl ModeChange {
    /// The mode (twelve bits) that a file or directory of mode `mode` gets.
    pub fn apply(&self, mode: u16, is_dir: bool) -> u16 {
        match &self.0 {
            Change::Octal(octal) => *octal,
            Change::Symbolic(actions) => {
                let execute = is_dir || mode & EXECUTE != 0;
                actions
                    .iter()
                    .fold(mode, |mode, action| action.apply(mode, execute))
            }
        }
    }

    /// The mode, when it was octal: directories that have to be made get it too.
    pub const fn octal(&self) -> Option<u16> {
        match &self.0 {
            Change::Octal(mode) => Some(*mode),
            Change::Symbolic(_) => None,
        }
    }
}

impl Action {
    const fn apply(self, mode: u16, execute: bool) -> u16 {
        match self {
            Self::Set(bits) => mode | bits,
            Self::Clear(bits) => mode & !bits,
            Self::SetExecute(bits) if execute => mode | bits,
            Self::SetExecute(_) => mode,
            Self::Copy { from, to, op } => {
                // The three bits, once for each class.
                let copied = ((mode >> from & OTHERS) * 0o111) & to;
                match op {
                    b'+' => mode | copied,
                    b'-' => mode & !copied,
                    _ => mode & !(to & 0o777) | copied,
                }
            }
        }
    }
}

/// `[ugoa]*` and one or more of `[+-=][rwxXst|ugo]*`.
fn parse_clause(clause: &[u8], actions: &mut Vec<Action>) -> Option<()> {
    let start = clause.iter().position(|byte| !b"ugoa".contains(byte))?;
    let who = clause[..start]
        .iter()
        .fold(0, |who, class| who | class_bits(*class));
    let mut rest = &clause[start..];
    while let [op @ (b'+' | b'-' | b'='), after @ ..] = rest {
        let end = after
            .iter()
            .position(|byte| b"+-=".contains(byte))
            .unwrap_or(after.len());
        let mut operation = Operation {
            op: *op,
            who,
            bits: 0,
            execute: false,
            cleared: false,
            actions,
        };
        after[..end]
            .iter()
            .try_for_each(|letter| operation.letter(*letter))?;
        operation.finish();
        rest = &after[end..];
    }
    rest.is_empty().then_some(())
}

const fn class_bits(class: u8) -> u16 {
    match class {
        b'u' => SET_UID | 0o700,
        b'g' => SET_GID | 0o070,
        b'o' => OTHERS,
        _ => ALL,
    }
}

/// One operator and the letters after it.
struct Operation<'a> {
    op: u8,
    who: u16,
    bits: u16,
    execute: bool,
    /// Whether `=` has taken the old bits away.
    cleared: bool,
    actions: &'a mut Vec<Action>,
}

impl Operation<'_> {
    fn letter(&mut self, letter: u8) -> Option<()> {
        // The set-id and sticky bits are nothing to others.
        let only_others = self.who != 0 && self.who & !OTHERS == 0;
        match letter {
            b'r' => self.bits |= READ,
            b'w' => self.bits |= WRITE,
            b'x' => self.bits |= EXECUTE,
            b'X' => self.execute |= self.op == b'+',
            b's' if !only_others => self.bits |= SET_UID | SET_GID,
            // The reference narrows "nobody named" to the sticky bit alone here: `+xt` is `+t`.
            b't' if !only_others => (self.who, self.bits) = (self.who | STICKY, self.bits | STICKY),
            b's' | b't' => {}
            b'u' => self.copy(6),
            b'g' => self.copy(3),
            b'o' => self.copy(0),
            _ => return None,
        }
        Some(())
    }

    fn copy(&mut self, from: u8) {
        self.flush();
        self.cleared |= self.op == b'=';
        let to = if self.who == 0 { ALL } else { self.who } & 0o777;
        self.actions.push(Action::Copy {
            from,
            to,
            op: self.op,
        });
    }

    fn flush(&mut self) {
        let bits = if self.who == 0 {
            self.bits
        } else {
            self.bits & self.who
        };
        if self.bits != 0 {
            self.act(bits);
        }
        if self.execute {
            let bits = if self.who == 0 {
                EXECUTE
            } else {
                EXECUTE & self.who
            };
            self.actions.push(Action::SetExecute(bits));
        }
        (self.bits, self.execute) = (0, false);
    }

    fn act(&mut self, bits: u16) {
        if self.op == b'=' {
            let all = if self.who == 0 { ALL } else { self.who };
            self.actions.push(Action::Clear(all));
            self.cleared = true;
        }
        self.actions.push(if self.op == b'-' {
            Action::Clear(bits)
        } else {
            Action::Set(bits)
        });
    }

    fn finish(mut self) {
        if self.op == b'=' && self.bits == 0 && !self.cleared {
            self.act(0);
        }
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_modes() {
        for (text, mode, is_dir, expected) in [
            ("0421", 0o777, false, 0o421),
            ("7421", 0, true, 0o7421),
            ("=", 0o777, false, 0),
            ("+", 0o421, false, 0o421),
            ("+t", 0o421, false, 0o1421),
            ("+xt", 0o400, false, 0o1400),
            ("-t", 0o1421, false, 0o421),
            ("u+X", 0, false, 0),
            ("u+X", 0o001, false, 0o101),
            ("u+X", 0, true, 0o100),
            ("-X", 0o777, true, 0o777),
            ("u+s", 0, false, 0o4000),
            ("o+s", 0, false, 0),
            ("+s", 0, false, 0o6000),
            ("u=rw", 0o777, false, 0o677),
            ("u=", 0o4777, false, 0o077),
            ("=rw", 0o777, false, 0o666),
            ("a=rX", 0o755, true, 0o444),
            ("g=u", 0o740, false, 0o770),
            ("go-u", 0o576, false, 0o522),
            ("o+g", 0o050, false, 0o055),
            ("u+x,go-w", 0o666, false, 0o744),
            ("u+x-r", 0o600, false, 0o300),
            ("g=u=o", 0o754, false, 0o744),
            ("=u", 0o700, false, 0o777),
        ] {
            let change: ModeChange = text.parse().unwrap();
            assert_eq!(
                format!("{:o}", change.apply(mode, is_dir)),
                format!("{expected:o}"),
                "{text} on {mode:o}"
            );
        }
    }

    #[test]
    fn refuses_what_is_no_mode() {
        for text in [
            "", ",", "q+r", "10000", "9", "z", "u", "go", "u+x,", "u+q", "+755", "0o755", "-1", "u+x go",
        ] {
            assert_eq!(text.parse::<ModeChange>(), Err(ModeError(text.into())));
        }
    }
}
