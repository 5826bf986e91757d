//! A build of every kind of step, and the judgement on a store after a fault: nothing held, the image of before, all objects sound.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::{context::TestContext, outcome::Outcome, user::User};

/// Every kind of step that leaves something in the store, contents of several sizes, a file of many entries.
const DOCKERFILE: &str = "
    FROM busybox AS tools
    RUN mkdir /t && for i in 1 2 3 4; do echo $i > /t/$i; done && head -c 300000 /bin/busybox > /t/large
    FROM busybox
    WORKDIR /app
    COPY . .
    RUN --mount=type=cache,target=/c cat src/* | tee /c/kept > /out && ln /out /hard && ln -s out /soft
    COPY --from=tools /t /t
    RUN cat /t/? /app/README > /all && chown 5:6 /app/README && rm /bin/vi && mkfifo /pipe
";

/// The image is equal down to the digest whenever trees and configuration are: all its times are given.
const TIMELESS: [&str; 6] = [
    "--build-arg",
    "SOURCE_DATE_EPOCH=0",
    "-o",
    "type=image,rewrite-timestamp=true",
    "-t",
    "app",
];

/// A project of [`DOCKERFILE`] with a store of its own.
pub(super) struct World {
    pub(super) context: TestContext,
}

impl World {
    pub(super) fn new(user: Option<User>) -> Self {
        let context = TestContext::of(user);
        for (path, text) in [("README", "read me"), ("src/a", "a"), ("src/b", "b")] {
            context.write(path, text);
        }
        context.write("Dockerfile", DOCKERFILE);
        context.own_project();
        Self { context }
    }

    /// The build's arguments; `None` says that the test was skipped.
    pub(super) fn args(&self) -> Option<Vec<String>> {
        self.context.build_args(&TIMELESS)
    }

    /// The build with two exports more, as it is stopped.
    pub(super) fn exporting_args(&self) -> Option<Vec<String>> {
        let mut args = self.args()?;
        for (kind, name) in [("oci", "app.tar"), ("local", "files")] {
            let output = format!("type={kind},dest={}", self.context.out(name).display());
            args.extend(["-o".to_owned(), output]);
        }
        Some(args)
    }

    /// Builds to the end.
    pub(super) fn build(&self) -> Outcome {
        let args = self.args().expect("the test was not skipped");
        self.context.wharf(args)
    }

    /// Demands that nothing runs or is mounted in the store any more, and that a build gives the image of before and leaves a sound store.
    pub(super) fn goes_on(&self, told: &str, expected: &str) {
        self.is_released(told);
        let built = self.build();
        assert_eq!(built.code, 0, "{told}: {}", built.stderr);
        assert_eq!(built.digest(), expected, "{told}: {}", built.stderr);
        let verified = self.context.wharf(["store", "verify"]);
        assert_eq!(verified.code, 0, "{told}: {}", verified.stdout);
    }

    /// Waits until nothing runs or is mounted in the store.
    pub(super) fn is_released(&self, told: &str) {
        let begin = Instant::now();
        while let Some(holder) = holder(&self.context.store()) {
            assert!(begin.elapsed() < Duration::from_secs(20), "{told}: {holder}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A process that has something of a directory open or mounted.
fn holder(directory: &Path) -> Option<String> {
    let name = directory.display().to_string();
    let processes = fs::read_dir("/proc").expect("proc is mounted").flatten();
    processes.map(|process| process.path()).find_map(|process| {
        let mounts = fs::read_to_string(process.join("mountinfo")).unwrap_or_default();
        let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        let is_inside =
            |file: fs::DirEntry| fs::read_link(file.path()).is_ok_and(|path| path.starts_with(directory));
        (mounts.contains(&name) || files.into_iter().any(is_inside)).then(|| {
            let line = fs::read_to_string(process.join("cmdline")).unwrap_or_default();
            format!(
                "{} still holds the store: {}",
                process.display(),
                line.replace('\0', " ")
            )
        })
    })
}
