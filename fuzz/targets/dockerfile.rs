//! Any bytes as a Dockerfile: no panic, and the tokens are the source again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let parsed = wharf_dockerfile::parse_bytes(bytes).dockerfile;
    let text: String = parsed
        .tokens
        .iter()
        .map(|token| parsed.source.slice(token.span))
        .collect();
    assert_eq!(text, parsed.source.text());
    wharf_dockerfile::lint::check(&parsed, &wharf_dockerfile::lint::LintOptions::default());
});
