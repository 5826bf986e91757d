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
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("μs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

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

fn sum_of_units(unsigned: &str, whole: &str) -> Result<u64, DurationError> {
    let invalid = || DurationError::Invalid(whole.to_owned());
    let mut rest = unsigned;
    let mut total: f64 = 0.0;
    if rest.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let number_end = rest.find(|c| !is_number(c)).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(number_end);
        let number = decimal(number).ok_or_else(invalid)?;
        let unit_end = tail.find(is_number).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        total += number * nanoseconds_of(unit, whole)?;
        rest = tail;
    }
    // Go keeps durations in an i64.
    if total > i64::MAX as f64 {
        Err(invalid())
    } else {
        Ok(total.round() as u64)
    }
}

fn nanoseconds_of(unit: &str, whole: &str) -> Result<f64, DurationError> {
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
