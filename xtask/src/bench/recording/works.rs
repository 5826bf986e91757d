//! What is timed: each piece of work with a base that has what it needs and no more, for the other side writes all of it out.

/// A piece of work: its name, its base's packages, what is brought before, and what is timed.
pub(super) struct Work {
    pub(super) name: &'static str,
    pub(super) packages: &'static [&'static str],
    pub(super) before: &'static str,
    pub(super) timed: &'static str,
    /// Whether it runs only when its name is asked for.
    pub(super) extra: bool,
}

pub(super) const WORKS: &[Work] = &[
    Work {
        name: "gcc, 40 times",
        packages: &["gcc", "libc6-dev"],
        before: "COPY part.c /",
        timed: "for i in $(seq 40); do gcc -O1 -c part.c -o $i.o; done",
        extra: false,
    },
    Work {
        name: "pip install of pandas",
        packages: &["ca-certificates", "python3", "python3-pip"],
        before: "RUN pip download -q -d /wheels pandas",
        timed: "pip install --break-system-packages -q --no-index --find-links /wheels pandas",
        extra: false,
    },
    Work {
        name: "npm ci and webpack",
        packages: &["ca-certificates", "nodejs", "npm"],
        before: "WORKDIR /page\nCOPY page .\nRUN npm install --silent --no-audit --no-fund webpack@5 webpack-cli@5 react@18 react-dom@18 && rm -r node_modules",
        timed: "npm ci --silent --offline --no-audit --no-fund && node_modules/.bin/webpack --mode production > /dev/null",
        extra: false,
    },
    Work {
        name: "cargo build of regex, serde and clap",
        packages: &["ca-certificates", "gcc", "libc6-dev"],
        before: "COPY --from=rust bin/cargo bin/rustc /opt/rust/bin/\nCOPY --from=rust lib /opt/rust/lib\nENV PATH=/opt/rust/bin:/usr/bin:/bin\nWORKDIR /crate\nCOPY crate .\nRUN cargo fetch -q",
        timed: "cargo build -q --offline",
        extra: false,
    },
    Work {
        name: "apt-get install of build-essential",
        packages: &["apt", "ca-certificates"],
        before: "RUN apt-get -qq update && apt-get -qq -y --download-only install build-essential > /dev/null",
        timed: "DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-download install build-essential > /dev/null",
        extra: false,
    },
    Work {
        name: "compileall of the standard library",
        packages: &["python3"],
        before: "",
        timed: "python3 -m compileall -q -f /usr/lib/python3*",
        extra: true,
    },
];

/// The project's files but for its `Dockerfile` and `wharf.toml`.
pub(super) fn files() -> Vec<(&'static str, String)> {
    let functions: Vec<String> = (0..40)
        .map(|number| format!("int f{number}(int a) {{ return a * {number}; }}\n"))
        .collect();
    let headers = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n";
    let crate_file = "[package]\nname = \"it\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nregex = \"1\"\nserde = \"1\"\nclap = \"4\"\n";
    let page = "import React from 'react';\nimport { createRoot } from 'react-dom/client';\ncreateRoot(document.body).render(React.createElement('p', null, 'hello'));\n";
    vec![
        ("part.c", format!("{headers}{}", functions.concat())),
        ("crate/Cargo.toml", crate_file.to_owned()),
        ("crate/src/main.rs", "fn main() {}\n".to_owned()),
        (
            "page/package.json",
            "{\"name\":\"page\",\"version\":\"1.0.0\"}\n".to_owned(),
        ),
        ("page/src/index.js", page.to_owned()),
    ]
}
