//! Small builds beside BuildKit, both from the same OCI layouts: a rebuild, an empty step, a large context.

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

/// One build of each side.
struct Pair<'a> {
    ours: Box<dyn Fn() -> Command + 'a>,
    theirs: Box<dyn Fn() -> Command + 'a>,
    /// Equal parts that a build has, of which the figures are one.
    parts: u32,
}

/// All of them.
pub(super) fn small(bed: &Bed, report: &mut Report) -> Result<(), String> {
    let buildkit = BuildKit::start(&bed.scratch)?;
    rebuild(bed, &buildkit, report)?;
    let plain = layout(bed, &project(bed, "peers-plain", &[])?, "box")?;
    let steps = bed.directory("peers-steps")?;
    let runs: Vec<String> = (0..STEPS).map(|step| format!("RUN true {step}\n")).collect();
    write(&steps.join("Dockerfile"), &format!("FROM box\n{}", runs.concat()))?;
    let flag = plain.flag("box");
    let pair = Pair {
        ours: Box::new(|| ours(bed, &["--no-cache", &flag], &steps)),
        theirs: Box::new(|| {
            let mut command = buildkit.build(&steps, &[("box", &plain)]);
            command.arg("--no-cache");
            command
        }),
        parts: STEPS,
    };
    pair.measure(bed, &buildkit, report, "one RUN true of twenty")?;
    let context = files(bed, "peers-context", 50_000)?;
    let pair = Pair {
        ours: Box::new(|| ours(bed, &[], &context)),
        theirs: Box::new(|| buildkit.build(&context, &[])),
        parts: 1,
    };
    pair.measure(bed, &buildkit, report, "context of 50,000 unchanged files")
}

/// Quickstart with nothing changed.
fn rebuild(bed: &Bed, buildkit: &BuildKit, report: &mut Report) -> Result<(), String> {
    let example = bed.directory("peers-quickstart")?;
    run(Command::new("cp")
        .args(["-a", "examples/quickstart/."])
        .arg(&example))?;
    let builder = layout(bed, &example, "builder")?;
    let runtime = layout(bed, &example, "runtime")?;
    let flags = [builder.flag("builder"), runtime.flag("runtime")];
    let pair = Pair {
        ours: Box::new(|| ours(bed, &[&flags[0], &flags[1]], &example)),
        theirs: Box::new(|| buildkit.build(&example, &[("builder", &builder), ("runtime", &runtime)])),
        parts: 1,
    };
    pair.measure(bed, buildkit, report, "quickstart, nothing changed")
}

fn ours(bed: &Bed, flags: &[&str], directory: &Path) -> Command {
    let mut command = bed.wharf("peers-store");
    command.args(["build", "-q"]).args(flags).arg(directory);
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

impl Pair<'_> {
    /// One build of each that does not count, then the rounds; who starts alternates.
    fn measure(&self, bed: &Bed, buildkit: &BuildKit, report: &mut Report, what: &str) -> Result<(), String> {
        run(&mut (self.ours)())?;
        run(&mut (self.theirs)())?;
        let sides = [&self.ours, &self.theirs];
        let (mut wall, mut cpu) = ([vec![], vec![]], [vec![], vec![]]);
        for round in 0..bed.runs as usize {
            for side in [round % 2, (round + 1) % 2] {
                let before = buildkit.cpu()?;
                let cost = measure(|| run(&mut sides[side]()))?;
                let daemon = if side == 1 {
                    buildkit.cpu()?.saturating_sub(before)
                } else {
                    Duration::ZERO
                };
                wall[side].push(millis(cost.wall) / f64::from(self.parts));
                cpu[side].push(millis(cost.cpu + daemon) / f64::from(self.parts));
            }
        }
        for (who, (wall, cpu)) in ["wharf", "BuildKit"].into_iter().zip(wall.into_iter().zip(cpu)) {
            report.add(what, who, "ms", wall);
            report.add(what, &format!("{who}, CPU"), "ms", cpu);
        }
        report.ratio(what, "BuildKit", "wharf");
        Ok(())
    }
}
