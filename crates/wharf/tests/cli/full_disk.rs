//! A full disk under the store, under a step, under an export: one clear message, and a store that goes on.

use std::fs;

use crate::{
    busybox,
    context::{TestContext, started_by},
    outcome::Outcome,
};

/// Runs a script in a mount namespace of its own, where a small disk is mounted at `disk`. In it `wharf` is the binary, and `build` a
/// build of the project on which `FROM busybox` works.
struct SmallDisk<'a> {
    context: &'a TestContext,
    mount: &'static str,
}

impl<'a> SmallDisk<'a> {
    fn new(context: &'a TestContext, mount: &'static str) -> Self {
        Self { context, mount }
    }

    /// Runs the script; `None` says that the test was skipped.
    fn run(&self, script: &str) -> Option<Outcome> {
        if !rustix::process::geteuid().is_root() {
            wharf_testkit::skip("disks are mounted as root");
            return None;
        }
        let disk = self.context.out("disk");
        fs::create_dir(&disk).expect("a new directory");
        let place = disk.display().to_string();
        let base = format!("busybox=oci-layout://{}", busybox::layout()?.display());
        let script = format!(
            r#"
            set -e
            disk={place}
            {mount} || {{ echo cannot mount >&2; exit 99; }}
            wharf() {{ "$0" "$@"; }}
            build() {{ "$0" build --progress=plain --build-context {base} "$@" .; }}
            code() {{ expected=$1; shift; "$@" && got=0 || got=$?; [ $got = $expected ] || {{ echo "exit code $got of $*" >&2; exit 98; }}; }}
            {script}
            grep " $disk/" /proc/self/mounts && {{ echo still mounted >&2; exit 97; }}
            wharf store verify >&2
            "#,
            mount = self.mount,
        );
        let shell = self.context.command(["unused"]);
        let mut command = started_by(&["unshare", "--mount", "--", "sh", "-c", &script], &shell);
        command.env("WHARF_STORE", disk.join("store"));
        let outcome = Outcome::of(&mut command);
        if outcome.code == 99 {
            wharf_testkit::skip(&format!("no small disk can be mounted here: {}", outcome.stderr));
            return None;
        }
        Some(outcome.success())
    }
}

const TMPFS: &str = "mount -t tmpfs -o size=12m none $disk";

/// A file system on which the store lies for real: with extended attributes, and directories that need room.
const EXT4: &str = "dd if=/dev/zero of=$disk.image bs=1M count=16 status=none && mkfs.ext4 -q -m 0 $disk.image && mount -o loop $disk.image $disk";

/// Says what people see when a disk is full, once.
#[track_caller]
fn told(outcome: &Outcome) {
    assert_eq!(outcome.count("error:"), 1, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("No space left on device"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("hint: a disk is full"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_context_that_does_not_fit_into_the_store() {
    let context = TestContext::new();
    fs::write(context.path("big"), noise(20 << 20)).expect("a new file");
    context.write("small", "fits");
    context.write("Dockerfile", "FROM scratch\nCOPY big /big\n");
    context.write("other", "FROM scratch\nCOPY small /small\n");
    let disk = SmallDisk::new(&context, EXT4);
    let Some(outcome) = disk.run("code 3 build; wharf build -q -f other .") else {
        return;
    };
    told(&outcome);
}

#[test]
fn a_step_that_writes_more_than_there_is() {
    let context = TestContext::new();
    let fill = "FROM busybox\nRUN echo before && dd if=/dev/zero of=/big bs=1M count=64\n";
    context.write("Dockerfile", fill);
    context.write("other", "FROM busybox\nRUN echo fits > /file\n");
    let disk = SmallDisk::new(&context, EXT4);
    let script = "code 1 build; build -q -f other; build -f other 2>&1 | grep CACHED >&2";
    let Some(outcome) = disk.run(script) else { return };
    told(&outcome);
}

#[test]
fn a_layer_that_does_not_fit_beside_what_the_step_wrote() {
    let context = TestContext::new();
    // What the step writes fits, but not a second time, as an encoded layer.
    let dockerfile = "FROM busybox\nRUN dd if=/dev/urandom of=/big bs=1M count=6\n";
    context.write("Dockerfile", dockerfile);
    context.write("other", "FROM busybox\nRUN echo fits > /file\n");
    let disk = SmallDisk::new(&context, TMPFS);
    let Some(outcome) = disk.run("code 3 build; wharf store gc --max-size 0 >&2; build -q -f other") else {
        return;
    };
    told(&outcome);
}

#[test]
fn outputs_that_do_not_fit() {
    let context = TestContext::new();
    fs::write(context.path("big"), noise(20 << 20)).expect("a new file");
    context.write("Dockerfile", "FROM scratch\nCOPY big /big\n");
    for output in [
        "type=oci,dest=$disk/x.tar",
        "type=docker,dest=$disk/x.tar",
        "type=oci,tar=false,dest=$disk/x",
        "type=tar,dest=$disk/x.tar",
        "type=local,dest=$disk/x",
    ] {
        let disk = SmallDisk::new(&context, TMPFS);
        let script = format!(
            "export WHARF_STORE=$disk/../store; code 3 build -o {output}; ls -A $disk >&2; build -q; df $disk >&2"
        );
        let Some(outcome) = disk.run(&script) else { return };
        told(&outcome);
        assert!(
            !outcome.stderr.contains("x.tar\n"),
            "{output}: {}",
            outcome.stderr
        );
        fs::remove_dir(context.out("disk")).expect("what was mounted is gone");
    }
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let words = (0..length / 8).map(|_| next());
    words.flat_map(u64::to_le_bytes).collect()
}
