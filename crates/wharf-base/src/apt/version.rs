//! Debian versions and their order.

use std::cmp::Ordering;

/// A version as text: `[epoch:]upstream[-revision]`. Equal means "neither is newer", so that `1.0` equals `0:1.00`.
///
/// Debian Policy 5.6.12 and dpkg's `verrevcmp`. Text that is no version has an order too (never a panic): indexes are signed,
/// but not proofread.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a>(pub &'a str);

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (left, right) = (self.parts(), other.parts());
        compare_numbers(left.0, right.0)
            .then_with(|| compare(left.1, right.1))
            .then_with(|| compare(left.2, right.2))
    }
}

impl PartialOrd for Version<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version<'_> {}

impl<'a> Version<'a> {
    /// Epoch, upstream version, revision; what is not written is empty, which counts as zero.
    fn parts(self) -> (&'a [u8], &'a [u8], &'a [u8]) {
        let (epoch, rest) = self.0.split_once(':').unwrap_or(("", self.0));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        (epoch.as_bytes(), upstream.as_bytes(), revision.as_bytes())
    }
}

/// Runs of non-digits and runs of digits, in turn.
fn compare(mut left: &[u8], mut right: &[u8]) -> Ordering {
    while !left.is_empty() || !right.is_empty() {
        let (left_text, left_rest) = split_run(left, |byte| !byte.is_ascii_digit());
        let (right_text, right_rest) = split_run(right, |byte| !byte.is_ascii_digit());
        let (left_number, left_rest) = split_run(left_rest, u8::is_ascii_digit);
        let (right_number, right_rest) = split_run(right_rest, u8::is_ascii_digit);
        let order =
            compare_text(left_text, right_text).then_with(|| compare_numbers(left_number, right_number));
        if order.is_ne() {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
    Ordering::Equal
}

fn split_run(text: &[u8], belongs: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| !belongs(byte)).unwrap_or(text.len()))
}

/// `~` before the end, the end before letters, letters before the rest.
fn compare_text(left: &[u8], right: &[u8]) -> Ordering {
    let weight = |text: &[u8], index: usize| match text.get(index) {
        None => 0,
        Some(b'~') => -1,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(*letter),
        Some(other) => i32::from(*other) + 256,
    };
    (0..left.len().max(right.len()))
        .map(|index| weight(left, index).cmp(&weight(right, index)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Of any length, without overflow.
fn compare_numbers(left: &[u8], right: &[u8]) -> Ordering {
    let (_, left) = split_run(left, |byte| *byte == b'0');
    let (_, right) = split_run(right, |byte| *byte == b'0');
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn orders_as_dpkg_does() {
        let ascending = [
            "0~~",
            "0~~a",
            "0~",
            "0",
            "0a",
            "0+",
            "1.0~beta1~svn1245",
            "1.0~beta1",
            "1.0",
            "1.0-1",
            "1.0-1+b1",
            "1.0-1+deb12u1",
            "1.0-1.1",
            "1.0-2",
            "1.0-10",
            "1.0a-1",
            "1.0+dfsg-1",
            "1.0.1-1",
            "1.2-3-1",
            "1.10-1",
            "2",
            "18446744073709551616",
            "1:0.1",
            "2:0",
            "10:0",
        ];
        for pair in ascending.windows(2) {
            assert!(Version(pair[0]) < Version(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn equal_in_different_letters() {
        for (left, right) in [
            ("1.0", "0:1.0"),
            ("1.0", "1.00"),
            ("1.0", "1.0-0"),
            ("00:1", "1"),
            ("1.0-", "1.0"),
        ] {
            assert_eq!(Version(left), Version(right), "{left} = {right}");
        }
    }

    proptest! {
        #[test]
        fn is_a_total_order(texts in prop::collection::vec("[0-9a-c.+~:-]{0,8}", 3)) {
            let [a, b, c] = [Version(&texts[0]), Version(&texts[1]), Version(&texts[2])];
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            if a <= b && b <= c {
                prop_assert!(a <= c);
            }
        }
    }
}
