//! A Go toolchain new enough to build the reference builder: the machine's, else one that the machine's Go brings.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

/// Says in its `go` line which version is needed.
const MODULE: &str = "bench/buildkit/go.mod";

/// Where a Go lies besides the search path: upstream's place and Debian's.
const PLACES: &[&str] = &["/usr/local/go/bin", "/usr/lib/go/bin"];

/// The Debian package of some Go. However old it is, it can bring a newer one.
pub(crate) const PACKAGE: &str = "golang-go";

/// A version such as 1.26.8.
type Version = [u32; 3];

/// Whether there is any Go.
pub(crate) fn is_there() -> bool {
    programs().next().is_some()
}

/// The `go` that builds the module. An older one fetches it, as a module, which its checksum database vouches for.
pub(crate) fn program() -> Result<PathBuf, String> {
    let text = fs::read_to_string(MODULE).map_err(|error| format!("{MODULE}: {error}"))?;
    let wanted = wanted(&text).ok_or_else(|| format!("{MODULE} does not say which go it needs"))?;
    if let Some(program) = programs().find(|program| version_of(program) >= Some(wanted)) {
        return Ok(program);
    }
    let old = programs()
        .next()
        .ok_or_else(|| format!("there is no go; install one, such as Debian's package {PACKAGE}"))?;
    fetch(&old, wanted)
}

/// Every Go of this machine, best place first.
fn programs() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<_> = std::env::split_paths(&path).collect();
    places.extend(PLACES.iter().map(PathBuf::from));
    places
        .into_iter()
        .map(|place| place.join("go"))
        .filter(|program| program.is_file())
}

fn version_of(program: &Path) -> Option<Version> {
    let mut command = Command::new(program);
    let output = command
        .args(["env", "GOVERSION"])
        .env("GOTOOLCHAIN", "local")
        .output();
    let text = String::from_utf8(output.ok()?.stdout).ok()?;
    version(text.trim().strip_prefix("go")?)
}

fn wanted(module: &str) -> Option<Version> {
    version(module.lines().find_map(|line| line.strip_prefix("go "))?.trim())
}

/// A release; what follows the numbers, as in `1.27rc1`, does not count.
fn version(text: &str) -> Option<Version> {
    let mut version = [0; 3];
    for (part, text) in version.iter_mut().zip(text.split('.')) {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        *part = text[..digits].parse().ok()?;
    }
    Some(version)
}

/// Brings the toolchain of that version into the module cache.
fn fetch(old: &Path, [major, minor, patch]: Version) -> Result<PathBuf, String> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let module = format!("golang.org/toolchain@v0.0.1-go{major}.{minor}.{patch}.linux-{architecture}");
    println!("fetching {module}");
    let output = Command::new(old)
        .args(["mod", "download", "-json", &module])
        .env("GOTOOLCHAIN", "local")
        .output()
        .map_err(|error| format!("{}: {error}", old.display()))?;
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let folder = answer["Dir"].as_str().ok_or_else(|| {
        let said = answer["Error"].as_str().map_or_else(
            || String::from_utf8_lossy(&output.stderr).into_owned(),
            str::to_owned,
        );
        format!("{} does not bring {module}: {said}", old.display())
    })?;
    let folder = Path::new(folder);
    for programs in ["bin", "pkg/tool"] {
        make_executable(&folder.join(programs)).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    Ok(folder.join("bin/go"))
}

/// Files of modules are not executable, and a Go from before toolchains were modules leaves it at that.
fn make_executable(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            make_executable(&path)?;
        } else {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers() {
        assert_eq!(version("1.26.8"), Some([1, 26, 8]));
        assert_eq!(version("1.27rc1"), Some([1, 27, 0]));
        assert!(version("1.19.8") < version("1.26"));
        assert_eq!(version("devel"), None);
        assert_eq!(
            wanted("module m\n\ngo 1.26.8\n\nrequire x v1\n"),
            Some([1, 26, 8])
        );
    }
}
