//! A Dockerfile of 2,000 lines, for measuring: `cargo test --release -p wharf-graph --test it -- --ignored --nocapture`.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use wharf_graph::{Bases, lower, required_bases};

use crate::{base_image, options, parsed};

/// Twenty stages of a hundred lines.
fn long_dockerfile() -> String {
    let mut text = "ARG VERSION=3.20\n".to_owned();
    for stage in 0..20 {
        writeln!(
            text,
            "FROM alpine:$VERSION AS s{stage}\nARG VERSION\nWORKDIR /src/{stage}"
        )
        .unwrap();
        for line in 0..24 {
            writeln!(text, "ENV NAME_{line}=\"${{NAME_{line}:-value}} {stage}\"").unwrap();
            writeln!(
                text,
                "RUN --mount=type=cache,target=/root/.cache make -j4 part-{line} && \\"
            )
            .unwrap();
            writeln!(text, "    rm -rf /tmp/$VERSION").unwrap();
            writeln!(
                text,
                "COPY --chown=1000:1000 src/{line}/*.c src/{line}/*.h ./{line}/"
            )
            .unwrap();
        }
        if stage > 0 {
            writeln!(text, "COPY --from=s{} /out /in", stage - 1).unwrap();
        }
    }
    text
}

#[test]
fn a_long_dockerfile_lowers() {
    let text = long_dockerfile();
    let graph = crate::lowered(&text, &options::plain(), &options::KnownBases::new()).unwrap();
    assert!(text.lines().count() >= 1_990);
    assert_eq!(graph.steps.len(), 2 + 20 + 20 * 48 + 19);
}

#[test]
#[ignore = "measures"]
fn how_long() {
    let text = long_dockerfile();
    let options = options::plain();
    let mut bases = Bases::new();
    for request in required_bases(&parsed(&text), &options, &bases).unwrap() {
        let image = base_image(&request.source, &request.platform, &options::KnownBases::new());
        bases.insert(request, image);
    }
    let mut best = [Duration::MAX; 2];
    for _ in 0..50 {
        let start = Instant::now();
        let dockerfile = parsed(&text);
        best[0] = best[0].min(start.elapsed());
        let graph = lower(&dockerfile, &options, &bases).unwrap();
        best[1] = best[1].min(start.elapsed());
        drop(graph);
    }
    println!(
        "{} lines, best of 50: parse {:?}, parse and lower {:?}",
        text.lines().count(),
        best[0],
        best[1]
    );
}
