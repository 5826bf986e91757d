//! What recording costs: the same work on the recorded root and on a checked-out directory, in turns.
//!
//! The work times itself, from its first command to its last: on the recorded root what the server needs is in it, and on the
//! other one the time in which the directory was written is not. Downloads are made before, in a stage of their own.

use std::process::Command;

use super::{
    Bed,
    measure::{bootstrap, measure, median},
    report::Report,
    single::{millis, project, write},
};

/// The smallest number of pairs that says something.
const PAIRS: u32 = 21;

const PACKAGES: &[&str] = &[
    "apt",
    "ca-certificates",
    "gcc",
    "libc6-dev",
    "nodejs",
    "npm",
    "python3",
    "python3-pip",
];

/// A piece of work: its name, what is brought before, and what is timed.
struct Work {
    name: &'static str,
    before: &'static str,
    timed: &'static str,
}

const WORKS: &[Work] = &[
    Work {
        name: "gcc, 40 times",
        before: "COPY part.c /",
        timed: "for i in $(seq 40); do gcc -O1 -c part.c -o $i.o; done",
    },
    Work {
        name: "compileall of the standard library",
        before: "",
        timed: "python3 -m compileall -q -f /usr/lib/python3*",
    },
    Work {
        name: "pip install of pandas",
        before: "RUN pip download -q -d /wheels pandas",
        timed: "pip install --break-system-packages -q --no-index --find-links /wheels pandas",
    },
    Work {
        name: "npm ci and webpack",
        before: "WORKDIR /page\nCOPY page .\nRUN npm install --silent --no-audit --no-fund webpack@5 webpack-cli@5 react@18 react-dom@18 && rm -r node_modules",
        timed: "npm ci --silent --offline --no-audit --no-fund && node_modules/.bin/webpack --mode production > /dev/null",
    },
    Work {
        name: "cargo build of regex, serde and clap",
        before: "COPY --from=rust bin /opt/rust/bin\nCOPY --from=rust lib /opt/rust/lib\nENV PATH=/opt/rust/bin:/usr/bin:/bin\nWORKDIR /crate\nCOPY crate .\nRUN cargo fetch -q",
        timed: "cargo build -q --offline",
    },
    Work {
        name: "apt-get install of build-essential",
        before: "RUN apt-get -qq update && apt-get -qq -y --download-only install build-essential > /dev/null",
        timed: "DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-download install build-essential > /dev/null",
    },
    Work {
        name: "python3 -c 1",
        before: "",
        timed: "python3 -c 1",
    },
];

/// One root filesystem's figures in milliseconds.
#[derive(Default)]
struct Series {
    work: Vec<f64>,
    cpu: Vec<f64>,
}

/// Measures every piece of work on both, in turns; who starts alternates.
pub(super) fn recording(bed: &Bed, report: &mut Report) -> Result<(), String> {
    let context = project(bed, "recording", PACKAGES)?;
    let functions: Vec<String> = (0..40)
        .map(|number| format!("int f{number}(int a) {{ return a * {number}; }}\n"))
        .collect();
    let headers = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n";
    let crate_file = "[package]\nname = \"it\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nregex = \"1\"\nserde = { version = \"1\", features = [\"derive\"] }\nclap = { version = \"4\", features = [\"derive\"] }\n";
    let page = "import React from 'react';\nimport { createRoot } from 'react-dom/client';\ncreateRoot(document.body).render(React.createElement('p', null, 'hello'));\n";
    for (file, text) in [
        ("part.c", format!("{headers}{}", functions.concat())),
        ("crate/Cargo.toml", crate_file.to_owned()),
        ("crate/src/main.rs", "fn main() {}\n".to_owned()),
        (
            "page/package.json",
            "{\"name\":\"page\",\"version\":\"1.0.0\"}\n".to_owned(),
        ),
        ("page/src/index.js", page.to_owned()),
    ] {
        let path = context.join(file);
        let folder = path.parent().expect("the context is above it");
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        write(&path, &text)?;
    }
    let rust = format!("--build-context=rust={}", sysroot()?);
    for Work { name, before, timed } in WORKS.iter().filter(|work| work.name.contains(&bed.only)) {
        let steps = format!(
            "FROM box AS before\n{before}\nFROM before AS timed\nRUN a=$(date +%s%N); {timed}; b=$(date +%s%N); echo took $((b - a)) nanoseconds\n"
        );
        write(&context.join("Dockerfile"), &steps)?;
        let build = |rung: &str| -> Result<(f64, f64), String> {
            let mut command = bed.wharf("recording-store");
            command
                .args(["build", "--progress=plain", "--no-cache-filter=timed", &rust])
                .arg(format!("--sandbox={rung}"))
                .arg(&context);
            timed_build(&mut command)
        };
        let rungs = ["fuse", "overlay"];
        let mut series = [Series::default(), Series::default()];
        for rung in rungs {
            build(rung)?;
        }
        for pair in 0..bed.runs.max(PAIRS) as usize {
            for side in [pair % 2, (pair + 1) % 2] {
                let (work, cpu) = build(rungs[side])?;
                series[side].work.push(work);
                series[side].cpu.push(cpu);
            }
        }
        let [fuse, overlay] = series;
        let ratios: Vec<f64> = fuse
            .work
            .iter()
            .zip(&overlay.work)
            .map(|(one, other)| one / other)
            .collect();
        let (low, high) = bootstrap(&ratios);
        println!(
            "{name}: ratio {:.3}, 95 % interval {low:.3} to {high:.3}",
            median(&ratios)
        );
        report.add(name, "recorded / checked out", "times", ratios);
        for (who, series) in [("recorded root", fuse), ("checked-out directory", overlay)] {
            report.add(name, who, "ms", series.work);
            report.add(name, &format!("{who}, CPU of all of wharf"), "ms", series.cpu);
        }
    }
    Ok(())
}

/// Milliseconds that the timed step says it took, and the processor time of wharf and everything that it started.
fn timed_build(command: &mut Command) -> Result<(f64, f64), String> {
    let mut said = String::new();
    let cost = measure(|| {
        let output = command.output().map_err(|error| error.to_string())?;
        said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            Ok(())
        } else {
            Err(format!("{command:?}: {said}"))
        }
    })?;
    let nanos = said
        .lines()
        .filter_map(|line| {
            line.split("took ")
                .nth(1)?
                .strip_suffix(" nanoseconds")?
                .parse::<f64>()
                .ok()
        })
        .next_back()
        .ok_or_else(|| format!("the step did not say how long it took: {said}"))?;
    Ok((nanos / 1e6, millis(cost.cpu)))
}

/// Where this machine's Rust is.
fn sysroot() -> Result<String, String> {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .map_err(|error| format!("rustc: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
