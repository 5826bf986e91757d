//! The table: small steps, changes of what they run on that must make them run again, and changes that must not.
//!
//! Every change is judged by three builds: the first version, the changed one on the same store, and the changed one on an empty
//! store. The last two must be the same tree, and the second says whether the step ran. All cases are stages of one Dockerfile, so
//! that a round of changes, one a case, is one build.

mod case;
mod parent;
mod probe;
mod random;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read as _,
    path::Path,
};

use self::{
    case::{Case, Verdict},
    parent::Parent,
};
use crate::{
    busybox,
    context::{TestContext, started_by},
    outcome::Outcome,
    user::User,
};

/// Files that a case runs on in one round.
struct World<'c> {
    case: &'c Case,
    number: usize,
    parent: Parent,
    other: Parent,
    context: Parent,
}

impl<'c> World<'c> {
    fn new(case: &'c Case, number: usize, edits: &str) -> Self {
        let mut world = Self {
            case,
            number,
            parent: Parent::default(),
            other: Parent::default(),
            context: Parent::default(),
        };
        let lines = |text: &str| text.trim().replace('\n', ";");
        world.parent.edit(&lines(&case.parent));
        world
            .other
            .edit(&lines(case.other.as_deref().unwrap_or_default()));
        world
            .context
            .edit(&lines(case.context.as_deref().unwrap_or_default()));
        for edit in edits.split(';').map(str::trim) {
            match (edit.strip_prefix("other:"), edit.strip_prefix("context:")) {
                (Some(edit), _) => world.other.edit(edit),
                (_, Some(edit)) => world.context.edit(edit),
                _ => world.parent.edit(edit),
            }
        }
        world
    }

    fn write(&self, context: &TestContext) {
        let number = self.number;
        self.parent.write_tar(&context.path(format!("{number}.tar")));
        if self.case.other.is_some() {
            self.other.write_tar(&context.path(format!("{number}.other.tar")));
        }
        if self.case.context.is_some() {
            self.context
                .write_files(&context.path(format!("context-{number}")));
        }
    }

    /// Its stages. Each step has words of its own in it, so that no two cases share results.
    fn stages(&self) -> String {
        let number = self.number;
        let other = match self.case.other {
            Some(_) => format!("FROM scratch AS other-{number}\nADD {number}.other.tar /\n"),
            None => String::new(),
        };
        let lines = match (&self.case.step, &self.case.lines) {
            (Some(step), None) => format!(
                "RUN : {number}; {{ {}; }} 2>/dev/null || echo failed > /failed\n",
                step.trim().replace('\n', "; ")
            ),
            (None, Some(lines)) => lines
                .replace("$OTHER", &format!("other-{number}"))
                .replace("$CONTEXT", &format!("context-{number}"))
                .replace("$CASE", &number.to_string()),
            _ => panic!("{}: a step or lines", self.case.name),
        };
        format!("{other}FROM tools AS case-{number}\nADD {number}.tar /\n{lines}\n")
    }
}

/// The changes of one place in every case that has so many; or every case as it was first, without a verdict.
struct Round<'c> {
    worlds: Vec<World<'c>>,
    verdicts: BTreeMap<usize, (Verdict, &'c str)>,
}

impl<'c> Round<'c> {
    fn unchanged(cases: &'c [(usize, Case)]) -> Self {
        let worlds = cases.iter().map(|(number, case)| World::new(case, *number, ""));
        Self {
            worlds: worlds.collect(),
            verdicts: BTreeMap::new(),
        }
    }

    fn at(cases: &'c [(usize, Case)], place: usize) -> Self {
        let mut round = Self::unchanged(&[]);
        for (number, case) in cases {
            if let Some((verdict, edits)) = case.rounds().get(place).copied() {
                round.worlds.push(World::new(case, *number, edits));
                round.verdicts.insert(*number, (verdict, edits));
            }
        }
        round
    }

