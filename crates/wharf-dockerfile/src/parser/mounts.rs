//! The comma-separated values of `--mount` and `--device`.

use std::ops::Range;

use super::csv;
use crate::ast::{DeviceRequest, MountField, MountFlag};
use crate::diagnostic::{Diagnostic, SyntaxError};
use crate::numbers::parse_bool;
use crate::source::{Source, Span};
use crate::suggest::{Case, nearest};
use crate::word::Word;

/// A `--mount`. What its keys mean is known only after expansion, but for `from`, which is never expanded.
pub(super) fn mount(value: &Word, source: &Source, errors: &mut Vec<Diagnostic>) -> Option<MountFlag> {
    let fields = fields(value, source, errors)?;
    for field in fields.iter().filter(|field| field.key == "from") {
        let variable = field.value.as_ref().is_some_and(|value| {
            value
                .raw
                .find('$')
                .is_some_and(|dollar| dollar != value.raw.len() - 1)
        });
        if variable {
            errors.push(Diagnostic::new(field.span, SyntaxError::MountFromVariable));
        }
    }
    Some(MountFlag {
        span: value.span,
        fields,
    })
}

/// A `--device`: a name and perhaps `required`.
pub(super) fn device(value: &Word, source: &Source, errors: &mut Vec<Diagnostic>) -> Option<DeviceRequest> {
    let mut device = DeviceRequest {
        span: value.span,
        name: String::new(),
        required: false,
    };
    for field in fields(value, source, errors)? {
        if let Err(error) = take_device_field(&mut device, &field) {
            let key = field.key.as_str();
            let suggestion = nearest(key, ["name", "required"], Case::Significant);
            errors.push(Diagnostic::new(field.span, error).suggest(suggestion));
        }
    }
    Some(device)
}

fn take_device_field(device: &mut DeviceRequest, field: &MountField) -> Result<(), SyntaxError> {
    match (field.key.as_str(), &field.value) {
        ("required", None) => device.required = true,
        ("required", Some(value)) => {
            device.required =
                parse_bool(value.as_str()).ok_or_else(|| SyntaxError::DeviceRequired(value.raw.clone()))?;
        }
        ("name", Some(value)) if device.name.is_empty() => device.name.clone_from(&value.raw),
        ("name", Some(_)) => return Err(SyntaxError::DeviceNamedTwice(device.name.clone())),
        // A qualified device name may itself hold a `=`.
        _ if device.name.is_empty() => device.name.clone_from(&field.written),
        _ => return Err(SyntaxError::DeviceField(field.written.clone())),
    }
    Ok(())
}

fn fields(value: &Word, source: &Source, errors: &mut Vec<Diagnostic>) -> Option<Vec<MountField>> {
    let Some(fields) = csv::fields(value.as_str()) else {
        let bare_quote = SyntaxError::InvalidCsv(value.raw.clone());
        let error = if value.is_empty() {
            SyntaxError::EmptyCsv
        } else {
            bare_quote
        };
        errors.push(Diagnostic::new(value.span, error));
        return None;
    };
    // When quotes, escapes or continuations were taken out, places within the value are not known.
    let verbatim = source.slice(value.span) == value.as_str();
    let start = value.span.start;
    let within = |range: &Range<usize>| Span::new(start + range.start, start + range.end);
    let place = |field: &csv::Field| {
        if verbatim {
            within(&field.range)
        } else {
            value.span
        }
    };
    Some(
        fields
            .into_iter()
            .map(|field| mount_field(place(&field), field.value))
            .collect(),
    )
}

fn mount_field(span: Span, written: String) -> MountField {
    let (key, value) = match written.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (written.as_str(), None),
    };
    let value_span = if span.end - span.start == written.len() {
        Span::new(span.start + (key.len() + 1).min(written.len()), span.end)
    } else {
        span
    };
    let value = value.map(|value| Word::new(value_span, value));
    MountField {
        span,
        key: key.to_lowercase(),
        value,
        written,
    }
}
