//! Running the scripts of a base's packages: a RUN step like any other, without the machine's certificates and networks.

use std::{
    ffi::OsString,
    sync::{Arc, Mutex, PoisonError},
};

use wharf_base::{ConfigureError, ConfigureOp, Configurer};
use wharf_graph::{Mount, NetworkMode};
use wharf_sandbox::{Emulator, Network, Root as SandboxRoot, Spec};
use wharf_solver::Cancel;
use wharf_tree::Layer;

use super::{
    mounts::StepMounts,
    process::{Process, Processes},
    run::script_mount,
};

/// How much of what the scripts print is kept for an error.
const OUTPUT_LIMIT: usize = 16 << 10;

/// Runs configure steps of bases.
#[derive(Clone)]
pub struct StepConfigurer {
    /// Runs processes.
    pub processes: Arc<Processes>,
    /// Says when to stop.
    pub cancel: Cancel,
    /// Run the scripts when they are for another processor.
    pub emulators: Vec<Emulator>,
}

impl Configurer for StepConfigurer {
    fn configure(&self, op: &ConfigureOp) -> Result<Layer, ConfigureError> {
        let run = &op.run;
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| ConfigureError::Sandbox(error);
        let mut mounts = StepMounts::new(&op.root).map_err(|error| failed(error.into()))?;
        for mount in &run.mounts {
            if let Mount::Script(script) = mount {
                mounts
                    .add(&op.root, script_mount(script), true)
                    .map_err(|error| failed(error.into()))?;
            }
        }
        let argv = run.args.iter().map(OsString::from).collect();
        let mut spec = Spec::new(SandboxRoot::Plain { dir: "/".into() }, argv);
        spec.env = run
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}").into())
            .collect();
        spec.emulators.clone_from(&self.emulators);
        spec.cwd = run.cwd.clone().into();
        if run.network == NetworkMode::None {
            spec.network = Network::None;
        }
        let output = Mutex::new(Vec::new());
        let log = |_, bytes: &[u8]| {
            let mut kept = output.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend_from_slice(bytes);
            let surplus = kept.len().saturating_sub(OUTPUT_LIMIT);
            kept.drain(..surplus);
        };
        let process = Process {
            tree: &op.root,
            spec,
            mounts: &mounts,
        };
        let finished = self
            .processes
            .run(&process, &log, &self.cancel)
            .map_err(|error| failed(error.into()))?;
        if finished.exit.success() {
            return Ok(finished.layer);
        }
        let output = output.into_inner().unwrap_or_else(PoisonError::into_inner);
        let output = String::from_utf8_lossy(&output).into_owned();
        Err(ConfigureError::Exit {
            code: finished.exit.code(),
            output,
        })
    }
}