    /// In order; none is empty.
    fn changes(cases: &'c [(usize, Case)]) -> impl Iterator<Item = Self> {
        let rounds = (0..).map(|place| Self::at(cases, place));
        rounds.take_while(|round| !round.worlds.is_empty())
    }
}

/// What a build said and made.
struct Built {
    /// Whether the judged step of a case ran.
    ran: BTreeMap<usize, bool>,
    /// Every path of every case's tree with all that counts.
    trees: BTreeMap<usize, BTreeMap<String, String>>,
}

fn build(context: &TestContext, round: &Round<'_>, store: &str, verify: &[&str]) -> Built {
    let mut dockerfile = format!("FROM busybox AS tools\nCOPY {} /bin/\n", probe::PROGRAMS);
    let mut last = "FROM scratch\n".to_owned();
    for world in &round.worlds {
        world.write(context);
        dockerfile += &world.stages();
        let number = world.number;
        last += &format!("COPY --from=case-{number} --exclude=bin/* / /{number}/\n");
    }
    context.write("Dockerfile", &(dockerfile + &last));
    context.own_project();
    let base = format!(
        "busybox=oci-layout://{}",
        busybox::layout().expect("it was there before").display()
    );
    let out = context.out("tree.tar");
    let _ = fs::remove_file(&out);
    let output = format!("type=tar,dest={}", out.display());
    let args = [
        "build",
        "--progress=rawjson",
        "--build-context",
        &base,
        "--seccomp=unconfined",
        "--allow=network.host",
        "-o",
        &output,
        ".",
    ];
    let mut command = context.command(args);
    command.args(verify).env("WHARF_STORE", context.out(store));
    let built = Outcome::of(&mut command);
    assert_eq!(built.code, 0, "{}", failures(&built.stderr));
    Built {
        ran: judged(&built.stderr),
        trees: trees(&out),
    }
}

/// What of the events says why a build failed.
fn failures(events: &str) -> String {
    let told = |line: &&str| {
        ["step_failed", "step_log", "error"]
            .iter()
            .any(|word| line.contains(word))
    };
    events.lines().filter(told).collect::<Vec<_>>().join("\n")
}

/// For every case whether its last RUN ran.
fn judged(events: &str) -> BTreeMap<usize, bool> {
    let mut last: BTreeMap<usize, u64> = BTreeMap::new();
    let mut ran: BTreeMap<u64, bool> = BTreeMap::new();
    for line in events.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("one object a line");
        let number = |value: &serde_json::Value| value["step"].as_u64().expect("a step has a number");
        match event["event"].as_str() {
            Some("graph_known") => {
                for step in event["steps"].as_array().expect("a list") {
                    let stage = step["origin"]["stage"].as_str().unwrap_or_default();
                    let is_run = step["name"].as_str().is_some_and(|name| name.starts_with("RUN"));
                    if let (Some(case), true) = (stage.strip_prefix("case-"), is_run) {
                        last.insert(case.parse().expect("a number"), number(step));
                    }
                }
            }
            Some("step_finished") => drop(ran.insert(number(&event), true)),
            Some("step_cached") => drop(ran.insert(number(&event), false)),
            _ => {}
        }
    }
    last.into_iter().map(|(case, step)| (case, ran[&step])).collect()
}

fn trees(tar: &Path) -> BTreeMap<usize, BTreeMap<String, String>> {
    let mut trees: BTreeMap<usize, BTreeMap<String, String>> = BTreeMap::new();
    let mut archive = tar::Archive::new(fs::File::open(tar).expect("it was built"));
    for entry in archive.entries().expect("a tar") {
        let mut entry = entry.expect("a whole tar");
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let (case, path) = path.split_once('/').unwrap_or((&path, ""));
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("a whole tar");
        let header = entry.header().clone();
        let link = entry
            .link_name_bytes()
            .map(|name| String::from_utf8_lossy(&name).into_owned());
        let extensions = entry
            .pax_extensions()
            .expect("a tar")
            .into_iter()
            .flatten()
            .flatten();
        let xattrs: Vec<_> = extensions
            .filter(|extension| extension.key_bytes().starts_with(b"SCHILY"))
            .map(|extension| format!("{:?}={:?}", extension.key(), extension.value_bytes()))
            .collect();
        let shown = format!(
            "{:?} {:o} {}:{} {:?} {:?} {link:?} {} {xattrs:?}",
            header.entry_type(),
            header.mode().unwrap_or_default(),
            header.uid().unwrap_or_default(),
            header.gid().unwrap_or_default(),
            header.device_major().ok().flatten(),
            header.device_minor().ok().flatten(),
            wharf_oci::Digest::of(&content).short(),
        );
        if let Ok(case) = case.parse() {
            trees.entry(case).or_default().insert(path.to_owned(), shown);
        }
    }
    trees
}

