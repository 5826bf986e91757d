//! `cargo xtask conformance`: every case of `tests/conformance` is
//!
//! - built with wharf and with the reference builder, and the images compared (`image`),
//! - built once more on wharf's store, where every reused step runs again and has to give the same (`reruns`),
//! - built by an ordinary user, whose image has to be as root's (`rootless`),
//! - checked by both linters (`lint`).
//!
//! What is not as it has to be fails.

mod built;
mod case;
mod image;
mod lint;
mod reference;
mod report;
mod scratch;
mod tree;
mod verdict;
mod wharf;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
    time::Instant,
};

use case::Case;
use reference::Reference;
use report::{Row, report};
use verdict::Verdict;
use wharf::Wharf;

use crate::{go, setup};

/// Twice the cores of CI: a build of the reference mostly waits for its daemon and the disk.
const WORKERS: usize = 4;

/// The cases, in the repository.
const CASES: &str = "tests/conformance";

/// More intended differences are a sign that wharf goes its own way.
const DIFFERENCES: usize = 12;

/// What a run needs that this machine does not have.
pub(crate) fn lacks() -> Option<String> {
    if !setup::is_root() {
        return Some("the reference builder's daemon runs as root".to_owned());
    }
    (!go::is_there()).then(|| "there is no go to build the reference builder with".to_owned())
}

/// Checks the cases whose name contains `word`, and prints a line for each and the counts.
pub(crate) fn run(word: &str) -> Result<(), String> {
    let cases = case::find(Path::new(CASES), word)?;
    if cases.is_empty() {
        return Err(format!("no case is called {word}"));
    }
    few_differences(&cases)?;
    let builders = Builders::start()?;
    let start = Instant::now();
    let mut rows = check_all(cases, &builders);
    rows.sort_by(|a, b| a.case.cmp(&b.case));
    report(&rows, start)
}

fn few_differences(cases: &[Case]) -> Result<(), String> {
    let count = cases.iter().filter(|case| case.differs.is_some()).count();
    if count <= DIFFERENCES {
        return Ok(());
    }
    Err(format!(
        "{count} cases differ on purpose, which is more than {DIFFERENCES}: make wharf do as the reference does"
    ))
}

/// All that builds a case.
struct Builders {
    scratch: PathBuf,
    reference: Reference,
    root: Wharf,
    user: Wharf,
    users: scratch::OfTestUser,
}

impl Builders {
    fn start() -> Result<Self, String> {
        let scratch = scratch::of_root()?;
        let root = Wharf::of_root(&scratch)?;
        let users = scratch::OfTestUser::make()?;
        wharf::copy(Path::new(CASES), &users.path().join("cases"))?;
        Ok(Self {
            reference: Reference::start(&scratch, root.base())?,
            user: root.of_test_user(users.path())?,
            scratch,
            root,
            users,
        })
    }
}

fn check_all(cases: Vec<Case>, builders: &Builders) -> Vec<Row> {
    let queue = Mutex::new(cases.into_iter());
    let rows = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = queue.lock().expect("no worker panics").next();
            let Some(case) = next else { break };
            let row = check(&case, builders);
            rows.lock().expect("no worker panics").push(row);
        }
    };
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(work);
        }
    });
    rows.into_inner().expect("no worker panics")
}

fn check(case: &Case, builders: &Builders) -> Row {
    let folder = builders.scratch.join(case.name.replace('/', "+"));
    let ours = builders.root.build(case, &folder.join("wharf"), &[]);
    let theirs = builders.reference.build(case, &folder.join("reference"));
    let mut verdicts = vec![("image", verdict::compare(case, &ours, &theirs))];
    if ours.layout.is_some() {
        let again = builders
            .root
            .build(case, &folder.join("again"), &["--verify-cache=100"]);
        verdicts.push(("reruns", verdict::verified(case, &again)));
    }
    let rootless = rootless(case, builders, |user| verdict::rootless(case, user, &ours));
    verdicts.push((
        "rootless",
        rootless.unwrap_or_else(|why| Verdict::Failed(vec![why])),
    ));
    verdicts.push(("lint", lint::compare(case, &builders.root, &builders.reference)));
    let row = Row {
        case: case.name.clone(),
        verdicts,
    };
    if !row.failed() {
        // The layouts of hundreds of cases would fill a small disk.
        let _ = fs::remove_dir_all(&folder);
    }
    row
}

/// What `judge` says of the build of an ordinary user.
fn rootless(
    case: &Case,
    builders: &Builders,
    judge: impl Fn(&built::Built) -> Verdict,
) -> Result<Verdict, String> {
    let place = builders.users.path();
    let case = case.in_copy(&place.join("cases"))?;
    let layouts = place.join("layouts").join(case.name.replace('/', "+"));
    builders.user.give(&layouts)?;
    let verdict = judge(&builders.user.build(&case, &layouts.join("wharf"), &[]));
    let _ = fs::remove_dir_all(&layouts);
    Ok(verdict)
}
