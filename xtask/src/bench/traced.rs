//! What large path sets and large trees cost.

use std::process::Command;

use super::{
    Bed,
    measure::{measure, peak_memory, run},
    report::Report,
    single::{files, millis, project, write},
};

/// The check of a path set of 20,000 names: a step that asked for all of them is reused on files one of which is new, beside
/// the same with a step that asked for a hundred.
pub(super) fn path_set(bed: &Bed, report: &mut Report) -> Result<(), String> {
    let context = files(bed, "path-set", 20_000)?;
    project_file(bed, &context)?;
    // Named, not globbed: a pattern lists the directory, where a name is new.
    let asked = [
        ("20,000 names", "$(seq -f /files/d%.0f 0 199)"),
        ("100 names", "/files/d0"),
    ];
    for (name, names) in asked {
        let steps = format!("FROM box\nCOPY . /files\nRUN find {names} -size +1000000k\n");
        write(&context.join(name), &steps)?;
    }
    let build = |name: &str| {
        let mut command = bed.wharf("path-set-store");
        command
            .args(["build", "-q", "-f"])
            .arg(context.join(name))
            .arg(&context);
        command
    };
    let mut walls = [Vec::new(), Vec::new()];
    for round in 0..=bed.runs {
        for (walls, (name, _)) in walls.iter_mut().zip(asked) {
            // Each step sees other files than the last time, none of which it asked for; and each COPY makes a layer.
            write(&context.join("note"), &format!("{round} {name}\n"))?;
            let cost = measure(|| run(&mut build(name)))?;
            if round > 0 {
                walls.push(millis(cost.wall));
            }
        }
    }
    let more = walls[0]
        .iter()
        .zip(&walls[1])
        .map(|(all, few)| all - few)
        .collect();
    for ((name, _), walls) in asked.into_iter().zip(walls) {
        report.add("step reused by its path set", name, "ms", walls);
    }
    report.add("step reused by its path set", "difference", "ms", more);
    Ok(())
}

/// Peak memory of the process that serves a tree of 200,000 files to a step that looks at each of them.
pub(super) fn large_tree(bed: &Bed, report: &mut Report) -> Result<(), String> {
    let context = files(bed, "large-tree", 200_000)?;
    project_file(bed, &context)?;
    write(
        &context.join("Dockerfile"),
        "FROM box\nCOPY . /files\nRUN find /files -size +1000000k\n",
    )?;
    let build = |more: &[&str]| -> Command {
        let mut command = bed.wharf("large-tree-store");
        command.args(["build", "-q"]).args(more).arg(&context);
        command
    };
    run(&mut build(&[]))?;
    let peaks: Result<Vec<f64>, String> = (0..bed.runs)
        .map(|_| peak_memory(&build(&["--no-cache"])))
        .collect();
    report.add("200,000 files, served to a step", "wharf", "MiB", peaks?);
    Ok(())
}

/// Puts the project's base beside the files.
fn project_file(bed: &Bed, context: &std::path::Path) -> Result<(), String> {
    let base = project(bed, "traced-base", &[])?.join("wharf.toml");
    std::fs::copy(&base, context.join("wharf.toml"))
        .map(drop)
        .map_err(|error| format!("{}: {error}", base.display()))
}
