//! Installs what the tests need beyond Rust, or says what is missing.

use std::{path::Path, process::Command};

use crate::{go, stage};

/// A program that tests call, and the Debian package that brings it.
const NEEDS: &[(&str, &str)] = &[
    ("/usr/bin/as", "binutils"),
    ("/usr/bin/busybox", "busybox-static"),
    ("/usr/bin/bzip2", "bzip2"),
    ("/usr/bin/docker-registry", "docker-registry"),
    ("/usr/bin/gcc", "gcc"),
    ("/usr/bin/git", "git"),
    ("/usr/bin/htpasswd", "apache2-utils"),
    ("/usr/bin/mmdebstrap", "mmdebstrap"),
    ("/usr/bin/newuidmap", "uidmap"),
    ("/usr/bin/pasta", "passt"),
    ("/usr/bin/podman", "podman"),
    ("/usr/bin/qemu-aarch64-static", "qemu-user-static"),
    ("/usr/bin/setpriv", "util-linux"),
    ("/usr/bin/skopeo", "skopeo"),
    ("/usr/bin/ssh-keygen", "openssh-client"),
    ("/usr/bin/umoci", "umoci"),
    ("/usr/bin/xz", "xz-utils"),
    ("/usr/bin/zstd", "zstd"),
    ("/usr/include/stdio.h", "libc6-dev"),
    ("/usr/sbin/dockerd", "docker.io"),
    ("/usr/sbin/runc", "runc"),
    ("/usr/sbin/sshd", "openssh-server"),
];

/// The ordinary user as whom rootless tests run when the tests were started by root.
const TEST_USER: &str = "wharf-test";

/// Installs the missing packages when root; otherwise names them.
fn run_as_root() -> Result<(), String> {
    install()?;
    rootless().map(drop)
}

/// Makes the user and opens the device that rootless builds need, and says who it is: user and group.
pub(crate) fn rootless() -> Result<(u32, u32), String> {
    make_user()?;
    open_fuse()?;
    Ok((id("--user")?, id("--group")?))
}

fn id(which: &str) -> Result<u32, String> {
    let output = Command::new("id")
        .args([which, TEST_USER])
        .output()
        .map_err(|error| format!("id: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .map_err(|_| format!("there is no user {TEST_USER}"))
}

/// Everything that this machine's user may do.
pub(crate) fn run() -> Result<(), String> {
    if is_root() {
        return run_as_root();
    }
    for package in missing() {
        println!("missing: Debian's package {package}: the tests that need it are skipped");
    }
    Ok(())
}

/// Whether this process may install packages.
pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|info| std::os::unix::fs::MetadataExt::uid(&info) == 0)
}

/// The packages to install.
fn missing() -> Vec<&'static str> {
    let programs = NEEDS.iter().filter(|(program, _)| !Path::new(program).exists());
    let go = (!go::is_there()).then_some(go::PACKAGE);
    programs.map(|(_, package)| *package).chain(go).collect()
}

fn install() -> Result<(), String> {
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    println!("installing {}", packages.join(" "));
    apt(&["update", "--quiet"])?;
    apt(&[
        &["install", "--yes", "--quiet", "--no-install-recommends"],
        &packages[..],
    ]
    .concat())
}

fn apt(args: &[&str]) -> Result<(), String> {
    stage::run(
        Command::new("apt-get")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

fn make_user() -> Result<(), String> {
    let known = Command::new("id")
        .arg(TEST_USER)
        .output()
        .is_ok_and(|output| output.status.success());
    if known {
        return Ok(());
    }
    stage::run(Command::new("useradd").args([
        "--create-home",
        "--add-subids-for-system",
        "--shell",
        "/bin/sh",
        TEST_USER,
    ]))
}

/// `/dev/fuse` is 0600 on a fresh machine; distributions with a desktop make it 0666.
fn open_fuse() -> Result<(), String> {
    if Path::new("/dev/fuse").exists() {
        stage::run(Command::new("chmod").args(["0666", "/dev/fuse"]))
    } else {
        Ok(())
    }
}
