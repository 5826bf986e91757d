//! Tests that lack a privilege say so, and where they must not, fail.

use std::{fs::OpenOptions, io::Write as _, path::Path, thread};

/// Set to `1` where nothing may be skipped: as root in CI.
const REQUIRE_ALL: &str = "WHARF_TEST_REQUIRE_ALL";

/// Names a file to which every skip is added, a line each, for whoever runs the tests to list and count.
const LIST: &str = "WHARF_TEST_SKIPS";

/// Says why a test does not run; the test then returns. Where every test must run, it fails instead.
#[track_caller]
#[allow(clippy::print_stderr)]
pub fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
    if let Some(list) = std::env::var_os(LIST) {
        add(Path::new(&list), reason);
    }
    let required = std::env::var_os(REQUIRE_ALL).is_some_and(|value| value == "1");
    assert!(!required, "{REQUIRE_ALL}=1, but this test was skipped: {reason}");
}

/// One write a line, so that tests at once do not mix theirs.
fn add(list: &Path, reason: &str) {
    let test = thread::current();
    let line = format!("{}: {reason}\n", test.name().unwrap_or("a test"));
    let file = OpenOptions::new().create(true).append(true).open(list);
    let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
    written.unwrap_or_else(|error| panic!("{}: {error}", list.display()));
}
