//! The texts of an image's history, as BuildKit writes them: Go's `%v`, `%q` and `%+v`.

use wharf_oci::config::{Healthcheck, History};

use crate::step::{HistoryEntry, StepId};

/// Which tool wrote an entry: readers of histories look for exactly this.
const COMMENT: &str = "buildkit.dockerfile.v0";

/// The entry of an instruction. `created` is set by SOURCE_DATE_EPOCH only.
pub(super) fn entry(created_by: String, layer: Layer, created: Option<&str>) -> HistoryEntry {
    let step = match layer {
        Layer::None => None,
        Layer::Of(step) => Some(step),
    };
    HistoryEntry {
        entry: History {
            created: created.map(str::to_owned),
            created_by,
            author: String::new(),
            comment: COMMENT.to_owned(),
            empty_layer: step.is_none(),
        },
        step,
    }
}

/// Whether an instruction made a layer.
#[derive(Clone, Copy)]
pub(super) enum Layer {
    None,
    Of(StepId),
}

/// Go's `%v` of strings: `[a b]`.
pub(super) fn list(items: &[String]) -> String {
    format!("[{}]", items.join(" "))
}

/// Go's `%q` of strings: `["a" "b"]`.
pub(super) fn quoted_list(items: &[String]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| quote(item)).collect();
    list(&quoted)
}

/// Go's `strconv.Quote`.
fn quote(text: &str) -> String {
    let quoted: String = text.chars().map(quoted_char).collect();
    format!("\"{quoted}\"")
}

fn quoted_char(c: char) -> String {
    match c {
        '"' | '\\' => format!("\\{c}"),
        '\x07' => "\\a".to_owned(),
        '\x08' => "\\b".to_owned(),
        '\x0c' => "\\f".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\x0b' => "\\v".to_owned(),
        '\0'..' ' | '\x7f' => format!("\\x{:02x}", u32::from(c)),
        c if is_printable(c) => c.to_string(),
        c if c <= '\u{ffff}' => format!("\\u{:04x}", u32::from(c)),
        c => format!("\\U{:08x}", u32::from(c)),
    }
}

/// Go's `strconv.IsPrint`, as far as Rust's own tables of printable characters say the same: they call combining characters
/// unprintable at the start of a string only.
fn is_printable(c: char) -> bool {
    let after_letter: String = ['x', c].iter().collect();
    let escaped = || after_letter.escape_debug().count() > 2;
    c.is_ascii() || (!c.is_whitespace() && !escaped())
}

/// Go's `%+v` of the check.
pub(super) fn healthcheck(check: &Healthcheck) -> String {
    let Healthcheck {
        test,
        interval,
        timeout,
        start_period,
        start_interval,
        retries,
    } = check;
    let [interval, timeout, start_period, start_interval] =
        [interval, timeout, start_period, start_interval].map(|nanoseconds| duration(*nanoseconds));
    format!(
        "{{Test:{} Interval:{interval} Timeout:{timeout} StartPeriod:{start_period} StartInterval:{start_interval} \
         Retries:{retries}}}",
        list(test)
    )
}

/// Go's `time.Duration.String` of a duration that is not negative: `1m30s`, `1.5s`, `100ms`.
fn duration(nanoseconds: i64) -> String {
    const SECOND: i64 = 1_000_000_000;
    if nanoseconds == 0 {
        return "0s".to_owned();
    }
    for (unit, name) in [(1, "ns"), (1_000, "µs"), (1_000_000, "ms")] {
        if nanoseconds < unit * 1000 && nanoseconds < SECOND {
            return format!("{}{name}", decimal(nanoseconds, unit));
        }
    }
    let seconds = decimal(nanoseconds % (60 * SECOND), SECOND);
    let minutes = nanoseconds / (60 * SECOND);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// `value / unit` without zeros at the end; `unit` is a power of ten.
fn decimal(value: i64, unit: i64) -> String {
    let (whole, rest) = (value / unit, value % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let digits = unit.ilog10() as usize;
    let fraction = format!("{rest:0digits$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_go_does() {
        for (text, quoted) in [
            ("a\"b\\c\n", r#""a\"b\\c\n""#),
            ("é\u{301}'日", "\"é\u{301}'日\""),
            ("\x01\u{7f}\u{a0}\u{200b}", r#""\x01\x7f\u00a0\u200b""#),
            ("\u{e0001}", r#""\U000e0001""#),
        ] {
            assert_eq!(quote(text), quoted);
        }
    }

    #[test]
    fn durations_as_go_writes_them() {
        for (nanoseconds, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (100_000_000, "100ms"),
            (1_500_000_000, "1.5s"),
            (90_000_000_000, "1m30s"),
            (3_600_000_000_000, "1h0m0s"),
            (3_661_000_000_001, "1h1m1.000000001s"),
        ] {
            assert_eq!(duration(nanoseconds), text);
        }
    }
}
