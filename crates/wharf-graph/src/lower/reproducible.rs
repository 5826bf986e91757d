//! `--reproducible-steps`: the variables that make steps which run twice give the same files.

use super::environment::VariableList;

/// What RUN is given where nothing else sets it. Each is here because two runs of the tool's plain use differ without it.
const VARIABLES: &[(&str, &str)] = &[
    // The first day that a zip archive, and so a wheel, can hold. Never the build's own: one that follows the commit would be
    // in every key, and run everything at each. Python then checks bytecode by the hash of its source instead of its time, gcc
    // takes it for `__DATE__` and `__TIME__`, and shadow for the day of a password's last change.
    ("SOURCE_DATE_EPOCH", "315532800"),
    // The order of a set: in whatever a program writes, and up to Python 3.10 in the bytecode of a module that has one.
    ("PYTHONHASHSEED", "0"),
    // Bytecode that is written at an import has its source's time whatever SOURCE_DATE_EPOCH says; what pip and compileall write
    // has not, and is still written.
    ("PYTHONDONTWRITEBYTECODE", "1"),
    // Logs that are named after the time.
    ("npm_config_logs_max", "0"),
    // Folders with random names, of no use to a build that starts from nothing.
    ("CARGO_INCREMENTAL", "0"),
    // What rustc said of itself, in the order of a hash map.
    ("CARGO_CACHE_RUSTC_INFO", "0"),
];

/// The stage's variables, and those of the table that are not among them.
pub(super) fn with_reproducible(given: &VariableList) -> VariableList {
    let missing = VARIABLES
        .iter()
        .filter(|(name, _)| !given.iter().any(|(set, _)| set == name))
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    given.iter().cloned().chain(missing).collect()
}
