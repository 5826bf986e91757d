//! The table: small steps, changes of what they run on that must make them run again, and changes that must not.
//!
//! Every change is judged by three builds: the first version, the changed one on the same store, and the changed one on an empty
//! store. The last two must be the same tree, and the second says whether the step ran. All cases are stages of one Dockerfile, so
//! that a round of changes, one a case, is one build.

mod case;
mod parent;
mod probe;

use std::{collections::BTreeMap, fs, io::Read as _, path::Path};

use self::{
    case::{Case, Verdict},
    parent::Parent,
};
use crate::{busybox, context::TestContext, outcome::Outcome, user::User};

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

/// One round: the changes of that place in every case that has so many.
struct Round<'c> {
    worlds: Vec<World<'c>>,
    verdicts: BTreeMap<usize, (Verdict, &'c str)>,
}

fn rounds(cases: &[(usize, Case)]) -> Vec<Round<'_>> {
    let longest = cases
        .iter()
        .map(|(_, case)| case.rounds().len())
        .max()
        .unwrap_or(0);
    let round = |place: Option<usize>| {
        let mut verdicts = BTreeMap::new();
        let worlds = cases.iter().map(|(number, case)| {
            let change = place.and_then(|place| case.rounds().get(place).copied());
            if let Some(change) = change {
                verdicts.insert(*number, change);
            }
            World::new(case, *number, change.map_or("", |(_, edits)| edits))
        });
        let worlds = worlds.collect();
        Round { worlds, verdicts }
    };
    std::iter::once(None)
        .chain((0..longest).map(Some))
        .map(round)
        .collect()
}

/// What a build said and made.
struct Built {
    /// Whether the judged step of a case ran.
    ran: BTreeMap<usize, bool>,
    /// Every path of every case's tree with all that counts.
    trees: BTreeMap<usize, BTreeMap<String, String>>,
}

fn build(context: &TestContext, round: &Round<'_>, store: &str, verify: &[&str]) -> Built {
    let mut dockerfile = "FROM busybox AS tools\nCOPY probe probe32 /bin/\n".to_owned();
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
        let change = round.verdicts.get(&number);
        let edits = change.map_or("unchanged", |(_, edits)| edits);
        if same != anew {
            let paths = same
                .keys()
                .chain(anew.keys())
                .filter(|path| same.get(*path) != anew.get(*path));
            let paths: std::collections::BTreeSet<_> = paths.collect();
            wrong.push(format!(
                "WRONG HIT {} [{edits}]: differs in {paths:?}",
                world.case.name
            ));
        }
        if let Some((verdict, _)) = change {
            let is = if built.ran[&number] {
                Verdict::Again
            } else {
                Verdict::Reused
            };
            if is != *verdict {
                wrong.push(format!("{} [{edits}]: {verdict:?} was expected", world.case.name));
            }
        }
    }
    wrong
}

fn run(user: Option<User>) {
    if busybox::layout().is_none() {
        return;
    }
    let is_root = user.is_none();
    let context = TestContext::of(user);
    if !probe::compile(&context) {
        return;
    }
    let cases: Vec<(usize, Case)> = case::all()
        .into_iter()
        .filter(|case| is_root || !case.root_only)
        .enumerate()
        .collect();
    assert!(
        cases.len() >= if is_root { 120 } else { 115 },
        "{} cases",
        cases.len()
    );
    let mut wrong = Vec::new();
    for (place, round) in rounds(&cases).iter().enumerate() {
        let built = build(&context, round, "store", &[]);
        let anew = format!("store-{place}");
        let fresh = build(&context, round, &anew, &[]);
        wrong.extend(complaints(round, &built, &fresh));
        assert!(
            fresh.ran.values().all(|ran| *ran),
            "an empty store has nothing to reuse"
        );
    }
    assert!(
        wrong.is_empty(),
        "{} complaints:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
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
