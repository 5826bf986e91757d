//! The machine as builds need it: store, network, sandbox, made from flags, settings and the environment.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use wharf_build::{
    build::Machine,
    ca::{CaChoice, Certificates},
    emulation::Emulation,
    exec::{Ahead, Processes, RungChoice, SeccompChoice, StepEnvironment, Undertaker},
    image_source::{BaseOptions, Images, ImagesOptions},
    net::Network,
    root::Roots,
};
use wharf_http::{Options as HttpOptions, Proxies, SystemRoots, Trust};
use wharf_registry::SettingsFiles;
use wharf_sandbox::{Options as SandboxOptions, Sandbox, host::Rung};
use wharf_store::{BootId, Store, StoreOptions};

use crate::{
    args::cli::GlobalArgs,
    paths,
    report::{Code, Report},
    settings::MachineSettings,
};

/// What verbs may choose about the machine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choices {
    /// `--ca`.
    pub(crate) ca: Option<String>,
    /// `--sandbox`.
    pub(crate) sandbox: Option<String>,
    /// `--seccomp`.
    pub(crate) seccomp: Option<String>,
}

/// Settings and store: what the cheap verbs need.
#[derive(Debug)]
pub(crate) struct Local {
    /// The machine's settings.
    pub(crate) settings: MachineSettings,
    /// The store.
    pub(crate) store: Store,
    boot: Option<BootId>,
    sandbox: Arc<Sandbox>,
}

impl Local {
    /// Starts processes.
    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }
}

/// Reads the settings and opens the store.
pub(crate) fn local(global: &GlobalArgs) -> Result<Local, Report> {
    let settings = settings()?;
    let path = store_path(global, &settings);
    open(settings, &path)
}

/// The same, but where there is no store yet, none is made.
pub(crate) fn local_if_there(global: &GlobalArgs) -> Result<Option<Local>, Report> {
    let settings = settings()?;
    let path = store_path(global, &settings);
    path.exists().then(|| open(settings, &path)).transpose()
}

fn settings() -> Result<MachineSettings, Report> {
    MachineSettings::load(&paths::settings_files()).map_err(|error| {
        let hint = error.hint();
        Report::new(Code::Usage, error).with_hint(hint)
    })
}

fn store_path(global: &GlobalArgs, settings: &MachineSettings) -> PathBuf {
    let named = global.store.clone().or_else(|| settings.store.path.clone());
    named.unwrap_or_else(paths::default_store)
}

fn open(settings: MachineSettings, path: &Path) -> Result<Local, Report> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .ok()
        .map(|text| BootId(text.trim().to_owned()));
    let sandbox = Arc::new(Sandbox::new(SandboxOptions::default()));
    let remover = Arc::clone(&sandbox);
    let options = StoreOptions {
        boot: boot.clone(),
        remove_tree: Some(Arc::new(move |path| {
            wharf_build::exec::remove_inside(&remover, path)
        })),
    };
    let store = Store::open(path, options).map_err(|error| {
        Report::new(Code::Environment, error)
            .with_hint(Some("name another directory with --store or WHARF_STORE".into()))
    })?;
    Ok(Local {
        settings,
        store,
        boot,
        sandbox,
    })
}

/// Everything that a build or a run needs.
pub(crate) fn machine(local: &Local, choices: &Choices) -> Result<Machine, Report> {
    let rung = choices
        .sandbox
        .clone()
        .or_else(|| local.settings.sandbox.rung.clone());
    let rung = rung
        .map(|name| name.parse::<Rung>())
        .transpose()
        .map_err(|error| Report::new(Code::Usage, error))?;
    let network = Arc::new(Network::new(http_options()));
    let roots = Arc::new(Roots::new(local.store.clone()));
    let rung = Arc::new(RungChoice::new(rung, local.boot.clone()));
    let emulation = Arc::new(Emulation::new(
        Arc::clone(&local.sandbox),
        local.store.clone(),
        paths::programs(),
    ));
    let images = Images::new(ImagesOptions {
        store: local.store.clone(),
        roots: Arc::clone(&roots),
        network: Arc::clone(&network),
        registry_files: registry_files(),
        bases: base_options(&local.settings),
        processes: Arc::new(Processes {
            store: local.store.clone(),
            sandbox: Arc::clone(&local.sandbox),
            rung: Arc::clone(&rung),
            surveys: Arc::default(),
            threads: 2,
            slots: processors(),
            undertaker: Undertaker::default(),
            ahead: Ahead::default(),
        }),
        emulation: Arc::clone(&emulation),
    });
    Ok(Machine {
        store: local.store.clone(),
        network,
        sandbox: Arc::clone(&local.sandbox),
        rung,
        emulation,
        environment: environment(local, choices)?,
        images: Arc::new(images),
        roots,
        engine_sockets: paths::engine_sockets(),
    })
}

