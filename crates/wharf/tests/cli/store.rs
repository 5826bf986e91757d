//! The store between builds: damage is found, room is made, nothing that is needed goes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::context::{TestContext, files};

/// The store's file that holds just this.
fn holding(store: &Path, content: &str) -> PathBuf {
    let mut found = files(&store.join("v1/blobs"));
    found.retain(|path| fs::read(path).is_ok_and(|bytes| bytes == content.as_bytes()));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn a_damaged_file_is_found_and_made_anew() {
    let context = TestContext::new();
    let content = "the content of one file of the context";
    context.write("file", content);
    context.write("Dockerfile", "FROM scratch\nCOPY file /file\n");
    context.wharf(["build", "."]).success();
    context.wharf(["store", "verify"]).success();
    let blob = holding(&context.store(), content);
    // The same length and, as a failing disk would leave it, the same times.
    let times = fs::metadata(&blob)
        .and_then(|metadata| metadata.modified())
        .expect("it is there");
    fs::write(&blob, content.replace("one", "two")).expect("it is ours");
    fs::File::options()
        .write(true)
        .open(&blob)
        .and_then(|file| file.set_modified(times))
        .expect("it is ours");
    let verified = context.wharf(["store", "verify"]).exits(1);
    assert!(
        verified.stdout.contains(&blob.display().to_string()),
        "{}",
        verified.stdout
    );
    let output = format!("type=local,dest={}", context.out("files").display());
    context.wharf(["build", "-o", &output, "."]).success();
    assert_eq!(
        fs::read_to_string(context.out("files/file")).expect("the file"),
        content
    );
    context.wharf(["build", "."]).success();
    context.wharf(["store", "verify"]).success();
}

#[test]
fn cut_off_objects_are_named_and_made_anew() {
    let context = TestContext::new();
    context.write("file", "x");
    let dockerfile = "FROM busybox\nCOPY file /file\nRUN cat /file > /copy\n";
    let Some(first) = context.build(dockerfile, &[]) else {
        return;
    };
    first.success();
    let objects = |folder: &str| files(&context.store().join("v1").join(folder));
    for folder in ["results", "trees", "times", "memo", "paths", "stat"] {
        for file in objects(folder) {
            let bytes = fs::read(&file).expect("an object of the store");
            fs::write(&file, &bytes[..bytes.len() / 2]).expect("it is ours");
        }
        // A build that meets damage forgets the object and makes it anew; what it has no need of, a look at everything finds.
        fs::write(context.path("file"), folder).expect("it is ours");
        context.build(dockerfile, &[]).expect("it built").success();
        context.wharf(["store", "verify"]);
        context.wharf(["store", "verify"]).success();
    }
    context
        .build(dockerfile, &["--no-cache"])
        .expect("it built")
        .success();
}

#[test]
fn what_is_over_the_cap_goes_and_named_images_stay() {
    let context = TestContext::new();
    let Some(built) = context.build("FROM busybox\nRUN echo kept > /kept\n", &["-t", "kept"]) else {
        return;
    };
    built.success();
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /unnamed\n");
    context.wharf(["build", "."]).success();
    let removed = context.wharf(["store", "gc", "--max-size", "0"]).success();
    assert!(removed.stdout.starts_with("removed"), "{}", removed.stdout);
    let said = context.wharf(["run", "kept", "cat", "/kept"]).success();
    assert_eq!(said.stdout, "kept\n");
    context.wharf(["store", "verify"]).success();
    context.wharf(["build", "."]).success();
    let used = context.wharf(["store", "df", "--json"]).success().json();
    assert!(used["total"].as_u64().is_some_and(|total| total > 0), "{used}");
}

/// A base's layers are written out as they came, so their blobs are kept with what was unpacked from them.
#[test]
fn an_image_can_be_written_out_after_a_collection_or_when_a_layer_of_its_base_is_lost() {
    let context = TestContext::new();
    let dockerfile = "FROM busybox\nRUN echo 1 > /a\n";
    let output = format!("type=oci,tar=false,dest={}", context.out("layout").display());
    let Some(built) = context.build(dockerfile, &[]) else {
        return;
    };
    built.success();
    context.wharf(["store", "gc"]).success();
    let build = || {
        let _ = fs::remove_dir_all(context.out("layout"));
        context
            .build(dockerfile, &["-t", "named", "-o", &output])
            .expect("it built")
    };
    build().success();
    context.wharf(["store", "verify"]).success();
    for blob in files(&context.out("layout/blobs")) {
        let name = blob.file_name().expect("a name").to_string_lossy().into_owned();
        let stored = context.store().join("v1/blobs").join(&name[..2]).join(&name);
        fs::remove_file(&stored).expect("what was written out is in the store");
        build().success();
        assert!(stored.exists(), "{name}");
    }
}
