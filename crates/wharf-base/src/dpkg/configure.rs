//! The configure step: a shell script that has dpkg finish what was unpacked without it.
//!
//! dpkg would run each preinst before it unpacks the package; here all files are there already when the first one runs, as
//! in mmdebstrap's and debootstrap's first stages. No service starts: `invoke-rc.d` is told so by `policy-rc.d`, and
//! `start-stop-daemon` is a program that does nothing.

use std::fmt::Write as _;

use wharf_graph::{Mount, NetworkMode, RunOp, ScriptMount, SecurityMode};
use wharf_tree::{FollowLast, Tree};

use super::{control::Control, order::Batches};

/// Where the script is mounted.
const SCRIPT_DIRECTORY: &str = "/run/wharf/configure";
/// Where the program that starts no service is mounted: before all others in PATH.
const QUIET_DIRECTORY: &str = "/run/wharf/quiet";

const PRELUDE: &str = include_str!("configure.sh");

/// As `start-stop-daemon` would succeed, without starting or stopping anything.
const QUIET: &str =
    "#!/bin/sh\necho \"start-stop-daemon: nothing is started or stopped while a base is made\" >&2\nexit 0\n";

/// PATH of images.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Programs that the script and dpkg itself need (dpkg's `checkpath`); all are of essential packages.
const PROGRAMS: &[&str] = &[
    "dpkg",
    "dpkg-deb",
    "sh",
    "rm",
    "cp",
    "mkdir",
    "chmod",
    "tar",
    "diff",
    "ldconfig",
    "start-stop-daemon",
];

/// The step for these packages, in these batches.
pub fn run_op(controls: &[&Control], batches: &Batches) -> RunOp {
    let script = |target: &str, name: &str, content: String| {
        Mount::Script(ScriptMount {
            target: target.to_owned(),
            name: name.to_owned(),
            content,
        })
    };
    let env = [
        ("PATH", format!("{QUIET_DIRECTORY}:{PATH}")),
        ("HOME", "/root".to_owned()),
        ("DEBIAN_FRONTEND", "noninteractive".to_owned()),
        ("DEBCONF_NONINTERACTIVE_SEEN", "true".to_owned()),
        ("LC_ALL", "C.UTF-8".to_owned()),
        ("LANGUAGE", "C.UTF-8".to_owned()),
    ];
    RunOp {
        args: vec!["/bin/sh".to_owned(), format!("{SCRIPT_DIRECTORY}/configure")],
        env: env
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        proxy: [].into(),
        cwd: "/".to_owned(),
        user: String::new(),
        mounts: vec![
            script(SCRIPT_DIRECTORY, "configure", script_text(controls, batches)),
            script(QUIET_DIRECTORY, "start-stop-daemon", QUIET.to_owned()),
        ],
        network: NetworkMode::None,
        security: SecurityMode::Sandbox,
        hostname: None,
        extra_hosts: Vec::new(),
        shm_size: None,
        ulimits: Vec::new(),
    }
}

fn script_text(controls: &[&Control], batches: &Batches) -> String {
    let mut text = PRELUDE.to_owned();
    for batch in batches {
        let members = || batch.iter().map(|position| controls[*position]);
        for control in members().filter(|control| control.files.contains_key("preinst")) {
            let (architecture, version) = (control.field("Architecture"), control.field("Version"));
            let line = format!(
                "preinst {} {} {architecture} {version}",
                control.name(),
                control.info_name()
            );
            writeln!(text, "{line}").expect("a string takes everything");
        }
        let names: Vec<_> = members().map(Control::info_name).collect();
        writeln!(text, "configure {}", names.join(" ")).expect("a string takes everything");
    }
    text.push_str("configure --pending\n");
    text
}

/// Whether the packages can be configured by what `tree` has itself: the programs that every script may use, and each
/// script's interpreter.
pub fn is_self_sufficient(tree: &Tree, controls: &[&Control]) -> bool {
    let is_there = |path: &str| tree.lookup(path, FollowLast::Yes).is_ok();
    let found = |program: &str| {
        PATH.split(':')
            .any(|folder| is_there(&format!("{folder}/{program}")))
    };
    let interpreters = controls.iter().flat_map(|control| &control.interpreters);
    // Scripts find debconf by its files; it is written in Perl and does not depend on it, Perl being essential.
    let asks = is_there("usr/share/debconf/confmodule");
    PROGRAMS.iter().all(|program| found(program))
        && interpreters.into_iter().all(|path| is_there(path))
        && (!asks || found("perl"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_script_names_every_package_by_batch() {
        let control = |name: &str| Control {
            fields: format!("Package: {name}\nVersion: 1\nArchitecture: amd64\nMulti-Arch: same"),
            files: BTreeMap::new(),
            conffiles: Vec::new(),
            triggers: String::new(),
            interpreters: Vec::new(),
        };
        let controls = [control("a"), control("b"), control("c")];
        let refs: Vec<_> = controls.iter().collect();
        let text = script_text(&refs, &vec![vec![1], vec![0, 2]]);
        let calls = text.strip_prefix(PRELUDE).unwrap();
        assert_eq!(
            calls,
            "configure b:amd64\nconfigure a:amd64 c:amd64\nconfigure --pending\n"
        );
    }
}
