//! What was found, for tools that show findings beside code.

use serde_json::{Value, json};
use wharf_build::check::Checked;
use wharf_dockerfile::lint;

/// SARIF 2.1.0.
pub(super) fn of(checked: &[Checked]) -> Value {
    let results: Vec<_> = checked
        .iter()
        .flat_map(|checked| {
            checked.report.findings.iter().map(move |finding| {
                let line = checked.dockerfile.source.position(finding.span.start).line;
                let level = if checked.report.findings_are_errors {
                    "error"
                } else {
                    "warning"
                };
                json!({
                    "ruleId": finding.rule.name,
                    "level": level,
                    "message": {"text": finding.message},
                    "locations": [{"physicalLocation": {
                        "artifactLocation": {"uri": checked.name},
                        "region": {"startLine": line},
                    }}],
                })
            })
        })
        .collect();
    let rules: Vec<_> = lint::RULES
        .iter()
        .map(|rule| json!({"id": rule.name, "shortDescription": {"text": rule.description}}))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "wharf", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "results": results,
        }],
    })
}
