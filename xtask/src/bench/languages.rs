//! One project of several languages in one Dockerfile, against the current BuildKit.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    Bed,
    buildkit::{BuildKit, Layout},
    measure::{measure, run},
    report::Report,
    single::{millis, write},
};

/// The tools, and what each language's steps do; the same in both orders.
const TOOLS: &str = "FROM tools\nRUN apt-get -qq update && apt-get -qq -y install --no-install-recommends golang-go nodejs npm python3-pip > /dev/null\nWORKDIR /src\nENV GOFLAGS=-buildvcs=false\n";
const GO_MODULES: &str = "RUN go mod download\n";
const PIP: &str = "RUN pip install --break-system-packages -q -r requirements.txt\n";
const NPM: &str = "RUN cd page && npm ci --silent --no-audit --no-fund\n";
const GENERATE: &str = "RUN python3 tools/generate.py\n";
const GO_BUILD: &str = "RUN go build -o /out/one ./cmd/one\nRUN go build -o /out/two ./cmd/two\n";
const PAGE: &str = "RUN cd page && node_modules/.bin/vite build --logLevel error\n";
const COMPILE: &str = "RUN python3 -m compileall -q app\n";

fn badly_ordered() -> String {
    [
        TOOLS,
        "COPY . .\n",
        GO_MODULES,
        PIP,
        NPM,
        GENERATE,
        GO_BUILD,
        PAGE,
        COMPILE,
    ]
    .concat()
}

/// What names dependencies first, then all else, as most projects have it.
fn well_ordered() -> String {
    [
        TOOLS,
        "COPY go.mod go.sum requirements.txt ./\nCOPY page/package.json page/package-lock.json page/\n",
        GO_MODULES,
        PIP,
        NPM,
        "COPY . .\n",
        GENERATE,
        GO_BUILD,
        PAGE,
        COMPILE,
    ]
    .concat()
}

/// Versions that a dependency goes through, one a round.
const UUID: &[&str] = &["1.1.1", "1.1.2", "1.2.0", "1.3.0", "1.3.1"];
const IDNA: &[&str] = &["3.1", "3.2", "3.3", "3.4", "3.6"];
const CLSX: &[&str] = &["1.2.0", "1.2.1", "2.0.0", "2.1.0", "2.1.1"];

/// A change of the project between two builds.
type Change = fn(&Project, usize) -> Result<(), String>;

const CHANGES: &[(&str, Change)] = &[
    ("README edited", |project, round| {
        write(
            &project.root.join("README.md"),
            &format!("# {}, {round}\n", project.name),
        )
    }),
    ("page script edited", |project, round| {
        let script = format!(
            "import {{ clsx }} from 'clsx';\ndocument.title = clsx('{}', {round});\n",
            project.name
        );
        write(&project.root.join("page/main.js"), &script)
    }),
    ("one more Python dependency", |project, round| {
        write(
            &project.root.join("requirements.txt"),
            &requirements(Some(IDNA[round % IDNA.len()])),
        )
    }),
    ("one more Go dependency", |project, round| {
        write(
            &project.root.join("go.mod"),
            &go_mod(Some(UUID[round % UUID.len()])),
        )
    }),
    ("another npm dependency", |project, round| {
        let version = CLSX[round % (CLSX.len() - 1)];
        for file in ["package.json", "package-lock.json"] {
            let from = project.locks.join(version).join(file);
            fs::copy(&from, project.root.join("page").join(file))
                .map_err(|error| format!("{}: {error}", from.display()))?;
        }
        Ok(())
    }),
];

/// One side's copy of the project.
struct Project {
    name: String,
    root: PathBuf,
    /// package.json and package-lock.json by version.
    locks: PathBuf,
}

fn requirements(idna: Option<&str>) -> String {
    let more = idna
        .map(|version| format!("idna=={version}\n"))
        .unwrap_or_default();
    format!("six==1.16.0\nclick==8.1.7\njinja2==3.1.4\n{more}")
}

fn go_mod(uuid: Option<&str>) -> String {
    let more = uuid
        .map(|version| format!("require github.com/google/uuid v{version}\n"))
        .unwrap_or_default();
    format!("module example.org/it\n\ngo 1.19\n\nrequire github.com/spf13/pflag v1.0.5\n{more}")
}

/// Measures both, in turns, for each order and each change; who starts alternates.
pub(super) fn languages(bed: &Bed, report: &mut Report) -> Result<(), String> {
    let layout = base(bed)?;
    let image = layout.flag("tools");
    let locks = prepare(bed, &image)?;
    let buildkit = BuildKit::start(&bed.scratch)?;
    for (order, dockerfile) in [
        ("badly ordered", badly_ordered()),
        ("well ordered", well_ordered()),
    ] {
        let projects = [
            project(bed, &format!("wharf {order}"), &locks, &dockerfile)?,
            project(bed, &format!("BuildKit {order}"), &locks, &dockerfile)?,
        ];
        let build = |side: usize| {
            let root = &projects[side].root;
            if side == 0 {
                let mut command = bed.wharf("languages-store");
                command.args(["build", "-q", &image]).arg(root);
                run(&mut command)
            } else {
                run(&mut buildkit.build_image(root, &[("tools", &layout)]))
            }
        };
        build(0)?;
        build(1)?;
        for (what, change) in CHANGES {
            let mut walls = [Vec::new(), Vec::new()];
            for round in 0..bed.runs as usize {
                for side in [round % 2, (round + 1) % 2] {
                    change(&projects[side], round)?;
                    walls[side].push(millis(measure(|| build(side))?.wall));
                }
            }
            let what = format!("several languages, {order}: {what}");
            for (who, walls) in ["wharf", "BuildKit"].into_iter().zip(walls) {
                report.add(&what, who, "ms", walls);
            }
            report.ratio(&what, "BuildKit", "wharf");
        }
    }
    Ok(())
}

