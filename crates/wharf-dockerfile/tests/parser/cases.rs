//! Parser cases: a folder each, `Dockerfile` and what is to be found in it, `expected`.
//!
//! To add one, write the Dockerfile and run the test with `WHARF_BLESS=1`; then read what it wrote.

use std::fs;
use std::path::{Path, PathBuf};

use crate::dump;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<_> = fs::read_dir(folder)
        .expect("the cases are there")
        .map(|entry| entry.expect("a case").path())
        .collect();
    cases.sort();
    cases
}

#[test]
fn every_case_parses_as_expected() {
    let bless = std::env::var_os("WHARF_BLESS").is_some();
    let mut wrong = Vec::new();
    for case in cases() {
        let bytes = fs::read(case.join("Dockerfile")).unwrap();
        let parse = wharf_dockerfile::parse_bytes(&bytes);
        let found = dump::dump(&parse);
        let path = case.join("expected");
        if bless {
            fs::write(&path, &found).unwrap();
        }
        if fs::read_to_string(&path).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{found}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tokens_make_up_every_case() {
    for case in cases() {
        let bytes = fs::read(case.join("Dockerfile")).unwrap();
        let file = wharf_dockerfile::parse_bytes(&bytes).dockerfile;
        let text: String = file
            .tokens
            .iter()
            .map(|token| file.source.slice(token.span))
            .collect();
        assert_eq!(text, file.source.text(), "{}", case.display());
    }
}
