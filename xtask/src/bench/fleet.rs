//! Twenty-five small Python services, four builds at a time, against the current BuildKit.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use super::{
    Bed,
    buildkit::{BuildKit, Layout},
    measure::{Cost, measure, run},
    report::Report,
};

const SERVICES: usize = 25;
const AT_ONCE: usize = 4;

/// Steps before and after the COPY of everything.
const BADLY_ORDERED: &str = "FROM python\nWORKDIR /srv\nCOPY . .\nRUN pip install --break-system-packages --no-compile -q -r requirements.txt\nRUN python3 -m compileall -q app\n";
const WELL_ORDERED: &str = "FROM python\nWORKDIR /srv\nCOPY requirements.txt .\nRUN pip install --break-system-packages --no-compile -q -r requirements.txt\nCOPY app app\nRUN python3 -m compileall -q app\nCOPY . .\n";

/// A change of every service between two builds.
type Change = fn(&Path, u32) -> std::io::Result<()>;

const CHANGES: &[(&str, Change)] = &[
    ("nothing changed", |_, _| Ok(())),
    ("fresh checkout", |service, _| renew(service)),
    ("README edited", |service, round| {
        append(&service.join("README.md"), round)
    }),
    ("one source file edited", |service, round| {
        append(&service.join("app/m0.py"), round)
    }),
];

/// One builder's wall and CPU times in milliseconds.
#[derive(Default)]
struct Series {
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Series {
    /// One round, and what a daemon used for it.
    fn push(&mut self, cost: Cost, daemon: Duration) {
        self.wall.push(cost.wall.as_secs_f64() * 1000.0);
        self.cpu.push((cost.cpu + daemon).as_secs_f64() * 1000.0);
    }

    fn add_to(self, report: &mut Report, what: &str, who: &str) {
        report.add(what, who, "ms", self.wall);
        report.add(what, &format!("{who}, CPU"), "ms", self.cpu);
    }
}

/// Every file anew with the time of now.
fn renew(directory: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            renew(&path)?;
        } else {
            let bytes = fs::read(&path)?;
            fs::remove_file(&path)?;
            fs::write(&path, bytes)?;
        }
    }
    Ok(())
}

fn append(path: &Path, round: u32) -> std::io::Result<()> {
    let mut text = fs::read_to_string(path)?;
    text.push_str(&format!("# {round}\n"));
    fs::write(path, text)
}

/// One builder: its name, its services, and what builds one of them.
struct Side<'a> {
    who: &'static str,
    services: Vec<PathBuf>,
    command: Box<dyn Fn(&Path) -> Command + Sync + 'a>,
    series: Series,
}

/// Measures all, in turns, for each order of the Dockerfile and each change. Who starts goes round.
pub(super) fn fleet(bed: &Bed, report: &mut Report) -> Result<(), String> {
    let layout = base(bed)?;
    let image = layout.flag("python");
    let buildkit = BuildKit::start(&bed.scratch)?;
    for (order, dockerfile) in [("badly ordered", BADLY_ORDERED), ("well ordered", WELL_ORDERED)] {
        let side = |who, command| -> Result<Side<'_>, String> {
            Ok(Side {
                who,
                services: services(bed, &format!("{who} {order}"), dockerfile)?,
                command,
                series: Series::default(),
            })
        };
        let mut sides = [
            side(
                "wharf",
                Box::new(|service: &Path| {
                    let mut command = bed.wharf("fleet-store");
                    command.args(["build", "-q", &image]).arg(service);
                    command
                }),
            )?,
            side(
                "BuildKit",
                Box::new(|service: &Path| buildkit.build_image(service, &[("python", &layout)])),
            )?,
            side(
                "BuildKit without an image",
                Box::new(|service: &Path| buildkit.build(service, &[("python", &layout)])),
            )?,
        ];
        for side in &sides {
            all(&side.services, &side.command)?;
        }
        for (what, change) in CHANGES.iter().filter(|(what, _)| what.contains(&bed.only)) {
            for round in 0..bed.runs {
                for turn in 0..sides.len() {
                    let next = (round as usize + turn) % sides.len();
                    sides[next].build(&buildkit, *change, round)?;
                }
            }
            let what = format!("25 services, {order}: {what}");
            for side in &mut sides {
                std::mem::take(&mut side.series).add_to(report, &what, side.who);
            }
            for side in &sides[1..] {
                report.ratio(&what, side.who, "wharf");
            }
        }
    }
    Ok(())
}

impl Side<'_> {
    /// One round: the change in every service, then all builds.
    fn build(&mut self, buildkit: &BuildKit, change: Change, round: u32) -> Result<(), String> {
        for service in &self.services {
            change(service, round).map_err(|error| error.to_string())?;
        }
        let daemon = buildkit.cpu()?;
        let cost = measure(|| all(&self.services, &self.command))?;
        self.series.push(cost, buildkit.cpu()?.saturating_sub(daemon));
        Ok(())
    }
}

/// The base of both: Python, pip, and this machine's certificates, which one of the two would not bring.
fn base(bed: &Bed) -> Result<Layout, String> {
    let project = bed.directory("fleet-base")?;
    let table = "[base.tools]\napt = \"host\"\nvariant = \"minbase\"\npackages = [\"ca-certificates\", \"python3\", \"python3-pip\"]\n";
    let dockerfile = "FROM tools\nCOPY ca.crt /etc/ssl/certs/ca-certificates.crt\nENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt\n";
    for (name, text) in [("wharf.toml", table), ("Dockerfile", dockerfile)] {
        fs::write(project.join(name), text).map_err(|error| error.to_string())?;
    }
    fs::copy("/etc/ssl/certs/ca-certificates.crt", project.join("ca.crt"))
        .map_err(|error| error.to_string())?;
    let path = bed.scratch.join("fleet-layout");
    let output = format!("type=oci,tar=false,dest={}", path.display());
    run(bed
        .wharf("fleet-store")
        .args(["build", "-q", "-o", &output])
        .arg(&project))?;
    Layout::open(path)
}

/// `name` is in the files too: two sides of one daemon must not find each other's steps.
fn services(bed: &Bed, name: &str, dockerfile: &str) -> Result<Vec<PathBuf>, String> {
    let root = bed.directory(&name.replace(' ', "-"))?;
    let service = |number: usize| -> std::io::Result<PathBuf> {
        let directory = root.join(format!("s{number:02}"));
        fs::create_dir_all(directory.join("app"))?;
        fs::write(directory.join("Dockerfile"), dockerfile)?;
        fs::write(
            directory.join("README.md"),
            format!("# service {number} of {name}\n"),
        )?;
        fs::write(
            directory.join("requirements.txt"),
            ["six==1.16.0\n", "idna==3.6\n"][number % 2],
        )?;
        for module in 0..20 {
            let text = format!(
                "# {name}\nX = {}\n\ndef f(a):\n    return a + X\n",
                number * 100 + module
            );
            fs::write(directory.join(format!("app/m{module}.py")), text)?;
        }
        Ok(directory)
    };
    (0..SERVICES)
        .map(service)
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

/// Builds every service, a few at a time.
fn all(services: &[PathBuf], command: &(impl Fn(&Path) -> Command + Sync)) -> Result<(), String> {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(service) = services.get(next.fetch_add(1, Ordering::Relaxed)) {
            run(&mut command(service))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("a worker does not panic"))
    })
}
