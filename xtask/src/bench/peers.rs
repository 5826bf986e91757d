//! Small builds beside BuildKit and buildah, all from the same OCI layouts: a rebuild, an empty step, a large context.

use std::{path::Path, process::Command, time::Duration};

use super::{
    Bed,
    buildkit::{BuildKit, Layout},
    measure::{measure, run},
    report::Report,
    single::{files, millis, project, write},
};

/// Empty steps of one build.
const STEPS: u32 = 20;

/// One builder and its build.
struct Side<'a> {
    who: &'static str,
    build: Box<dyn Fn() -> Command + 'a>,
}

impl<'a> Side<'a> {
    fn new(who: &'static str, build: impl Fn() -> Command + 'a) -> Self {
        Self {
            who,
            build: Box::new(build),
        }
    }
}

/// All of them.
pub(super) fn small(bed: &Bed, report: &mut Report) -> Result<(), String> {
    let buildkit = BuildKit::start(&bed.scratch)?;
    rebuild(bed, &buildkit, report)?;
    let plain = layout(bed, &project(bed, "peers-plain", &[])?, "box")?;
    bring_to_buildah(bed, &plain, "box")?;
    let steps = bed.directory("peers-steps")?;
    let runs: Vec<String> = (0..STEPS).map(|step| format!("RUN true {step}\n")).collect();
    write(&steps.join("Dockerfile"), &format!("FROM box\n{}", runs.concat()))?;
    let flag = plain.flag("box");
    let sides = [
        Side::new("wharf", || ours(bed, &["--no-cache", &flag], &steps)),
        Side::new("BuildKit", || {
            let mut command = buildkit.build_image(&steps, &[("box", &plain)]);
            command.arg("--no-cache");
            command
        }),
        Side::new("buildah", || buildah_build(bed, &["--no-cache"], &steps)),
    ];
    compare(bed, &buildkit, report, "one RUN true of twenty", &sides, STEPS)?;
    let context = files(bed, "peers-context", 50_000)?;
    let sides = [
        Side::new("wharf", || ours(bed, &[], &context)),
        Side::new("BuildKit", || buildkit.build_image(&context, &[])),
        Side::new("buildah", || buildah_build(bed, &[], &context)),
    ];
    compare(
        bed,
        &buildkit,
        report,
        "context of 50,000 unchanged files",
        &sides,
        1,
    )
}

/// Quickstart with nothing changed.
fn rebuild(bed: &Bed, buildkit: &BuildKit, report: &mut Report) -> Result<(), String> {
    let example = bed.directory("peers-quickstart")?;
    run(Command::new("cp")
        .args(["-a", "examples/quickstart/."])
        .arg(&example))?;
    let builder = layout(bed, &example, "builder")?;
    let runtime = layout(bed, &example, "runtime")?;
    bring_to_buildah(bed, &builder, "builder")?;
    bring_to_buildah(bed, &runtime, "runtime")?;
    let flags = [builder.flag("builder"), runtime.flag("runtime")];
    let sides = [
        Side::new("wharf", || ours(bed, &[&flags[0], &flags[1]], &example)),
        Side::new("BuildKit", || {
            buildkit.build_image(&example, &[("builder", &builder), ("runtime", &runtime)])
        }),
        Side::new("buildah", || buildah_build(bed, &[], &example)),
    ];
    compare(bed, buildkit, report, "quickstart, nothing changed", &sides, 1)
}

fn ours(bed: &Bed, flags: &[&str], directory: &Path) -> Command {
    let mut command = bed.wharf("peers-store");
    command.args(["build", "-q"]).args(flags).arg(directory);
    command
}

/// buildah with storage of its own.
fn buildah(bed: &Bed) -> Command {
    let mut command = Command::new("buildah");
    command
        .arg("--root")
        .arg(bed.scratch.join("buildah"))
        .arg("--runroot")
        .arg(bed.scratch.join("buildah-run"))
        .arg("--storage-driver=overlay");
    command
}

fn bring_to_buildah(bed: &Bed, layout: &Layout, name: &str) -> Result<(), String> {
    let mut pull = buildah(bed);
    pull.arg("pull").arg(format!("oci:{}", layout.path.display()));
    let output = pull.output().map_err(|error| format!("buildah: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let image = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    run(buildah(bed).args(["tag", &image, &format!("localhost/{name}")]))
}

/// As the others do, it keeps the result of every step.
fn buildah_build(bed: &Bed, flags: &[&str], directory: &Path) -> Command {
    let mut command = buildah(bed);
    command
        .args([
            "build",
            "--quiet",
            "--layers",
            "--isolation=oci",
            "--network=host",
        ])
        .args(flags)
        .arg(directory);
    command
}

/// A base of the project's `wharf.toml` as an OCI layout.
fn layout(bed: &Bed, project: &Path, base: &str) -> Result<Layout, String> {
    let file = project.join(format!("{base}.dockerfile"));
    write(&file, &format!("FROM {base}\n"))?;
    let path = bed.scratch.join(format!("peers-{base}-layout"));
    let output = format!("type=oci,tar=false,dest={}", path.display());
    let mut command = bed.wharf("peers-store");
    command
        .args(["build", "-q", "-o", &output, "-f"])
        .arg(&file)
        .arg(project);
    run(&mut command)?;
    Layout::open(path)
}

/// One build of each that does not count, then the rounds; who starts goes round. `parts` are the equal parts of a build, of which
/// the figures are one.
fn compare(
    bed: &Bed,
    buildkit: &BuildKit,
    report: &mut Report,
    what: &str,
    sides: &[Side<'_>; 3],
    parts: u32,
) -> Result<(), String> {
    for side in sides {
        run(&mut (side.build)())?;
    }
    let mut series = [const { (Vec::new(), Vec::new()) }; 3];
    for round in 0..bed.runs as usize {
        for turn in 0..sides.len() {
            let side = (round + turn) % sides.len();
            let before = buildkit.cpu()?;
            let cost = measure(|| run(&mut (sides[side].build)()))?;
            let daemon = if sides[side].who == "BuildKit" {
                buildkit.cpu()?.saturating_sub(before)
            } else {
                Duration::ZERO
            };
            series[side].0.push(millis(cost.wall) / f64::from(parts));
            series[side].1.push(millis(cost.cpu + daemon) / f64::from(parts));
        }
    }
    for (side, (wall, cpu)) in sides.iter().zip(series) {
        report.add(what, side.who, "ms", wall);
        report.add(what, &format!("{}, CPU", side.who), "ms", cpu);
    }
    report.ratio(what, "BuildKit", "wharf");
    report.ratio(what, "buildah", "wharf");
    Ok(())
}
