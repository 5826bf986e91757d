//! Programs of another processor: Debian's static busybox for it, fetched by apt with lists of its own, once per test run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{busybox, context::TestContext, programs::is_installed};

/// The platform that is not this machine's, in the words of OCI, Debian, QEMU and uname(1).
pub(crate) struct Foreign {
    pub(crate) platform: &'static str,
    debian: &'static str,
    qemu: &'static str,
    pub(crate) machine: &'static str,
}

/// This machine's platform.
pub(crate) const HOST: &str = if cfg!(target_arch = "aarch64") {
    "linux/arm64"
} else {
    "linux/amd64"
};

pub(crate) const FOREIGN: Foreign = if cfg!(target_arch = "aarch64") {
    Foreign {
        platform: "linux/amd64",
        debian: "amd64",
        qemu: "qemu-x86_64-static",
        machine: "x86_64",
    }
} else {
    Foreign {
        platform: "linux/arm64",
        debian: "arm64",
        qemu: "qemu-aarch64-static",
        machine: "aarch64",
    }
};

/// A Dockerfile's beginning that gives a shell of the target's platform, from files that [`provide`] brings.
pub(crate) const BASE: &str = r#"
    FROM scratch AS busybox
    ARG TARGETARCH
    COPY busybox-$TARGETARCH /bin/busybox
    RUN ["/bin/busybox", "--install", "-s", "/bin"]
"#;

/// Puts a busybox for each of the two platforms into the project; `None` says that the test is skipped because there is none, or no
/// emulator.
pub(crate) fn provide(context: &TestContext) -> Option<()> {
    if !is_installed(FOREIGN.qemu) {
        wharf_testkit::skip(&format!(
            "{} is not installed (apt: qemu-user-static)",
            FOREIGN.qemu
        ));
        return None;
    }
    busybox::layout()?;
    let foreign = foreign_busybox()?;
    let of = |platform: &str| context.path(format!("busybox-{}", platform.trim_start_matches("linux/")));
    fs::copy("/usr/bin/busybox", of(HOST)).expect("it is installed");
    fs::copy(foreign, of(FOREIGN.platform)).expect("it was fetched");
    Some(())
}

fn foreign_busybox() -> Option<&'static Path> {
    static BUSYBOX: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match BUSYBOX.get_or_init(fetch) {
        Ok(path) => Some(path),
        Err(reason) => {
            wharf_testkit::skip(reason);
            None
        }
    }
}

fn fetch() -> Result<PathBuf, String> {
    let folder = busybox::shared().join("foreign");
    for below in ["lists/partial", "cache/archives/partial", "files"] {
        fs::create_dir_all(folder.join(below)).map_err(|error| error.to_string())?;
    }
    fs::write(folder.join("status"), "").map_err(|error| error.to_string())?;
    apt(&folder, &["update"])?;
    apt(&folder, &["download", "busybox-static"])?;
    let entries = fs::read_dir(&folder).map_err(|error| error.to_string())?;
    let package = entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|end| end == "deb"))
        .ok_or("apt fetched nothing")?;
    let files = folder.join("files");
    said(Command::new("dpkg-deb").arg("-x").args([&package, &files]))?;
    ["bin/busybox", "usr/bin/busybox"]
        .map(|path| files.join(path))
        .into_iter()
        .find(|path| path.exists())
        .ok_or_else(|| "the package has no busybox".to_owned())
}

fn apt(folder: &Path, args: &[&str]) -> Result<(), String> {
    let at = |name: &str, below: &str| format!("{name}={}", folder.join(below).display());
    let options = [
        format!("APT::Architecture={}", FOREIGN.debian),
        format!("APT::Architectures={}", FOREIGN.debian),
        "Acquire::Languages=none".to_owned(),
        "APT::Sandbox::User=root".to_owned(),
        at("Dir::State::lists", "lists"),
        at("Dir::State::status", "status"),
        at("Dir::Cache", "cache"),
    ];
    let options = options.iter().flat_map(|option| ["-o", option]);
    said(
        Command::new("apt-get")
            .arg("-qq")
            .args(options)
            .args(args)
            .current_dir(folder),
    )
}

fn said(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "a static program for {} cannot be fetched: {}",
        FOREIGN.platform,
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// What registers the emulator with these flags.
pub(crate) fn rule(flags: &str) -> String {
    let magic = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00";
    let mask = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff";
    let machine = if cfg!(target_arch = "aarch64") {
        r"\x3e\x00"
    } else {
        r"\xb7\x00"
    };
    format!(
        ":test:M::{magic}{machine}:{mask}:/usr/bin/{}:{flags}",
        FOREIGN.qemu
    )
}
