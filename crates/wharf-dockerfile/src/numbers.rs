//! Numbers, sizes, durations and booleans as Go's standard library reads them, for that is what the language is made of.

use std::time::Duration;

/// A boolean of Go's `strconv.ParseBool`.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// A user or group id: decimal digits only.
pub(crate) fn parse_id(text: &str) -> Option<u32> {
    unsigned(text, 10)
}

/// A file mode in octal digits, up to 32 bits.
pub(crate) fn parse_mode(text: &str) -> Option<u32> {
    unsigned(text, 8)
}

/// Digits without a sign (Rust's own parser would take a `+`).
fn unsigned(text: &str, radix: u32) -> Option<u32> {
    let digits = !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    if digits {
        u32::from_str_radix(text, radix).ok()
    } else {
        None
    }
}

/// A size in bytes: a decimal number, an optional space, and an optional unit (`k`, `m`, `g`, `t`, `p` as powers of 1024, in
/// any case, with an optional `b` or `ib`), as docker/go-units `RAMInBytes`.
pub(crate) fn parse_byte_size(text: &str) -> Option<u64> {
    let number_end = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ')? + 1;
    let number = text[..number_end]
        .strip_suffix(' ')
        .unwrap_or(&text[..number_end]);
    let number: f64 = decimal(number)?;
    let unit = text[number_end..].to_ascii_lowercase();
    let exponent = match unit
        .strip_suffix("ib")
        .or_else(|| unit.strip_suffix('b'))
        .unwrap_or(&unit)
    {
        "" if unit.len() < 2 => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    Some((number * 1024_f64.powi(exponent)) as u64)
}

/// An unsigned decimal number: digits, at most one point.
fn decimal(text: &str) -> Option<f64> {
    let plain = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    if plain { text.parse().ok() } else { None }
}

/// Why a duration was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum DurationError {
    #[error("invalid duration {0:?}")]
    Invalid(String),
    #[error("missing unit in duration {0:?}")]
    MissingUnit(String),
    #[error("unknown unit {unit:?} in duration {duration:?}")]
    UnknownUnit { unit: String, duration: String },
    #[error("duration {0:?} is negative or less than 1ms")]
    TooShort(String),
}

/// The units and their nanoseconds.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// More digits than a duration can have: what follows them is cut off.
const MAX_FRACTION: usize = 18;

/// A duration of HEALTHCHECK: numbers with units (`1h30m`, `1.5s`), 0 or at least a millisecond.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned == "0" {
        return Ok(Duration::ZERO);
    }
    let nanoseconds = sum_of_units(unsigned, text)?;
    let negative = text.starts_with('-') && nanoseconds != 0;
    if negative || (1..1_000_000).contains(&nanoseconds) {
        return Err(DurationError::TooShort(text.to_owned()));
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// The nanoseconds of a row of numbers with units. Fractions of a nanosecond are cut off, number by number.
fn sum_of_units(unsigned: &str, whole: &str) -> Result<u64, DurationError> {
    let invalid = || DurationError::Invalid(whole.to_owned());
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let mut rest = unsigned;
    let mut total: u128 = 0;
    if rest.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c| !is_number(c)).unwrap_or(rest.len()));
        let (unit, tail) = tail.split_at(tail.find(is_number).unwrap_or(tail.len()));
        let parts = number_parts(number).ok_or_else(invalid)?;
        total += nanoseconds(parts, nanoseconds_of(unit, whole)?).ok_or_else(invalid)?;
        rest = tail;
    }
    // Go keeps durations in an i64.
    i64::try_from(total).map(i64::unsigned_abs).map_err(|_| invalid())
}

/// The digits before and after the point; not both empty.
fn number_parts(number: &str) -> Option<(&str, &str)> {
    let (integer, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_empty = integer.is_empty() && fraction.is_empty();
    let is_number = !is_empty && !fraction.contains('.');
    is_number.then(|| (integer, &fraction[..fraction.len().min(MAX_FRACTION)]))
}

fn nanoseconds((integer, fraction): (&str, &str), unit: u128) -> Option<u128> {
    let number = |digits: &str| {
        if digits.is_empty() {
            Some(0)
        } else {
            digits.parse::<u64>().ok()
        }
    };
    let scale = 10_u128.pow(fraction.len() as u32);
    Some(u128::from(number(integer)?) * unit + u128::from(number(fraction)?) * unit / scale)
}

fn nanoseconds_of(unit: &str, whole: &str) -> Result<u128, DurationError> {
    if unit.is_empty() {
        return Err(DurationError::MissingUnit(whole.to_owned()));
    }
    let known = UNITS.iter().find(|(name, _)| *name == unit);
    known
        .map(|(_, nanoseconds)| *nanoseconds)
        .ok_or_else(|| DurationError::UnknownUnit {
            unit: unit.to_owned(),
            duration: whole.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let ok = |text| parse_duration(text).unwrap();
        assert_eq!(ok("1h30m"), Duration::from_mins(90));
        assert_eq!(ok("1.5s"), Duration::from_millis(1500));
        assert_eq!(ok("+5m0s"), Duration::from_mins(5));
        assert_eq!(ok("0"), Duration::ZERO);
        assert_eq!(ok("0s"), Duration::ZERO);
        assert_eq!(ok("1ms"), Duration::from_millis(1));
        for bad in [
            "",
            "-",
            "5",
            "5x",
            "s",
            "1us",
            "-5s",
            ".s",
            "1..5s",
            "9999999999h",
            "5 s",
        ] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn byte_sizes() {
        let cases = [
            ("0", Some(0)),
            ("32", Some(32)),
            ("32b", Some(32)),
            ("32k", Some(32 << 10)),
            ("1.5 KiB", Some(1536)),
            ("2G", Some(2 << 30)),
            ("1gb", Some(1 << 30)),
            ("", None),
            ("k", None),
            ("32ib", None),
            ("-1", None),
            ("1x", None),
            ("1 2k", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_byte_size(text), expected, "{text:?}");
        }
    }

    #[test]
    fn ids_and_modes_have_no_sign() {
        assert_eq!(parse_id("1000"), Some(1000));
        assert_eq!(parse_id("+1"), None);
        assert_eq!(parse_id("4294967296"), None);
        assert_eq!(parse_mode("0644"), Some(0o644));
        assert_eq!(parse_mode("8"), None);
    }
}
