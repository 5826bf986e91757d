//! `cargo xtask conformance`: every case of `tests/conformance` is
//!
//! - built with wharf and with the reference builder, and the images compared (`image`),
//! - built once more on wharf's store, where every reused step runs again and has to give the same (`reruns`),
//! - built by an ordinary user, whose image has to be as root's (`rootless`),
//! - checked by both linters (`lint`).
//!
//! What is not as it has to be fails.

mod agent;
mod built;
mod case;
mod image;
mod lint;
mod reference;
mod registry;
mod report;
mod scratch;
mod served;
mod tree;
mod verdict;
mod wharf;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    thread,
    time::Instant,
};

use agent::Agent;
use case::{Case, Places};
use reference::Reference;
use registry::Registry;
use report::{Row, report};
use verdict::Verdict;
use wharf::Wharf;

use crate::{go, setup, stage};

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
    let scratch = scratch::of_root()?;
    let root = std::path::absolute(CASES).map_err(|error| error.to_string())?;
    let server = served::start(&root, &scratch.join("served"))?;
    let agent = Agent::start(&scratch)?;
    let wharf = Wharf::of_root(&scratch)?;
    let places = Places {
        registry: Registry::start(&root, &wharf)?,
        server: server.url(""),
        agent: agent.socket.display().to_string(),
    };
    let cases = case::find(&root, word, &places)?;
    if cases.is_empty() {
        return Err(format!("no case is called {word}"));
    }
    few_differences(&cases)?;
    let builders = Builders::start(scratch, wharf, places)?;
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
    places: Places,
    reference: Reference,
    root: Wharf,
    user: Wharf,
    users: scratch::OfTestUser,
}

impl Builders {
    fn start(scratch: PathBuf, root: Wharf, places: Places) -> Result<Self, String> {
        let users = scratch::OfTestUser::make()?;
        wharf::copy(Path::new(CASES), &users.path().join("cases"))?;
        Ok(Self {
            reference: Reference::start(&scratch, root.base())?,
            user: root.of_test_user(users.path())?,
            scratch,
            places,
            root,
            users,
        })
    }
}

impl Builders {
    /// Where a case's images are.
    fn folder(&self, case: &Case) -> PathBuf {
        self.scratch.join(case.name.replace('/', "+"))
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
    let context = builders.users.path().join("prepared").join(&case.name);
    let verdicts = match prepared(case, &context) {
        Ok(case) => judged(&case, builders),
        Err(why) => vec![("image", Verdict::Failed(vec![why]))],
    };
    let row = Row {
        case: case.name.clone(),
        verdicts,
    };
    if !row.failed() {
        // The layouts of hundreds of cases would fill a small disk.
        let _ = fs::remove_dir_all(builders.folder(case));
    }
    row
}

/// The case with a copy of its context in which its script has been run, if it has one.
fn prepared(case: &Case, context: &Path) -> Result<Case, String> {
    let Some(script) = &case.prepare else {
        return Ok(case.clone());
    };
    scratch::make(context)?;
    let from = format!("{}/.", case.context.display());
    stage::run(Command::new("cp").args(["-a", &from]).arg(context))?;
    served::run(script, context)?;
    Ok(Case {
        context: context.to_owned(),
        ..case.clone()
    })
}

fn judged(case: &Case, builders: &Builders) -> Vec<(&'static str, Verdict)> {
    let folder = builders.folder(case);
    let ours = builders.root.build(case, &folder.join("wharf"), &[]);
    let theirs = builders.reference.build(case, &folder.join("reference"));
    let mut verdicts = vec![("image", verdict::compare(case, &ours, &theirs))];
    if case.call.is_some() {
        return verdicts;
    }
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
    verdicts
}

/// What `judge` says of the build of an ordinary user.
fn rootless(
    case: &Case,
    builders: &Builders,
    judge: impl Fn(&built::Built) -> Verdict,
) -> Result<Verdict, String> {
    let place = builders.users.path();
    let copy = case.in_copy(&place.join("cases"), &builders.places)?;
    let case = match &case.prepare {
        Some(_) => Case {
            context: case.context.clone(),
            ..copy
        },
        None => copy,
    };
    let layouts = place.join("layouts").join(case.name.replace('/', "+"));
    builders.user.give(&layouts)?;
    let verdict = judge(&builders.user.build(&case, &layouts.join("wharf"), &[]));
    let _ = fs::remove_dir_all(&layouts);
    Ok(verdict)
}
