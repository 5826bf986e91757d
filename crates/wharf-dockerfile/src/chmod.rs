//! `--chmod`: octal and symbolic file modes.
//!
//! The symbolic form is that of BSD's `setmode(3)` with an umask of 0, as in the reference implementation: `u=rwX,go=rX`,
//! `+x`, `g=u-w`.

use std::str::FromStr;

/// A mode, absolute or as changes to the mode that a file has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FileMode {
    /// These permission bits, at most 07777.
    Absolute(u32),
    /// These changes, one after the other.
    Symbolic(Vec<ModeChange>),
}

/// One change of a symbolic mode. All masks are permission bits (07777).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModeChange {
    /// Sets bits.
    Set(u32),
    /// Clears bits.
    Clear(u32),
    /// Sets execute bits if it is a directory or was executable by anyone.
    SetIfExecutable(u32),
    /// Copies the bits of one class (`u`, `g` or `o`) to others.
    CopyClass {
        /// How far the class's bits stand from the lowest three.
        from: u32,
        /// The bits that may change, of the classes that take part.
        to: u32,
        /// Clear what is set in the class (`-`), all bits (`=`), or nothing (`+`) before.
        clear: ClassClear,
        /// Set what is set in the class.
        set: bool,
    },
}

/// What a copy of a class clears first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClassClear {
    /// Nothing.
    Nothing,
    /// The bits that are set in the class.
    Copied,
    /// All three bits.
    All,
}

/// A text that is no mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum FileModeError {
    #[error("invalid chmod parameter: '{0}': it should be octal and between 0 and 07777")]
    NotOctal(String),
    #[error("invalid chmod parameter: '{0}': it is neither octal nor of the form [ugoa][-+=][rwxXst],…")]
    NotSymbolic(String),
}

const USER: u32 = 0o4700;
const GROUP: u32 = 0o2070;
const OTHER: u32 = 0o0007;
const ALL: u32 = USER | GROUP | OTHER;
const STICKY: u32 = 0o1000;
const SET_IDS: u32 = 0o6000;
const READ: u32 = 0o444;
const WRITE: u32 = 0o222;
const EXECUTE: u32 = 0o111;

impl FileMode {
    /// The mode of a file whose mode was `mode`. Only permission bits (07777) count and come out.
    #[must_use]
    pub fn apply(&self, mode: u32, is_directory: bool) -> u32 {
        let old = mode & 0o7777;
        match self {
            Self::Absolute(mode) => *mode,
            Self::Symbolic(changes) => {
                let executable = is_directory || old & EXECUTE != 0;
                changes
                    .iter()
                    .fold(old, |mode, change| change.apply(mode, executable))
            }
        }
    }
}

impl ModeChange {
    fn apply(self, mode: u32, executable: bool) -> u32 {
        match self {
            Self::Set(bits) => mode | bits,
            Self::Clear(bits) => mode & !bits,
            Self::SetIfExecutable(bits) if executable => mode | bits,
            Self::SetIfExecutable(_) => mode,
            Self::CopyClass { from, to, clear, set } => {
                let copied = spread(mode >> from & 0o7) & to;
                let cleared = match clear {
                    ClassClear::Nothing => 0,
                    ClassClear::Copied => copied,
                    ClassClear::All => 0o777 & to,
                };
                mode & !cleared | if set { copied } else { 0 }
            }
        }
    }
}

/// Three bits for each of the three classes.
const fn spread(bits: u32) -> u32 {
    bits << 6 | bits << 3 | bits
}

impl FromStr for FileMode {
    type Err = FileModeError;

    fn from_str(text: &str) -> Result<Self, FileModeError> {
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            let octal = text.chars().all(|c| c.is_digit(8));
            let mode = if octal {
                u32::from_str_radix(text, 8).ok()
            } else {
                None
            };
            return match mode.filter(|mode| *mode <= 0o7777) {
                Some(mode) => Ok(Self::Absolute(mode)),
                None => Err(FileModeError::NotOctal(text.to_owned())),
            };
        }
        let mut changes = Vec::new();
        for clause in text.split(',') {
            parse_clause(clause, &mut changes).ok_or_else(|| FileModeError::NotSymbolic(text.to_owned()))?;
        }
        Ok(Self::Symbolic(changes))
    }
}

/// `[ugoa]*` and one or more operators with their permissions.
fn parse_clause(clause: &str, changes: &mut Vec<ModeChange>) -> Option<()> {
    let who_end = clause
        .find(|c| !matches!(c, 'u' | 'g' | 'o' | 'a'))
        .unwrap_or(clause.len());
    let (who, mut rest) = clause.split_at(who_end);
    let who = who.chars().fold(0, |bits, c| bits | class(c));
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let mut chars = rest.chars();
        let operator = chars.next().filter(|c| matches!(c, '+' | '-' | '='))?;
        let tail = chars.as_str();
        let end = tail.find(['+', '-', '=']).unwrap_or(tail.len());
        let (permissions, tail) = tail.split_at(end);
        Action {
            operator,
            who,
            changes,
        }
        .parse(permissions)?;
        rest = tail;
    }
    Some(())
}

