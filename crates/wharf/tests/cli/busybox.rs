//! The base on which steps run: a static busybox with its applets, as an OCI layout that is made once per test run.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process,
    sync::OnceLock,
};

use crate::context::TestContext;

/// Where Debian's `busybox-static` has it.
const PROGRAM: &str = "/usr/bin/busybox";

/// Prefix of the directories in which test runs keep what their tests share; the process's id follows.
const PREFIX: &str = "wharf-cli-";

/// A layout with the image `busybox`, or that the test is skipped because none can be made here.
pub(crate) fn layout() -> Option<&'static Path> {
    static LAYOUT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match LAYOUT.get_or_init(make) {
        Ok(path) => Some(path),
        Err(reason) => {
            wharf_testkit::skip(reason);
            None
        }
    }
}

fn make() -> Result<PathBuf, String> {
    if !Path::new(PROGRAM).exists() {
        return Err(format!("{PROGRAM} is not installed (apt: busybox-static)"));
    }
    let layout = shared().join("busybox");
    let context = TestContext::new();
    fs::copy(PROGRAM, context.path("busybox")).map_err(|error| error.to_string())?;
    let dockerfile = r#"
        FROM scratch
        COPY busybox /bin/busybox
        RUN ["/bin/busybox", "mkdir", "-p", "/etc", "/root", "/tmp"]
        RUN ["/bin/busybox", "--install", "-s", "/bin"]
        RUN printf 'root:x:0:0:root:/root:/bin/sh\ngull:x:1000:100:a bird:/home/gull:/bin/sh\n' > /etc/passwd \
         && printf 'root:x:0:\nbirds:x:100:\nfish:x:200:gull\n' > /etc/group && chmod 1777 /tmp
        CMD ["sh"]
    "#;
    context.write("Dockerfile", dockerfile);
    let output = format!("type=oci,tar=false,dest={}", layout.display());
    let built = context.wharf(["build", "-o", &output, "-t", "busybox", "."]);
    match built.code {
        0 => Ok(layout),
        3 => Err(format!("steps cannot run here: {}", built.stderr)),
        code => panic!("the base failed with {code}: {}", built.stderr),
    }
}

/// A directory for what the tests of this process share, readable by everybody. A later run removes it: nothing runs after the last test.
pub(crate) fn shared() -> &'static Path {
    static SHARED: OnceLock<PathBuf> = OnceLock::new();
    SHARED.get_or_init(|| {
        sweep();
        let path = std::env::temp_dir().join(format!("{PREFIX}{}", process::id()));
        fs::create_dir_all(&path).expect("the temporary directory is writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("the directory is ours");
        path
    })
}

/// Removes what runs left whose process is gone.
fn sweep() {
    let entries = fs::read_dir(std::env::temp_dir()).expect("the temporary directory is readable");
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // Somebody else's is left alone.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