/// How many steps run at once unless `--parallel` says otherwise.
pub(crate) fn processors() -> usize {
    // To know it takes reading the limits of control groups.
    static COUNT: LazyLock<usize> =
        LazyLock::new(|| std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get));
    *COUNT
}

fn environment(local: &Local, choices: &Choices) -> Result<StepEnvironment, Report> {
    let ca = match choices.ca.as_deref().or(local.settings.ca.as_deref()) {
        None => CaChoice::HostIfAdded,
        Some("host") => CaChoice::Host,
        Some("none") => CaChoice::None,
        Some(file) => CaChoice::File(file.into()),
    };
    let seccomp = match choices.seccomp.as_deref() {
        None | Some("default") => SeccompChoice::Default,
        Some("unconfined") => SeccompChoice::Unconfined,
        Some(file) => SeccompChoice::Profile(fs::read_to_string(file).map_err(|error| {
            Report::new(
                Code::Usage,
                crate::report::Message(format!("cannot read the seccomp profile {file}: {error}")),
            )
        })?),
    };
    let ca = Certificates::new(ca);
    ca.check().map_err(|error| Report::new(Code::Usage, error))?;
    Ok(StepEnvironment {
        ca,
        seccomp,
        ..StepEnvironment::default()
    })
}

fn base_options(settings: &MachineSettings) -> BaseOptions {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    BaseOptions {
        debian: variable("WHARF_MIRROR_DEBIAN").or_else(|| settings.mirror.debian.clone()),
        debian_security: variable("WHARF_MIRROR_DEBIAN_SECURITY")
            .or_else(|| settings.mirror.debian_security.clone()),
        ubuntu: variable("WHARF_MIRROR_UBUNTU").or_else(|| settings.mirror.ubuntu.clone()),
        settings_file: paths::settings_files().remove(0),
    }
}

fn http_options() -> HttpOptions {
    let variable = |names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
    };
    let file = env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let dir = env::var_os("SSL_CERT_DIR").map(PathBuf::from);
    let roots = if file.is_some() {
        SystemRoots::at(file, dir)
    } else {
        SystemRoots::machine()
    };
    HttpOptions {
        trust: Trust {
            system: roots,
            ..Trust::default()
        },
        proxies: Proxies {
            http: variable(["http_proxy", "HTTP_PROXY"]),
            https: variable(["https_proxy", "HTTPS_PROXY"]),
            none_for: variable(["no_proxy", "NO_PROXY"]).unwrap_or_default(),
        },
        ..HttpOptions::default()
    }
}

/// The registries' settings, in the formats and at the places of Docker and of the containers tools.
fn registry_files() -> SettingsFiles {
    let config = paths::config_home().join("containers");
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join("containers/auth.json"));
    let named = env::var_os("REGISTRY_AUTH_FILE").map(PathBuf::from);
    let docker = paths::docker_config().join("config.json");
    let auth = named
        .into_iter()
        .chain([docker])
        .chain(runtime)
        .chain([config.join("auth.json")]);
    SettingsFiles {
        registries_conf: match env::var_os("CONTAINERS_REGISTRIES_CONF") {
            Some(path) => vec![path.into()],
            None => vec![
                config.join("registries.conf"),
                "/etc/containers/registries.conf".into(),
            ],
        },
        registries_conf_dirs: vec![
            "/etc/containers/registries.conf.d".into(),
            config.join("registries.conf.d"),
        ],
        certs_dirs: vec![
            config.join("certs.d"),
            "/etc/containers/certs.d".into(),
            "/etc/docker/certs.d".into(),
        ],
        auth_files: auth.collect(),
        helper_dirs: env::var_os("PATH")
            .map(|path| env::split_paths(&path).collect())
            .unwrap_or_default(),
    }
}