/// The base of both: what apt needs, and this machine's certificates, which one of the two would not bring.
fn base(bed: &Bed) -> Result<Layout, String> {
    let project = bed.directory("languages-base")?;
    let certificates = "/etc/ssl/certs/ca-certificates.crt";
    let table = "[base.tools]\napt = \"host\"\nvariant = \"minbase\"\npackages = [\"ca-certificates\"]\n";
    let dockerfile = format!(
        "FROM tools\nCOPY ca.crt {certificates}\nENV PIP_CERT={certificates} SSL_CERT_FILE={certificates} NODE_EXTRA_CA_CERTS={certificates} DEBIAN_FRONTEND=noninteractive\n"
    );
    write(&project.join("wharf.toml"), table)?;
    write(&project.join("Dockerfile"), &dockerfile)?;
    fs::copy(certificates, project.join("ca.crt")).map_err(|error| error.to_string())?;
    let path = bed.scratch.join("languages-layout");
    let output = format!("type=oci,tar=false,dest={}", path.display());
    run(bed
        .wharf("languages-store")
        .args(["build", "-q", "-o", &output])
        .arg(&project))?;
    Layout::open(path)
}

/// Lock files of all versions, made by the tools themselves.
fn prepare(bed: &Bed, image: &str) -> Result<PathBuf, String> {
    let context = bed.directory("languages-prepare")?;
    let mut steps = TOOLS.to_owned();
    for version in UUID {
        write(&context.join(format!("go.mod.{version}")), &go_mod(Some(version)))?;
        steps += &format!(
            "COPY go.mod.{version} /go/go.mod\nRUN cd /go && go mod download github.com/google/uuid github.com/spf13/pflag\n"
        );
    }
    for version in CLSX {
        let text = format!(
            "{{\"name\":\"page\",\"version\":\"1.0.0\",\"dependencies\":{{\"clsx\":\"{version}\",\"vite\":\"5.4.10\"}}}}\n"
        );
        let folder = context.join(version);
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        write(&folder.join("package.json"), &text)?;
        steps += &format!(
            "COPY {version} /locks/{version}\nRUN cd /locks/{version} && npm install --silent --package-lock-only --no-audit --no-fund\n"
        );
    }
    steps += "FROM scratch\nCOPY --from=0 /go/go.sum /\nCOPY --from=0 /locks /\n";
    write(&context.join("Dockerfile"), &steps)?;
    let locks = bed.scratch.join("languages-locks");
    run(bed
        .wharf("languages-store")
        .args(["build", "-q", image, "-o"])
        .arg(&locks)
        .arg(&context))?;
    Ok(locks)
}

/// Two Go programs on 150 generated files, a page, a Python package. `name` is in the files: two sides share no step.
fn project(bed: &Bed, name: &str, locks: &Path, dockerfile: &str) -> Result<Project, String> {
    let root = bed.directory(&name.replace(' ', "-"))?;
    let generator = format!(
        "# {name}\nimport os\nos.makedirs('gen', exist_ok=True)\nfor n in range(150):\n    with open(f'gen/g{{n}}.go', 'w') as f:\n        f.write('package gen\\n')\n        for k in range(20):\n            f.write(f'func F{{n}}x{{k}}(a int) int {{{{ return a*{{n}} + {{k}} }}}}\\n')\n"
    );
    let program = |word: &str| {
        format!(
            "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.org/it/gen\"\n\t\"github.com/spf13/pflag\"\n)\n\nfunc main() {{\n\tpflag.Parse()\n\tfmt.Println(\"{word}\", gen.F1x1(2))\n}}\n"
        )
    };
    let mut files = vec![
        ("Dockerfile".to_owned(), dockerfile.to_owned()),
        ("README.md".to_owned(), format!("# {name}\n")),
        ("requirements.txt".to_owned(), requirements(None)),
        ("go.mod".to_owned(), go_mod(None)),
        ("tools/generate.py".to_owned(), generator),
        ("cmd/one/main.go".to_owned(), program("one")),
        ("cmd/two/main.go".to_owned(), program("two")),
        (
            "page/index.html".to_owned(),
            "<!doctype html><script type=\"module\" src=\"/main.js\"></script>\n".to_owned(),
        ),
        (
            "page/main.js".to_owned(),
            format!("import {{ clsx }} from 'clsx';\ndocument.title = clsx('{name}');\n"),
        ),
    ];
    for module in 0..40 {
        files.push((
            format!("app/m{module}.py"),
            format!("# {name}\nX = {module}\n\ndef f(a):\n    return a + X\n"),
        ));
    }
    for (file, text) in &files {
        let path = root.join(file);
        let folder = path.parent().expect("the project is above it");
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        write(&path, text)?;
    }
    let first = locks.join(CLSX[CLSX.len() - 1]);
    for (from, to) in [
        (locks.join("go.sum"), "go.sum"),
        (first.join("package.json"), "page/package.json"),
        (first.join("package-lock.json"), "page/package-lock.json"),
    ] {
        fs::copy(&from, root.join(to)).map_err(|error| format!("{}: {error}", from.display()))?;
    }
    Ok(Project {
        name: name.to_owned(),
        root,
        locks: locks.to_owned(),
    })
}