/// What is wrong with a case in a round.
fn complaints(round: &Round<'_>, built: &Built, fresh: &Built) -> Vec<String> {
    let mut wrong = Vec::new();
    for world in &round.worlds {
        let number = world.number;
        let (same, anew) = (&built.trees[&number], &fresh.trees[&number]);
        let (verdict, edits) = round.verdicts[&number];
        if same != anew {
            let paths = same.keys().chain(anew.keys());
            let paths: BTreeSet<_> = paths.filter(|path| same.get(*path) != anew.get(*path)).collect();
            wrong.push(format!(
                "WRONG HIT {} [{edits}]: differs in {paths:?}",
                world.case.name
            ));
        }
        let is = if built.ran[&number] {
            Verdict::Again
        } else {
            Verdict::Reused
        };
        if is != verdict && verdict != Verdict::Either {
            wrong.push(format!("{} [{edits}]: {verdict:?} was expected", world.case.name));
        }
    }
    wrong
}

/// A world in which the table can be built; `None` says that the test was skipped.
fn prepared(user: Option<User>) -> Option<TestContext> {
    busybox::layout()?;
    let context = TestContext::of(user);
    probe::compile(&context).then_some(context)
}

/// Builds every case, then its changes on the same store and on an empty one. Gives what is wrong, and how many of the judged
/// steps ran and were reused.
fn judge(context: &TestContext, cases: &[(usize, Case)], verify: &[&str]) -> (Vec<String>, [usize; 2]) {
    let first = build(context, &Round::unchanged(cases), "store", &[]);
    let failed = cases
        .iter()
        .filter(|(number, _)| first.trees[number].contains_key("failed"));
    let failed = failed.map(|(_, case)| format!("{}: the step fails as it is written", case.name));
    let (mut wrong, mut count) = (failed.collect::<Vec<_>>(), [0, 0]);
    for (place, round) in Round::changes(cases).enumerate() {
        let built = build(context, &round, "store", verify);
        let anew = format!("store-{place}");
        let fresh = build(context, &round, &anew, &[]);
        wrong.extend(complaints(&round, &built, &fresh));
        assert!(
            fresh.ran.values().all(|ran| *ran),
            "an empty store has nothing to reuse"
        );
        for number in round.verdicts.keys() {
            count[usize::from(!built.ran[number])] += 1;
        }
    }
    (wrong, count)
}

fn all_right(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} complaints:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn run(user: Option<User>) {
    let is_root = user.is_none();
    let Some(context) = prepared(user) else {
        return;
    };
    let cases = case::all().into_iter().filter(|case| is_root || !case.root_only);
    let cases: Vec<(usize, Case)> = cases.enumerate().collect();
    assert!(
        cases.len() >= if is_root { 290 } else { 280 },
        "{} cases",
        cases.len()
    );
    // What is reused runs all the same, and is compared.
    let (wrong, _) = judge(&context, &cases, &["--verify-cache=100"]);
    all_right(&wrong);
}

#[test]
fn as_root() {
    run(None);
}

#[test]
fn as_an_ordinary_user() {
    if let Some(user) = User::with_subordinate_ids() {
        run(Some(user));
    }
}

/// Of the steps drawn at random. `WHARF_TEST_SEED` draws others, to look for what the fixed ones do not find.
const SEED: u64 = 1;

