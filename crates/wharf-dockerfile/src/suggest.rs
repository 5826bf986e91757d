//! "Did you mean …": the nearest of a list of names.

/// Whether case counts when names are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// `a` and `A` differ.
    Significant,
    /// They do not; the suggestion takes the case of what was written.
    Ignored,
}

/// At more than this many edits a suggestion puzzles more than it helps.
const MAX_DISTANCE: usize = 2;

/// The option nearest to `value`, if it is near enough. None if `value` is itself an option: then something else is wrong.
pub fn nearest<'a>(value: &str, options: impl IntoIterator<Item = &'a str>, case: Case) -> Option<String> {
    let fold = |text: &str| match case {
        Case::Significant => text.to_owned(),
        Case::Ignored => text.to_lowercase(),
    };
    let wanted: Vec<char> = fold(value).chars().collect();
    let mut best: Option<(usize, String)> = None;
    for option in options {
        let option = fold(option);
        let distance = edit_distance(&wanted, &option);
        if distance == 0 {
            return None;
        }
        if distance < best.as_ref().map_or(MAX_DISTANCE + 1, |(least, _)| *least) {
            best = Some((distance, option));
        }
    }
    best.map(|(_, option)| {
        if case == Case::Ignored {
            like(&option, value)
        } else {
            option
        }
    })
}

/// `option` in the case of `written`, where that is all upper or lower case.
fn like(option: &str, written: &str) -> String {
    if written == written.to_lowercase() {
        option.to_lowercase()
    } else if written == written.to_uppercase() {
        option.to_uppercase()
    } else {
        option.to_owned()
    }
}

/// The number of insertions, deletions and replacements of characters between two words (Levenshtein).
fn edit_distance(a: &[char], b: &str) -> usize {
    let mut row: Vec<usize> = (0..=a.len()).collect();
    for (i, b_char) in b.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &a_char) in a.iter().enumerate() {
            let replaced = diagonal + usize::from(a_char != b_char);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[a.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_is_near() {
        let cases = [
            ("bilder", Case::Significant, Some("builder")),
            ("bulder", Case::Ignored, Some("builder")),
            ("BULDER", Case::Ignored, Some("BUILDER")),
            ("runtime", Case::Significant, None),
            ("builder", Case::Significant, None),
        ];
        for (value, case, expected) in cases {
            assert_eq!(
                nearest(value, ["base", "builder"], case).as_deref(),
                expected,
                "{value}"
            );
        }
    }
}
