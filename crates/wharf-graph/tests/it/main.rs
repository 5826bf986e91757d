//! Lowering by example: every file of `tests/cases` is some options, a line `---` and a Dockerfile; what comes of it is a
//! snapshot beside it.

// Helpers of tests may fail and print as tests may.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod dump;
mod errors;
mod keys;
mod mutants;
mod options;
mod speed;

use std::{fs, path::Path};

use wharf_dockerfile::{Dockerfile, parse};
use wharf_graph::{BaseImage, Bases, Graph, LowerError, LowerOptions, Source, lower, required_bases};
use wharf_oci::{Digest, config::ImageConfig};

/// The Dockerfile of `text`, which must have no syntax errors.
fn parsed(text: &str) -> Dockerfile {
    let parse = parse(text);
    assert_eq!(parse.errors, [], "{text}");
    parse.dockerfile
}

/// Lowers with every base answered: by the options' `base` lines, else by a plain image.
fn lowered(
    text: &str,
    options: &LowerOptions,
    known: &options::KnownBases,
) -> Result<Graph, Vec<LowerError>> {
    let dockerfile = parsed(text);
    let mut bases = Bases::new();
    loop {
        let wanted = required_bases(&dockerfile, options, &bases)?;
        if wanted.is_empty() {
            return lower(&dockerfile, options, &bases);
        }
        for request in wanted {
            let image = base_image(&request.source, &request.platform, known);
            bases.insert(request, image);
        }
    }
}

fn base_image(source: &Source, platform: &wharf_oci::Platform, known: &options::KnownBases) -> BaseImage {
    let name = match source {
        Source::Image(image) => image.reference.as_str(),
        Source::Base(name) => name.as_str(),
        Source::OciLayout(layout) => layout.path.as_str(),
        other => panic!("{other:?} needs no configuration"),
    };
    let mut config = known.get(name).cloned().unwrap_or_else(|| plain_config(name));
    config.os.clone_from(&platform.os);
    config.architecture.clone_from(&platform.architecture);
    BaseImage {
        config,
        digest: (!matches!(source, Source::Base(_))).then(|| Digest::of(name.as_bytes())),
    }
}

fn plain_config(name: &str) -> ImageConfig {
    let mut config = ImageConfig::default();
    config.rootfs.diff_ids.push(Digest::of(name.as_bytes()));
    config.config.env = vec!["PATH=/bin".to_owned()];
    config.config.cmd = vec!["sh".to_owned()];
    config
}

fn outcome(case: &str) -> String {
    let (header, text) = case.split_once("---\n").expect("a case has a line ---");
    let (options, known) = options::parse(header);
    match lowered(text, &options, &known) {
        Ok(graph) => dump::graph(&graph),
        Err(errors) => dump::errors(&parsed(text), &errors),
    }
}

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let case = fs::read_to_string(&path).unwrap();
        insta::with_settings!({ snapshot_path => &folder, prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, outcome(&case));
        });
        count += 1;
    }
    assert!(count > 20, "only {count} cases were found");
}
