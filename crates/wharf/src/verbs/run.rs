//! `wharf run`: an image of the store in the sandbox in which its steps ran, on the same lazy root.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    thread,
};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};
use signal_hook::{consts::signal, iterator::Signals};
use wharf_build::{
    build::Machine,
    exec::{Ahead, Process, Processes, SeccompChoice, StepMounts, Undertaker, public_file, resolve_user},
};
use wharf_oci::{
    Platform,
    config::{Execution, ImageConfig},
};
use wharf_sandbox::{
    Exit, Io, Mount, Network, Private, Publish, Root as SandboxRoot, Sandbox, Seccomp, Spec, TerminalSize,
    host::egress,
};
use wharf_tree::Tree;

use super::images::{find, reference};
use crate::{
    args::{UsageError, cli::GlobalArgs, run::RunArgs, values},
    machine::{Choices, Local, local, machine, processors},
    paths,
    report::{Code, Message, Report},
};

/// Docker's exit code for failures that are not the container's.
pub(crate) const OWN_FAILURE: u8 = 125;

/// Runs a command in an image; the exit code is the command's, 125 if it could not be run at all.
pub(crate) fn run(global: &GlobalArgs, args: &RunArgs) -> ExitCode {
    match start(global, args) {
        Ok(exit) => {
            if let Exit::NotExecuted(why) = &exit {
                eprintln!("error: {why}");
            }
            ExitCode::from(u8::try_from(exit.code()).unwrap_or(OWN_FAILURE))
        }
        Err(report) => {
            report.print();
            ExitCode::from(OWN_FAILURE)
        }
    }
}

fn environment(error: impl std::error::Error + 'static) -> Report {
    Report::new(Code::Environment, error)
}

fn usage(error: UsageError) -> Report {
    Report::new(Code::Usage, error)
}

fn start(global: &GlobalArgs, args: &RunArgs) -> Result<Exit, Report> {
    let local = local(global)?;
    let choices = Choices {
        ca: Some("none".to_owned()),
        sandbox: args.sandbox.clone(),
        seccomp: Some(args.seccomp.clone()),
    };
    let machine = machine(&local, &choices)?;
    let image = find(&local.store, &reference(&args.image)?)?;
    let platform = platform(args)?;
    let stored = machine
        .images
        .stored_for(&image, &platform)
        .map_err(|error| Report::new(Code::Usage, error))?;
    let config: ImageConfig = serde_json::from_slice(&stored.config_bytes).map_err(environment)?;
    if args.platform.is_some() && !platform.runs(&Platform::of(&config)) {
        let error = Message(format!(
            "{} is for {}, not for {platform}",
            args.image,
            Platform::of(&config)
        ));
        return Err(Report::new(Code::Usage, error));
    }
    let tree = machine.roots.tree(&stored.root).map_err(environment)?;
    let mut mounts = StepMounts::new(&tree).map_err(|error| Report::new(Code::Usage, error))?;
    let mut spec = spec(args, &config.config, &tree, &local, &machine, &mut mounts)?;
    spec.emulators = machine
        .emulation
        .emulators(&Platform::of(&config))
        .map_err(|error| {
            let hint = error.hint();
            Report::new(Code::Environment, error).with_hint(hint)
        })?;
    let processes = Processes {
        store: local.store.clone(),
        sandbox: Arc::clone(&machine.sandbox),
        rung: Arc::clone(&machine.rung),
        surveys: Arc::default(),
        threads: 2,
        slots: processors(),
        undertaker: Undertaker::default(),
        ahead: Ahead::default(),
    };
    let io = if args.interactive {
        Io::inherit()
    } else {
        Io::inherit().and_then(without_stdin)
    }
    .map_err(environment)?;
    let process = Process {
        tree: &tree,
        spec,
        mounts: &mounts,
    };
    let mut attached = processes.attach(&process, io).map_err(environment)?;
    forward_signals(attached.running().killer());
    let ready = attached.running().ready().map_err(environment)?;
    for note in &ready.notes {
        eprintln!("warning: {note}");
    }
    let restore = ready
        .terminal
        .map(|terminal| relay(terminal, args.interactive))
        .transpose()
        .map_err(environment)?;
    let exit = attached.wait().map_err(environment);
    drop(restore);
    exit
}

/// The platform that is wanted.
fn platform(args: &RunArgs) -> Result<Platform, Report> {
    match &args.platform {
        None => Ok(Platform::host()),
        Some(text) => values::platform(text).map_err(usage),
    }
}

fn without_stdin(io: Io) -> io::Result<Io> {
    Ok(Io {
        stdin: Io::null()?.stdin,
        ..io
    })
}

