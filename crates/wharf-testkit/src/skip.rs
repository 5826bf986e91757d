//! Tests that lack a privilege say so, and where they must not, fail.

/// Set to `1` where nothing may be skipped: as root in CI.
const REQUIRE_ALL: &str = "WHARF_TEST_REQUIRE_ALL";

/// Says why a test does not run; the test then returns. Where every test must run, it fails instead.
#[track_caller]
#[allow(clippy::print_stderr)]
pub fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
    let required = std::env::var_os(REQUIRE_ALL).is_some_and(|value| value == "1");
    assert!(!required, "{REQUIRE_ALL}=1, but this test was skipped: {reason}");
}
