//! What reading ahead saves: a step whose root is nowhere in memory, run for the first time and run again in its place.

use std::{fs, process::Command};

use super::{
    Bed,
    measure::measure,
    report::Report,
    single::{millis, project, write},
};

const PACKAGES: &[&str] = &["gcc", "libc6-dev", "python3"];

const WORKS: &[(&str, &str)] = &[
    ("gcc, once", "echo 'int f;' > part.c; gcc -c part.c -o part.o"),
    (
        "compileall of the standard library",
        "python3 -m compileall -q -f /usr/lib/python3*",
    ),
];

/// Measures each work with a page cache that is empty, in turns: with a text that is new, and with one that ran before.
pub(super) fn ahead(bed: &Bed, report: &mut Report) -> Result<(), String> {
    let context = project(bed, "ahead", PACKAGES)?;
    for (name, work) in WORKS {
        let build = |text: &str| -> Result<f64, String> {
            let steps = format!("FROM box AS before\nFROM before AS timed\nRUN : {text}; {work}\n");
            write(&context.join("Dockerfile"), &steps)?;
            let mut command = bed.wharf("ahead-store");
            command
                .args(["build", "-q", "--no-cache-filter=timed"])
                .arg(&context);
            forget()?;
            let cost = measure(|| super::quietly(&mut command))?;
            Ok(millis(cost.wall))
        };
        build("known")?;
        let (mut first, mut again) = (Vec::new(), Vec::new());
        for round in 0..bed.runs {
            first.push(build(&format!("round {round}"))?);
            again.push(build("known")?);
        }
        let what = format!("nothing in memory: {name}");
        report.add(&what, "for the first time", "ms", first);
        report.add(&what, "again, read ahead", "ms", again);
        report.ratio(&what, "for the first time", "again, read ahead");
    }
    Ok(())
}

/// Empties the page cache: proc_sys_vm(5), `drop_caches`.
fn forget() -> Result<(), String> {
    // Only what is on the disk can go.
    super::quietly(&mut Command::new("sync"))?;
    fs::write("/proc/sys/vm/drop_caches", "3")
        .map_err(|error| format!("cannot empty the page cache, which takes root: {error}"))
}
