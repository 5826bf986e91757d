//! Sessions that go wrong: the step notices, and nothing is recorded.

use std::{fs, io, path::Path, sync::mpsc, time::Duration};

use wharf_oci::Digest;
use wharf_rootfs::{BlobOpen, IdRange, Owners, ServeError, ServeOptions, Server};

use crate::{
    needs_mounts,
    support::{
        Item::{self, *},
        Step, both_ways,
    },
};

#[test]
fn a_missing_content_is_no_result() {
    needs_mounts!();
    for large in both_ways() {
        let step = step(large, &[("f", File("text"))]);
        fs::remove_file(step.blobs.path(&Digest::of(b"text"))).unwrap();
        let outcome = step.run("cat /f || echo failed");
        assert_eq!(outcome.stdout(), "failed\n");
        let Err(ServeError::Blob { path, source, .. }) = outcome.read else {
            panic!("{:?}", outcome.read);
        };
        assert_eq!(path.to_string(), "/f");
        assert_eq!(source.kind(), io::ErrorKind::NotFound);
    }
}

fn step(large: Option<u64>, items: &[(&str, Item<'_>)]) -> Step {
    Step {
        large,
        ..Step::new(items)
    }
}

#[test]
fn a_refused_layer_leaves_all_files_in_the_first_one() {
    needs_mounts!();
    let step = Step {
        refused: true,
        ..step(Some(1), &[("f", File("text")), ("d/g", File("more"))])
    };
    let outcome = step.run("cat /f; echo /d/*");
    assert_eq!(outcome.stdout(), "text/d/g\n");
    assert_eq!(outcome.reads(), "/d present listing\n/f present stat content");
}

#[test]
fn a_path_that_is_too_long_for_the_kernel_leads_to_no_layer() {
    needs_mounts!();
    let deep = vec!["d".repeat(250); 16].join("/");
    let name = "f".repeat(80);
    let file = format!("{deep}/{name}");
    let step = step(Some(1), &[(&file, File("text"))]);
    let script = format!("for i in {}; do cd $i; done; cat {name}", deep.replace('/', " "));
    let outcome = step.run(&script);
    assert_eq!(outcome.stdout(), "text");
    assert!(outcome.read.is_ok());
}

#[test]
fn a_short_content_is_no_result() {
    needs_mounts!();
    for large in both_ways() {
        let step = step(large, &[("f", File("text"))]);
        fs::write(step.blobs.path(&Digest::of(b"text")), "te").unwrap();
        let outcome = step.run("cat /f || echo failed");
        assert_eq!(outcome.stdout(), "failed\n");
        assert!(
            matches!(outcome.read, Err(ServeError::Blob { .. })),
            "{:?}",
            outcome.read
        );
    }
}

#[test]
fn a_content_that_never_comes_can_be_aborted() {
    needs_mounts!();
    for large in both_ways() {
        let mut step = step(large, &[("f", File("text"))]);
        let (asked, waits) = mpsc::channel();
        step.hold_back(Digest::of(b"text"), asked);
        let outcome = step.run_with("cat /f && echo there", |abort| {
            let release = waits
                .recv_timeout(Duration::from_secs(10))
                .expect("the step reads");
            abort.abort();
            drop(release);
        });
        // The script fails, or its shell dies of a page of its own that does not come either.
        assert_eq!(outcome.stdout(), "");
        assert!(!outcome.output.status.success());
        assert!(
            matches!(outcome.read, Err(ServeError::Aborted)),
            "{:?}",
            outcome.read
        );
    }
}

#[test]
fn nobody_waits_for_what_others_want() {
    needs_mounts!();
    for large in both_ways() {
        let slow = ["one", "two", "three"];
        let files = slow.iter().map(|name| (*name, File(name)));
        let mut step = step(large, &files.chain([("g", File("more"))]).collect::<Vec<_>>());
        let (asked, waits) = mpsc::channel();
        for content in slow {
            step.hold_back(Digest::of(content.as_bytes()), asked.clone());
        }
        let (asked_too, waits_too) = mpsc::channel();
        step.hold_back(Digest::of(b"more"), asked_too);
        let script = "cat /one > /1 | cat /two > /2 | cat /three > /3 | cat /g > /out";
        let outcome = step.run_with(script, |_| {
            let wait = |waits: &mpsc::Receiver<mpsc::Sender<()>>| {
                waits
                    .recv_timeout(Duration::from_secs(10))
                    .expect("the step reads")
            };
            let releases = [(); 3].map(|()| wait(&waits));
            drop(wait(&waits_too));
            let written = || fs::read(step.upper().join("out")).is_ok_and(|out| out == b"more");
            while !written() {
                std::thread::sleep(Duration::from_millis(1));
            }
            drop(releases);
        });
        assert!(outcome.read.is_ok());
    }
}

#[test]
fn a_descriptor_that_is_no_mount_is_an_error() {
    needs_mounts!();
    let step = Step::new(&[]);
    let server = || Server::new(&step.tree, step.blobs.clone(), &ServeOptions::default()).unwrap();
    for path in ["/dev/fuse", "/dev/null"] {
        let file = fs::File::options()
            .read(true)
            .write(true)
            .open(Path::new(path))
            .unwrap();
        assert!(
            matches!(server().serve(file.into(), None), Err(ServeError::Handshake(_))),
            "{path}"
        );
    }
}

#[test]
fn owners_that_the_namespace_lacks_are_refused() {
    struct Nothing;
    impl BlobOpen for Nothing {
        fn open(&self, _: &Digest) -> io::Result<fs::File> {
            Err(io::ErrorKind::NotFound.into())
        }
    }
    let ranges = vec![IdRange {
        inside: 0,
        outside: 1000,
        count: 1,
    }];
    let options = ServeOptions {
        owners: Owners::Mapped {
            uids: ranges.clone(),
            gids: ranges,
        },
        ..ServeOptions::default()
    };
    let step = Step::new(&[("f", Owner("text", 33))]);
    let error = Server::new(&step.tree, std::sync::Arc::new(Nothing), &options)
        .err()
        .unwrap();
    assert!(
        matches!(error, ServeError::UnmappedOwner { uid: 33, .. }),
        "{error}"
    );
}