fn spec(
    args: &RunArgs,
    config: &Execution,
    tree: &Arc<Tree>,
    local: &Local,
    machine: &Machine,
    mounts: &mut StepMounts,
) -> Result<Spec, Report> {
    let user = args.user.clone().unwrap_or_else(|| config.user.clone());
    let user = resolve_user(&user, tree, &local.store).map_err(|error| Report::new(Code::Usage, error))?;
    let mut spec = Spec::new(SandboxRoot::Plain { dir: "/".into() }, command(args, config)?);
    (spec.uid, spec.gid, spec.groups) = (user.uid, user.gid, user.groups);
    spec.env = variables(args, config, &user.home);
    spec.cwd = args
        .workdir
        .clone()
        .or_else(|| Some(config.working_dir.clone()).filter(|dir| !dir.is_empty()))
        .unwrap_or_else(|| "/".to_owned())
        .into();
    if let Some(hostname) = &args.hostname {
        spec.hostname.clone_from(hostname);
    }
    spec.tty = args.tty.then(terminal_size);
    spec.seccomp = match &machine.environment.seccomp {
        SeccompChoice::Default => Seccomp::Default,
        SeccompChoice::Unconfined => Seccomp::Unconfined,
        SeccompChoice::Profile(text) => Seccomp::Profile(text.clone()),
    };
    spec.network = network(args, &machine.sandbox)?;
    let failed = |error: wharf_build::exec::MountPlanError| Report::new(Code::Usage, error);
    let resolv = std::fs::read("/etc/resolv.conf").unwrap_or_default();
    mounts
        .add(tree, public_file("/etc/resolv.conf", resolv), false)
        .map_err(failed)?;
    let hosts = format!("127.0.0.1\tlocalhost {}\n::1\tlocalhost\n", spec.hostname).into_bytes();
    mounts
        .add(tree, public_file("/etc/hosts", hosts), false)
        .map_err(failed)?;
    for text in &args.volume {
        let (mount, is_dir) = volume(text).map_err(usage)?;
        mounts.add(tree, mount, is_dir).map_err(failed)?;
    }
    Ok(spec)
}

fn command(args: &RunArgs, config: &Execution) -> Result<Vec<OsString>, Report> {
    let mut command: Vec<String> = match &args.entrypoint {
        Some(entrypoint) => vec![entrypoint.clone()],
        None => config.entrypoint.clone(),
    };
    if !args.command.is_empty() {
        command.extend(args.command.iter().cloned());
    } else if args.entrypoint.is_none() {
        command.extend(config.cmd.iter().cloned());
    }
    if command.is_empty() {
        let error = Message(format!("{} has neither an entry point nor a command", args.image));
        return Err(
            Report::new(Code::Usage, error).with_hint(Some("name a command after the image".to_owned()))
        );
    }
    Ok(command.into_iter().map(OsString::from).collect())
}

fn variables(args: &RunArgs, config: &Execution, home: &str) -> Vec<OsString> {
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut set = |name: &str, value: String| {
        variables.retain(|(known, _)| known != name);
        variables.push((name.to_owned(), value));
    };
    set(
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
    );
    set("HOME", home.to_owned());
    if args.tty {
        set("TERM", "xterm".to_owned());
    }
    for variable in &config.env {
        let (name, value) = values::assignment(variable);
        set(&name, value.unwrap_or_default());
    }
    for text in &args.env {
        let (name, value) = values::assignment(text);
        if let Some(value) = value.or_else(|| std::env::var(&name).ok()) {
            set(&name, value);
        }
    }
    variables
        .into_iter()
        .map(|(name, value)| format!("{name}={value}").into())
        .collect()
}

/// `-p [address:]host:container[/tcp]`.
fn publish(text: &str) -> Result<Publish, UsageError> {
    let bad = || UsageError::value("--publish", text, "[address:]host:container with TCP ports");
    let text_ports = text.strip_suffix("/tcp").unwrap_or(text);
    let (host, container) = text_ports.rsplit_once(':').ok_or_else(bad)?;
    let (address, port) = match host.rsplit_once(':') {
        Some((address, port)) => (address.trim_matches(['[', ']']).parse().map_err(|_| bad())?, port),
        None => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), host),
    };
    let number = |text: &str| text.parse::<u16>().map_err(|_| bad());
    Ok(Publish {
        host: SocketAddr::new(address, number(port)?),
        container: number(container)?,
    })
}

/// A network of its own where ports are published. Without a way out of one, an ordinary port stays on the machine's network, if it is to
/// have the same number there.
fn network(args: &RunArgs, sandbox: &Sandbox) -> Result<Network, Report> {
    let ports = args
        .publish
        .iter()
        .map(|text| publish(text))
        .collect::<Result<Vec<_>, _>>()
        .map_err(usage)?;
    match args.network.as_deref() {
        Some("none") => Ok(Network::None),
        Some("host") => Ok(Network::Host),
        None if ports.is_empty() => Ok(Network::Host),
        None if ports.iter().all(may_stay) && !egress(sandbox).works => {
            eprintln!(
                "warning: the container is on this machine's network: one of its own would have no way out (`wharf host` says why)"
            );
            Ok(Network::Host)
        }
        None | Some("private" | "bridge" | "default") => Ok(Network::Private(Private {
            publish: ports,
            egress: true,
        })),
        Some(other) => Err(usage(UsageError::value(
            "--network",
            other,
            "host, none or private",
        ))),
    }
}

