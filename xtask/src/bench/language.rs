//! The language alone: long Dockerfiles, and many.

use std::{fmt::Write as _, process::Command};

use super::{
    Bed,
    measure::{measure, run},
    report::Report,
    single::{millis, write},
};
use crate::stage::cargo;

/// As long as the longest that people write by machine.
const LINES: usize = 2000;

/// A company's repositories.
const FILES: usize = 1000;

/// Parsing and lowering of one long Dockerfile, and the check of many ordinary ones.
pub(super) fn language(bed: &Bed, report: &mut Report) -> Result<(), String> {
    let folder = bed.directory("language")?;
    let long = folder.join("long");
    write(&long, &dockerfile(LINES / STAGE.lines().count()))?;
    let output = cargo(&[
        "run",
        "--quiet",
        "--release",
        "--package=wharf-graph",
        "--example=parse_and_lower",
        "--",
    ])
    .arg(&long)
    .arg((bed.runs * 4).to_string())
    .output()
    .map_err(|error| format!("cargo: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let times = said.lines().filter_map(|line| line.parse().ok()).collect();
    report.add(&format!("parse and lower {LINES} lines"), "wharf", "ms", times);

    let files: Vec<_> = (0..FILES)
        .map(|index| folder.join(format!("Dockerfile.{index}")))
        .collect();
    for file in &files {
        write(file, &dockerfile(2))?;
    }
    let mut wall = Vec::new();
    for _ in 0..bed.runs {
        let check = || run(Command::new(&bed.wharf).arg("check").args(&files));
        wall.push(millis(measure(check)?.wall));
    }
    report.add(&format!("check {FILES} Dockerfiles: wall"), "wharf", "ms", wall);
    Ok(())
}

/// What a stage is made of; `@` is its number.
const STAGE: &str = r#"# stage@ of many
FROM scratch AS stage@
ARG VERSION=1.@
ARG DEBIAN_FRONTEND=noninteractive
ENV PATH=/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    APP_VERSION=${VERSION:-none}
LABEL org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.title='stage @'
WORKDIR /srv/app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm \
    npm ci --no-audit \
 && npm cache verify
COPY --chown=1000:1000 . .
RUN <<script
set -e
npm run build
npm prune --production
script
EXPOSE 8080/tcp 8443
USER 1000
HEALTHCHECK --interval=30s CMD ["node", "health.js"]
CMD ["node", "server.js"]

"#;

fn dockerfile(stages: usize) -> String {
    (0..stages).fold(String::new(), |mut text, stage| {
        let _ = write!(text, "{}", STAGE.replace('@', &stage.to_string()));
        text
    })
}
