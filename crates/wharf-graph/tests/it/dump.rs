//! Graphs and errors as text that people can read.

use std::fmt::Write as _;

use wharf_dockerfile::Dockerfile;
use wharf_graph::{
    ContextName, CopyOp, CopySource, Graph, LowerError, Mount, NetworkMode, Op, Reusable, RunOp,
    SecurityMode, Source, Step, Target,
};

pub(crate) fn graph(graph: &Graph) -> String {
    let mut text = String::new();
    for step in &graph.steps {
        self::step(&mut text, step);
    }
    for target in &graph.targets {
        self::target(&mut text, target);
    }
    text
}

pub(crate) fn errors(dockerfile: &Dockerfile, errors: &[LowerError]) -> String {
    let mut text = String::new();
    for error in errors {
        match error.span {
            Some(span) => {
                let start = dockerfile.source.position(span.start);
                let under = dockerfile.source.slice(span);
                write!(text, "{}:{} `{under}`: ", start.line, start.column).unwrap();
            }
            None => text.push_str("nowhere: "),
        }
        writeln!(text, "{error}").unwrap();
        if let Some(suggestion) = &error.suggestion {
            writeln!(text, "  did you mean `{suggestion}`?").unwrap();
        }
    }
    text
}

fn step(text: &mut String, step: &Step) {
    let inputs: Vec<u32> = step.inputs.iter().map(|input| input.0).collect();
    write!(
        text,
        "{} {} {inputs:?} {}",
        step.id.0,
        step.op.kind(),
        step.platform
    )
    .unwrap();
    if step.reuse == Reusable::No {
        text.push_str(" no-cache");
    }
    match &step.origin {
        Some(origin) => {
            let trigger = if origin.on_build { " onbuild" } else { "" };
            let (stage, span) = (&origin.stage, origin.span);
            let platform = match &origin.platform[..] {
                "" => String::new(),
                platform => format!("{platform} "),
            };
            writeln!(
                text,
                " [{platform}{stage} {}/{}] line {}{trigger}",
                origin.ordinal, origin.total, span.start_line
            )
            .unwrap();
        }
        None => text.push('\n'),
    }
    writeln!(text, "    name: {}", step.name).unwrap();
    match &step.op {
        Op::Source(source) => writeln!(text, "    {}", self::source(source)).unwrap(),
        Op::Run(run) => self::run(text, run),
        Op::Copy(copy) => self::copy(text, copy),
        Op::Mkdir(mkdir) => writeln!(text, "    {mkdir:?}").unwrap(),
        Op::Merge => {}
    }
}

fn source(source: &Source) -> String {
    match source {
        Source::Image(image) => {
            let digest = image.digest.map_or_else(String::new, |digest| digest.short());
            format!("image {} {digest} {:?}", image.reference, image.pull)
        }
        Source::Context(context) => {
            let name = match &context.name {
                ContextName::Main => "main",
                ContextName::Named(name) => name,
            };
            format!("context {name} {:?}", context.paths)
        }
        other => format!("{other:?}"),
    }
}

fn run(text: &mut String, run: &RunOp) {
    writeln!(text, "    args: {:?}", run.args).unwrap();
    let env: Vec<String> = run
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    writeln!(text, "    env: {env:?}").unwrap();
    if !run.proxy.is_empty() {
        writeln!(text, "    proxy: {:?}", run.proxy).unwrap();
    }
    writeln!(text, "    cwd: {}  user: {:?}", run.cwd, run.user).unwrap();
    if run.network != NetworkMode::Default || run.security != SecurityMode::Sandbox {
        writeln!(
            text,
            "    network: {:?}  security: {:?}",
            run.network, run.security
        )
        .unwrap();
    }
    if let (Some(hostname), Some(shm_size)) = (&run.hostname, run.shm_size) {
        writeln!(text, "    hostname: {hostname}  shm: {shm_size}").unwrap();
        writeln!(
            text,
            "    hosts: {:?}  ulimits: {:?}",
            run.extra_hosts, run.ulimits
        )
        .unwrap();
    }
    for mount in &run.mounts {
        match mount {
            Mount::Bind(mount) => writeln!(text, "    {mount:?}"),
            Mount::Cache(mount) => writeln!(text, "    {mount:?}"),
            Mount::Tmpfs(mount) => writeln!(text, "    {mount:?}"),
            Mount::Secret(mount) => writeln!(text, "    {mount:?}"),
            Mount::Ssh(mount) => writeln!(text, "    {mount:?}"),
            Mount::Script(mount) => writeln!(text, "    {mount:?}"),
        }
        .unwrap();
    }
}

fn copy(text: &mut String, copy: &CopyOp) {
    for source in &copy.sources {
        match source {
            CopySource::Path(path) => writeln!(text, "    {path:?}"),
            CopySource::File(file) => writeln!(text, "    {file:?}"),
            CopySource::Download(download) => writeln!(text, "    {download:?}"),
            CopySource::Checkout(input) => writeln!(text, "    Checkout {input:?}"),
        }
        .unwrap();
    }
    write!(text, "    to {}", copy.dest).unwrap();
    for (name, value) in [("chown", &copy.chown), ("chmod", &copy.chmod)] {
        if let Some(value) = value {
            write!(text, " {name}={value}").unwrap();
        }
    }
    if copy.link {
        text.push_str(" link");
    }
    if copy.add {
        text.push_str(" add");
    }
    if !copy.excludes.is_empty() {
        write!(text, " except {:?}", copy.excludes).unwrap();
    }
    text.push('\n');
}

fn target(text: &mut String, target: &Target) {
    let Target {
        platform,
        stage,
        root,
        config,
        history,
        epoch,
        scans,
    } = target;
    writeln!(text, "target {stage} {platform} = {}", root.0).unwrap();
    for scan in scans {
        writeln!(text, "  scan {} = {}", scan.name, scan.root.0).unwrap();
    }
    if let Some(epoch) = epoch {
        writeln!(text, "  epoch {epoch}").unwrap();
    }
    writeln!(text, "  {}", String::from_utf8(config.to_json()).unwrap()).unwrap();
    for entry in history {
        let step = entry
            .step
            .map_or_else(|| "-".to_owned(), |step| step.0.to_string());
        let layer = if entry.entry.empty_layer { "" } else { "*" };
        let created = entry.entry.created.as_deref().unwrap_or_default();
        writeln!(text, "  {step}{layer} {created} {}", entry.entry.created_by).unwrap();
    }
}