/// Whether the container can listen for itself: at every address, at the same port, with no privilege.
fn may_stay(port: &Publish) -> bool {
    port.host.ip().is_unspecified()
        && port.host.port() == port.container
        && port.container >= FIRST_ORDINARY_PORT
}

/// Lower ports are root's. ip(7), `ip_unprivileged_port_start`.
const FIRST_ORDINARY_PORT: u16 = 1024;

/// `-v /host:/container[:ro]`.
fn volume(text: &str) -> Result<(Mount, bool), UsageError> {
    let bad = || UsageError::value("--volume", text, "/host:/container[:ro]");
    let mut parts = text.split(':');
    let (source, target) = (parts.next().ok_or_else(bad)?, parts.next().ok_or_else(bad)?);
    let read_only = match parts.next() {
        None | Some("rw") => false,
        Some("ro") => true,
        Some(_) => return Err(bad()),
    };
    let source: PathBuf = source
        .strip_prefix("~/")
        .map_or_else(|| source.into(), |rest| paths::home().join(rest));
    let source = std::fs::canonicalize(&source)
        .map_err(|_| UsageError::value("--volume", text, "a path that exists"))?;
    if !Path::new(target).is_absolute() {
        return Err(bad());
    }
    let is_dir = source.is_dir();
    Ok((
        Mount::Bind {
            source,
            target: target.into(),
            read_only,
        },
        is_dir,
    ))
}

/// Passes signals on to the process: its end is ours.
fn forward_signals(process: wharf_sandbox::Killer) {
    let forwarded = [
        signal::SIGHUP,
        signal::SIGINT,
        signal::SIGQUIT,
        signal::SIGTERM,
        signal::SIGUSR1,
        signal::SIGUSR2,
    ];
    let Ok(mut signals) = Signals::new(forwarded) else {
        return;
    };
    thread::spawn(move || {
        for signal in signals.forever() {
            process.signal(signal);
        }
    });
}

/// Connects our terminal with the process's; what it was comes back when the result is dropped.
fn relay(terminal: OwnedFd, interactive: bool) -> io::Result<Restore> {
    let stdin = io::stdin();
    let before = tcgetattr(stdin.as_fd()).ok();
    if let (Some(before), true) = (&before, interactive) {
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin.as_fd(), OptionalActions::Now, &raw)?;
    }
    let mut input = File::from(terminal.try_clone()?);
    let resized = terminal.try_clone()?;
    let mut output = File::from(terminal);
    if interactive {
        thread::spawn(move || io::copy(&mut io::stdin().lock(), &mut input));
    }
    // From here on a change is heard of; one that came before, since the process was given the size, is caught up with.
    let changes = Signals::new([signal::SIGWINCH])?;
    copy_size(&resized);
    thread::spawn(move || follow_size(changes, &resized));
    let reader = thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        while let Ok(length @ 1..) = output.read(&mut buffer) {
            let mut out = io::stdout().lock();
            if out
                .write_all(&buffer[..length])
                .and_then(|()| out.flush())
                .is_err()
            {
                return;
            }
        }
    });
    Ok(Restore {
        before,
        reader: Some(reader),
    })
}

/// Our terminal's size; zeros where there is none.
fn terminal_size() -> TerminalSize {
    tcgetwinsize(io::stdin().as_fd()).map_or_else(
        |_| TerminalSize::default(),
        |size| TerminalSize {
            rows: size.ws_row,
            columns: size.ws_col,
        },
    )
}

fn follow_size(mut changes: Signals, terminal: &OwnedFd) {
    for _ in changes.forever() {
        copy_size(terminal);
    }
}

/// Gives a terminal the size of ours, which its processes hear of where it is another one.
fn copy_size(terminal: &OwnedFd) {
    if let Ok(size) = tcgetwinsize(io::stdin().as_fd()) {
        // A terminal that is gone has no size.
        let _ = tcsetwinsize(terminal, size);
    }
}

/// Sets our terminal back when the process's output has been shown to its end.
struct Restore {
    before: Option<Termios>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Drop for Restore {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take() {
            // A panic of the reader was told already.
            let _ = reader.join();
        }
        if let Some(before) = &self.before {
            // Nothing can be done about a terminal that is gone.
            let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Now, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        let check = |text: &str, host: &str, container: u16| {
            let found = publish(text).unwrap();
            assert_eq!(
                (found.host.to_string().as_str(), found.container),
                (host, container),
                "{text}"
            );
        };
        check("8080:80", "0.0.0.0:8080", 80);
        check("127.0.0.1:8080:80/tcp", "127.0.0.1:8080", 80);
        check("[::1]:1:2", "[::1]:1", 2);
        assert!(publish("80").is_err() && publish("80:x").is_err() && publish("53:53/udp").is_err());
    }
}
