//! One project at a time: rebuilds, the cost of a step, contexts, memory, bases, what recording costs.

use std::{fs, path::Path, process::Command};

use super::{
    Bed,
    measure::{measure, peak_memory, run},
    report::Report,
};

/// Whom `cargo xtask setup` makes for tests, with subordinate ids.
const USER: &str = "wharf-test";

/// Short commands are measured so many at a time.
const BATCH: u32 = 20;

pub(super) fn millis(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Nothing changed since the last build of quickstart.
pub(super) fn rebuild(bed: &Bed, report: &mut Report) -> Result<(), String> {
    let build = || {
        run(bed
            .wharf("quickstart")
            .args(["build", "-q", "-t", "quickstart", "examples/quickstart"]))
    };
    build()?;
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..bed.runs {
        let cost = measure(|| (0..BATCH).try_for_each(|_| build()))?.each(BATCH);
        wall.push(millis(cost.wall));
        cpu.push(millis(cost.cpu));
    }
    report.add("rebuild, nothing changed: wall", "wharf", "ms", wall);
    report.add("rebuild, nothing changed: CPU", "wharf", "ms", cpu);
    Ok(())
}

/// One source file changed: everything but the steps' own time.
pub(super) fn change(bed: &Bed, report: &mut Report) -> Result<(), String> {
    let project = bed.directory("change")?;
    run(Command::new("cp")
        .args(["-a", "examples/quickstart/."])
        .arg(&project))?;
    let source = fs::read_to_string(project.join("server.c")).map_err(|error| error.to_string())?;
    let build = || run(bed.wharf("change-store").args(["build", "-q"]).arg(&project));
    build()?;
    let (mut whole, mut beyond) = (Vec::new(), Vec::new());
    for round in 0..bed.runs {
        write(&project.join("server.c"), &format!("{source}\n// {round}\n"))?;
        let cost = measure(build)?;
        let shown = bed
            .wharf("change-store")
            .args(["explain", "--json"])
            .output()
            .map_err(|error| error.to_string())?;
        let steps = ran_millis(&String::from_utf8_lossy(&shown.stdout));
        whole.push(millis(cost.wall));
        beyond.push(millis(cost.wall) - steps);
    }
    report.add("one source file changed: wall", "wharf", "ms", whole);
    report.add("one source file changed: beyond RUN", "wharf", "ms", beyond);
    Ok(())
}

/// The time of RUN steps in the JSON of `wharf explain`.
fn ran_millis(json: &str) -> f64 {
    let mut total = 0.0;
    let mut is_run = false;
    for line in json.lines().map(str::trim) {
        if let Some(title) = line.strip_prefix("\"title\": ") {
            is_run = title.contains("] RUN");
        }
        if let (true, Some(took)) = (is_run, line.strip_prefix("\"took_ms\": ")) {
            total += took.trim_end_matches(',').parse::<f64>().unwrap_or_default();
        }
    }
    total
}

/// A chain of steps that do nothing, as root and as the ordinary user that the tests have.
pub(super) fn run_true(bed: &Bed, report: &mut Report) -> Result<(), String> {
    let project = project(bed, "run-true", &["busybox"])?;
    let steps: Vec<String> = (0..BATCH).map(|number| format!("RUN : {number}")).collect();
    let steps = steps.join("\n");
    write(&project.join("Dockerfile"), &format!("FROM box\n{steps}\n"))?;
    let chain = |mut command: Command| -> Result<Vec<f64>, String> {
        command.args(["build", "-q", "--no-cache"]).arg(&project);
        run(&mut command)?;
        let costs: Result<Vec<_>, _> = (0..bed.runs).map(|_| measure(|| run(&mut command))).collect();
        Ok(costs?.iter().map(|cost| millis(cost.each(BATCH).wall)).collect())
    };
    let what = "RUN that does nothing";
    report.add(what, "wharf", "ms", chain(bed.wharf("run-true-store"))?);
    let home = bed.directory("run-true-home")?;
    run(Command::new("chown").arg(USER).arg(&home))?;
    run(Command::new("chmod").args(["0666", "/dev/fuse"]))?;
    let mut ordinary = Command::new("setpriv");
    ordinary
        .args([
            &format!("--reuid={USER}"),
            &format!("--regid={USER}"),
            "--init-groups",
        ])
        .args(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"])
        .arg(format!("HOME={}", home.display()))
        .arg(&bed.wharf);
    report.add(what, "wharf, ordinary user", "ms", chain(ordinary)?);
    Ok(())
}

/// A project with a base `box` of these packages.
pub(super) fn project(bed: &Bed, name: &str, packages: &[&str]) -> Result<std::path::PathBuf, String> {
    let project = bed.directory(name)?;
    let packages = packages
        .iter()
        .map(|package| format!("\"{package}\""))
        .collect::<Vec<_>>()
        .join(", ");
    let base = format!("[base.box]\napt = \"host\"\nvariant = \"minbase\"\npackages = [{packages}]\n");
    write(&project.join("wharf.toml"), &base)?;
    Ok(project)
}

/// Many files that did not change.
pub(super) fn context(bed: &Bed, report: &mut Report) -> Result<(), String> {
    let project = files(bed, "context", 50_000)?;
    let build = || run(bed.wharf("context-store").args(["build", "-q"]).arg(&project));
    build()?;
    build()?;
    let costs: Result<Vec<_>, _> = (0..bed.runs).map(|_| measure(build)).collect();
    let wall = costs?.iter().map(|cost| millis(cost.wall)).collect();
    report.add("context of 50,000 unchanged files", "wharf", "ms", wall);
    Ok(())
}

/// Peak memory with many files, at the first build and with nothing changed.
pub(super) fn memory(bed: &Bed, report: &mut Report) -> Result<(), String> {
    let project = files(bed, "memory", 100_000)?;
    let mut build = bed.wharf("memory-store");
    build.args(["build", "-q"]).arg(&project);
    report.add(
        "memory, 100,000 files, first build",
        "wharf",
        "MiB",
        vec![peak_memory(&build)?],
    );
    report.add(
        "memory, 100,000 files, nothing changed",
        "wharf",
        "MiB",
        vec![peak_memory(&build)?],
    );
    Ok(())
}

pub(super) fn files(bed: &Bed, name: &str, count: usize) -> Result<std::path::PathBuf, String> {
    let project = bed.directory(name)?;
    write(&project.join("Dockerfile"), "FROM scratch\nCOPY . /files\n")?;
    for number in 0..count {
        let directory = project.join(format!("d{}", number / 100));
        if number % 100 == 0 {
            fs::create_dir(&directory).map_err(|error| error.to_string())?;
        }
        write(&directory.join(format!("f{number}")), &format!("file {number}\n"))?;
    }
    // Younger than the stat cache's last write, files would be hashed again.
    std::thread::sleep(std::time::Duration::from_secs(2));
    Ok(project)
}

/// A base of Debian's variant minbase, from nothing and from what is here already.
pub(super) fn base(bed: &Bed, report: &mut Report) -> Result<(), String> {
    let project = bed.directory("base")?;
    let tables = "[base.one]\napt = \"host\"\nvariant = \"minbase\"\npackages = []\n\n[base.two]\napt = \"host\"\nvariant = \"minbase\"\npackages = [\"less\"]\n";
    write(&project.join("wharf.toml"), tables)?;
    let cache = bed.directory("debs")?;
    let (mut cold, mut warm, mut peer_cold, mut peer_warm) = (vec![], vec![], vec![], vec![]);
    for round in 0..bed.runs.min(3) {
        let store = format!("base-store-{round}");
        let make = |name: &str| {
            run(bed
                .wharf(&store)
                .args(["base", "build", name, "--project"])
                .arg(&project))
        };
        cold.push(measure(|| make("one"))?.wall.as_secs_f64());
        warm.push(measure(|| make("two"))?.wall.as_secs_f64());
        let out = bed.scratch.join("peer.tar");
        let peer = |hooks: &[String]| {
            let _ = fs::remove_file(&out);
            run(Command::new("mmdebstrap")
                .args(["--quiet", "--variant=minbase"])
                .args(hooks)
                .arg("bookworm")
                .arg(&out))
        };
        peer_cold.push(measure(|| peer(&[]))?.wall.as_secs_f64());
        let hooks = [
            "--include=less".to_owned(),
            "--skip=essential/unlink".to_owned(),
            format!(
                "--setup-hook=mkdir -p \"$1\"/var/cache/apt/archives/ && cp -a {0}/. \"$1\"/var/cache/apt/archives/",
                cache.display()
            ),
            format!(
                "--customize-hook=cp -a \"$1\"/var/cache/apt/archives/. {0}/",
                cache.display()
            ),
        ];
        if round == 0 {
            peer(&hooks)?;
        }
        peer_warm.push(measure(|| peer(&hooks))?.wall.as_secs_f64());
    }
    for (what, who, values) in [
        ("base minbase, cold", "wharf", cold),
        ("base minbase, cold", "mmdebstrap", peer_cold),
        ("base minbase, packages here", "wharf", warm),
        ("base minbase, packages here", "mmdebstrap", peer_warm),
    ] {
        report.add(what, who, "s", values);
    }
    report.ratio("base minbase, cold", "mmdebstrap", "wharf");
    report.ratio("base minbase, packages here", "mmdebstrap", "wharf");
    Ok(())
}

/// Ten processes at once, each with a step of its own that only computes, beside the bare commands at once.
pub(super) fn together(bed: &Bed, report: &mut Report) -> Result<(), String> {
    let project = project(bed, "together", &["busybox"])?;
    // mawk is in the base and here, of one version.
    let work = |number: u32| {
        format!(
            "mawk 'BEGIN {{ for (i = 0; i < {}; i++) s += i; print s }}'",
            30_000_000 + number
        )
    };
    for number in 0..10 {
        let text = format!("FROM box\nRUN {}\n", work(number));
        write(&project.join(format!("Dockerfile.{number}")), &text)?;
    }
    let build = |number: u32| {
        let mut command = bed.wharf("together-store");
        command
            .args(["build", "-q", "--no-cache", "-f"])
            .arg(project.join(format!("Dockerfile.{number}")))
            .arg(&project);
        command
    };
    let bare = |number: u32| {
        let mut command = Command::new("sh");
        command.args(["-c", &work(number)]);
        command
    };
    let at_once = |command: &dyn Fn(u32) -> Command| -> Result<(), String> {
        let all: Result<Vec<_>, _> = (0..10)
            .map(|number| {
                command(number)
                    .stdout(std::process::Stdio::null())
                    .stderr(std::process::Stdio::null())
                    .spawn()
            })
            .collect();
        for mut child in all.map_err(|error| error.to_string())? {
            let status = child.wait().map_err(|error| error.to_string())?;
            if !status.success() {
                return Err(format!("one of ten processes: {status}"));
            }
        }
        Ok(())
    };
    run(&mut build(0))?;
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..bed.runs {
        ours.push(millis(measure(|| at_once(&build))?.wall));
        plain.push(millis(measure(|| at_once(&bare))?.wall));
    }
    let what = "ten processes at once, each its own step";
    report.add(what, "wharf", "ms", ours);
    report.add(what, "the bare commands", "ms", plain);
    report.ratio(what, "wharf", "the bare commands");
    Ok(())
}