fn class(c: char) -> u32 {
    match c {
        'u' => USER,
        'g' => GROUP,
        'o' => OTHER,
        _ => ALL,
    }
}

/// An operator and the classes it is for.
struct Action<'a> {
    operator: char,
    /// 0: nobody was named, which means everybody.
    who: u32,
    changes: &'a mut Vec<ModeChange>,
}

impl Action<'_> {
    fn parse(mut self, permissions: &str) -> Option<()> {
        let mut bits = 0;
        let mut execute_if = 0;
        // After a copy of a class with `=`, an empty list of permissions no longer clears.
        let mut assigned = false;
        // Set-id and sticky bits are not for others.
        let special = self.who == 0 || self.who & !OTHER != 0;
        for c in permissions.chars() {
            match c {
                'r' => bits |= READ,
                'w' => bits |= WRITE,
                'x' => bits |= EXECUTE,
                'X' if self.operator == '-' => bits |= EXECUTE,
                'X' => execute_if = EXECUTE,
                's' if special => bits |= SET_IDS,
                't' if special => {
                    self.who |= STICKY;
                    bits |= STICKY;
                }
                's' | 't' => {}
                'u' | 'g' | 'o' => {
                    self.finish(&mut bits, &mut execute_if, true);
                    self.copy_class(c);
                    assigned = true;
                }
                _ => return None,
            }
        }
        self.finish(&mut bits, &mut execute_if, assigned);
        Some(())
    }

    /// Adds the changes for the permissions read so far.
    fn finish(&mut self, bits: &mut u32, execute_if: &mut u32, assigned: bool) {
        let bits = std::mem::take(bits);
        let execute_if = std::mem::take(execute_if);
        let mask = if self.who == 0 { 0o7777 } else { self.who };
        let everyone = if self.who == 0 { ALL } else { self.who };
        if bits != 0 || self.operator == '=' && !assigned {
            match self.operator {
                '-' => self.changes.push(ModeChange::Clear(mask & bits)),
                '+' => self.changes.push(ModeChange::Set(mask & bits)),
                _ => self
                    .changes
                    .extend([ModeChange::Clear(everyone), ModeChange::Set(mask & bits)]),
            }
        }
        if execute_if != 0 {
            self.changes.push(ModeChange::SetIfExecutable(mask & execute_if));
        }
    }

    fn copy_class(&mut self, class: char) {
        let from = match class {
            'u' => 6,
            'g' => 3,
            _ => 0,
        };
        let to = if self.who == 0 { 0o777 } else { self.who & 0o777 };
        let (clear, set) = match self.operator {
            '+' => (ClassClear::Nothing, true),
            '-' => (ClassClear::Copied, false),
            _ => (ClassClear::All, true),
        };
        self.changes.push(ModeChange::CopyClass { from, to, clear, set });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, before: u32, is_directory: bool, expected: u32) {
        let mode: FileMode = text.parse().unwrap();
        assert_eq!(mode.apply(before, is_directory), expected, "{text} of {before:o}");
    }

    #[test]
    fn octal_modes_replace() {
        check("644", 0o755, false, 0o644);
        check("04755", 0, false, 0o4755);
        check("7777", 0, false, 0o7777);
    }

    #[test]
    fn symbolic_modes_change() {
        check("go-w", 0o666, false, 0o644);
        check("+x", 0o644, false, 0o755);
        check("=rw,+X", 0o755, false, 0o777);
        check("=rw,+X", 0o644, false, 0o666);
        check("=rw,+X", 0o600, true, 0o777);
        check("u=rwx,go=rx", 0o600, false, 0o755);
        check("u=rwx,go=u-w", 0o600, false, 0o755);
        check("u=rwX,go=rX", 0o600, false, 0o644);
        check("u=rwX,go=rX", 0o700, false, 0o755);
        check("u=rwX,go=rX", 0o600, true, 0o755);
        check("a-X", 0o755, false, 0o644);
        check("go=", 0o777, false, 0o700);
        check("g=u-w", 0o750, false, 0o750);
        check("g+u", 0o640, false, 0o660);
        check("o-g", 0o777, false, 0o770);
        check("u+s", 0o755, false, 0o4755);
        check("g+s,+t", 0o755, true, 0o3755);
        check("o+s", 0o755, false, 0o755);
        check("a=r", 0o4755, false, 0o444);
        check("u+r+w-x", 0o100, false, 0o600);
        check("u+", 0o644, false, 0o644);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "", "8", "644x", "0o644", "10000", "u", "u+x,", "x", "u~x", "u+é", "é", "rwx", "-1",
        ] {
            assert!(text.parse::<FileMode>().is_err(), "{text}");
        }
    }
}