#[test]
fn steps_drawn_at_random() {
    let Some(context) = prepared(None) else {
        return;
    };
    let seed = std::env::var("WHARF_TEST_SEED").map_or(SEED, |seed| seed.parse().expect("a number"));
    let cases: Vec<_> = random::cases(seed, 100, 2).into_iter().enumerate().collect();
    let (wrong, [ran, reused]) = judge(&context, &cases, &[]);
    all_right(&wrong);
    assert!(ran > 20 && reused > 20, "{ran} ran and {reused} were reused");
}

#[test]
fn the_judge_sees_what_is_wrong() {
    let Some(context) = prepared(None) else {
        return;
    };
    let cases: Vec<_> = case::controls().into_iter().enumerate().collect();
    let (wrong, _) = judge(&context, &cases, &[]);
    assert_eq!(
        wrong,
        [
            "WRONG HIT what nothing records [g file]: differs in {\"out\"}",
            "what was read [f file other]: Reused was expected",
            "what was not read [g file]: Again was expected",
        ]
    );
}

#[test]
fn rings_are_refused_unless_there_is_no_filter() {
    let context = TestContext::new();
    if busybox::layout().is_none() || !probe::compile(&context) {
        return;
    }
    let dockerfile = "FROM busybox\nCOPY probe /bin/\nRUN echo text > /f; probe uring /f\n";
    let build = |filter: &str| {
        let built = context
            .build(dockerfile, &["--no-cache", filter])
            .expect("there is a base");
        built.success().stderr
    };
    assert!(build("--seccomp=default").contains("Operation not permitted"));
    assert!(!build("--seccomp=unconfined").contains("Operation not permitted"));
}

#[test]
fn an_exec_that_closes_a_file_is_answered_whenever_somebody_looks_for_the_asker() {
    let context = TestContext::new();
    if busybox::layout().is_none() || !probe::compile(&context) {
        return;
    }
    let step =
        |questions| format!("RUN [\"/bin/probe\", \"exec-closing\", \"/bin/probe\", \"{questions}\"]\n");
    let steps: String = (0..24).map(step).collect();
    context.write("Dockerfile", &format!("FROM busybox\nCOPY probe /bin/\n{steps}"));
    let args = context.build_args(&[]).expect("there is a base");
    // Who reads of such a process in /proc waits too: nothing may be left of a build that hangs.
    let limit = ["timeout", "--signal=KILL", "60"];
    Outcome::of(&mut started_by(&limit, &context.command(args))).success();
}

/// More than three times what a family keeps in a lane.
const PROJECTS: usize = 25;

#[test]
fn many_projects_with_one_step_do_not_push_each_other_out() {
    let context = TestContext::new();
    if busybox::layout().is_none() {
        return;
    }
    // Each reads a file of its own name, so that no two path sets are equal.
    let dockerfile =
        "FROM busybox\nWORKDIR /app\nCOPY . .\nRUN for f in own-*; do cat $f; done > /out; cat $(cat name)\n";
    let build = |number: usize| {
        let project = format!("services/{number}");
        let mut args = context.build_args(&[]).expect("there is a base");
        *args.last_mut().expect("the context") = project;
        let built = context.wharf(args).success();
        built.count("CACHED (what it read is unchanged)") == 1
    };
    for number in 0..PROJECTS {
        let file = |name: &str, text: &str| context.write(format!("services/{number}/{name}"), text);
        file("Dockerfile", dockerfile);
        file("name", &format!("own-{number}"));
        file(&format!("own-{number}"), "text");
        file("README", "old");
        build(number);
    }
    let reused = (0..PROJECTS).filter(|number| {
        context.write(format!("services/{number}/README"), "new");
        build(*number)
    });
    assert_eq!(reused.count(), PROJECTS);
}

#[test]
fn names_are_told_apart() {
    let mut names: Vec<_> = case::all().into_iter().map(|case| case.name).collect();
    names.sort();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}
