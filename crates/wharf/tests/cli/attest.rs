//! Attestations: what hangs on images and lies beside files, and what it says.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use wharf_testkit::{
    docker_registry::{DockerRegistry, Setup},
    fake_http::{Answer, FakeServer},
};

use crate::{
    context::{TestContext, names},
    outcome::Outcome,
    programs::tool,
    remote_contexts::Repository,
};

const SPDX: &str = "https://spdx.dev/Document";
const SLSA: &str = "https://slsa.dev/provenance/v1";
const SLSA_02: &str = "https://slsa.dev/provenance/v0.2";

/// Needs no step to run.
const COPY_ONLY: &str = "FROM scratch AS base\nCOPY Dockerfile /one\nFROM base\nARG NAME\nCOPY lock/ /\n";
const LOCK: &str =
    "[[package]]\nname = \"memchr\"\nversion = \"2.7.4\"\nsource = \"registry+https://example.org/index\"\n";

/// A layout on disk.
struct Layout(PathBuf);

impl Layout {
    fn blob(&self, digest: &str) -> Value {
        let path = self.0.join("blobs").join(digest.replace(':', "/"));
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_slice(&bytes).expect("documents are JSON")
    }

    /// What the layout's one entry names.
    fn top(&self) -> Value {
        let index = fs::read(self.0.join("index.json")).expect("a layout");
        let index: Value = serde_json::from_slice(&index).expect("an index is JSON");
        self.blob(text(&index, "/manifests/0/digest"))
    }

    /// The manifest of attestations and its entry in the index.
    fn attestations(&self) -> (Value, Value) {
        let top = self.top();
        let entries = top["manifests"].as_array().expect("it is an index");
        let is_it = |entry: &&Value| entry.pointer("/platform/os") == Some(&json!("unknown"));
        let entry = entries
            .iter()
            .find(is_it)
            .expect("there are attestations")
            .clone();
        (self.blob(text(&entry, "/digest")), entry)
    }

    /// The statements with predicates of this type.
    fn statements(&self, predicate_type: &str) -> Vec<Value> {
        let (manifest, _) = self.attestations();
        let layers = manifest["layers"].as_array().expect("layers").clone();
        let is_it = |layer: &&Value| layer["annotations"]["in-toto.io/predicate-type"] == predicate_type;
        let statements = layers.iter().filter(is_it).map(|layer| {
            assert_eq!(layer["mediaType"], "application/vnd.in-toto+json");
            let statement = self.blob(text(layer, "/digest"));
            assert_eq!(statement["predicateType"], predicate_type);
            statement
        });
        statements.collect()
    }

    fn predicate(&self, predicate_type: &str) -> Value {
        self.statements(predicate_type)[0]["predicate"].clone()
    }
}

#[track_caller]
fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("{pointer} is no text in {value:#}"))
}

/// A project from which nothing runs, built into a layout.
fn copied(args: &[&str]) -> (TestContext, Layout) {
    copied_to("type=oci,tar=false,dest=../out/layout", args)
}

fn copied_to(output: &str, args: &[&str]) -> (TestContext, Layout) {
    let context = TestContext::new();
    context.write("Dockerfile", COPY_ONLY);
    context.write("lock/Cargo.lock", LOCK);
    let fixed = ["build", "-o", output, "-t", "example.com/a:1"];
    context.wharf(fixed.iter().chain(args).chain(&["."])).success();
    let layout = Layout(context.out("layout"));
    (context, layout)
}

#[test]
fn nothing_is_attached_unless_asked_for() {
    for args in [&[][..], &["--provenance=false", "--sbom=false"]] {
        let (_context, layout) = copied(args);
        assert_eq!(
            layout.top()["mediaType"],
            "application/vnd.oci.image.manifest.v1+json"
        );
    }
}

#[test]
fn attestations_hang_on_the_image_as_buildkit_hangs_them() {
    let (_context, layout) = copied(&["--sbom", "--provenance"]);
    let top = layout.top();
    assert_eq!(top["mediaType"], "application/vnd.oci.image.index.v1+json");
    let image = &top["manifests"][0];
    assert_eq!(text(image, "/platform/os"), "linux");
    let (manifest, entry) = layout.attestations();
    assert_eq!(
        entry["annotations"],
        json!({
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": image["digest"],
        })
    );
    assert_eq!(
        entry["platform"],
        json!({"architecture": "unknown", "os": "unknown"})
    );
    assert_eq!(
        manifest["artifactType"],
        "application/vnd.docker.attestation.manifest.v1+json"
    );
    assert_eq!(manifest["subject"]["digest"], image["digest"]);
    assert_eq!(
        manifest["config"]["mediaType"],
        "application/vnd.oci.empty.v1+json"
    );
    let types: Vec<_> = manifest["layers"]
        .as_array()
        .expect("layers")
        .iter()
        .map(|layer| text(layer, "/annotations/in-toto.io~1predicate-type").to_owned())
        .collect();
    assert_eq!(types, [SPDX, SLSA]);
    let platform = text(image, "/platform/architecture");
    for statement in layout.statements(SPDX).into_iter().chain(layout.statements(SLSA)) {
        assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
        let name = format!("pkg:docker/example.com/a@1?platform=linux%2F{platform}");
        let hash = text(image, "/digest").trim_start_matches("sha256:");
        assert_eq!(
            statement["subject"],
            json!([{"name": name, "digest": {"sha256": hash}}])
        );
    }
}

#[test]
fn without_artifacts_it_looks_like_an_image() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let output = "type=oci,tar=false,dest=../out/layout,oci-artifact=false";
    context.wharf(["build", "--sbom", "-o", output, "."]).success();
    let layout = Layout(context.out("layout"));
    let (manifest, _) = layout.attestations();
    assert_eq!(manifest["artifactType"], Value::Null);
    let config = layout.blob(text(&manifest, "/config/digest"));
    assert_eq!(config["os"], "unknown");
    assert_eq!(config["rootfs"]["diff_ids"][0], manifest["layers"][0]["digest"]);
    let failed = context.wharf([
        "build",
        "--sbom",
        "-o",
        "type=oci,oci-mediatypes=false,dest=../out/a.tar",
        ".",
    ]);
    failed.exits(2).says("attestations need OCI media types");
}

/// With a secret, an argument, a label, a mount and two stages.
const STEPS: &str = r#"
    FROM busybox AS made
    ARG NAME
    RUN --mount=type=secret,id=token,env=TOKEN --mount=type=secret,id=file,required=true \
        test -n "$TOKEN" && test -s /run/secrets/file && echo hello $NAME > /greeting
    FROM busybox
    COPY --from=made /greeting /greeting
"#;

fn with_secrets(context: &TestContext, args: &[&str]) -> Option<Outcome> {
    context.write("secret", "s3cr3t-of-a-file");
    context.write("Dockerfile", STEPS);
    let fixed = [
        "-o",
        "type=oci,tar=false,dest=../out/layout",
        "--secret",
        "id=file,src=secret",
        "--secret",
        "id=token,env=TOKEN",
        "--build-arg",
        "NAME=moon",
        "--build-arg",
        "HTTP_PROXY=http://user:hunter2@127.0.0.1:9/",
        "--label",
        "l=m",
    ];
    let args: Vec<_> = fixed.iter().chain(args).copied().collect();
    let mut command = context.command(context.build_args(&args)?);
    Some(Outcome::of(command.env("TOKEN", "s3cr3t-of-a-variable")).success())
}

#[test]
fn full_provenance_tells_all_but_secrets() {
    let context = TestContext::new();
    let flags = [
        "--attest",
        "type=provenance,builder-id=https://ci.example/1",
        "--metadata-file=../out/meta.json",
    ];
    if with_secrets(&context, &flags).is_none() {
        return;
    }
    let layout = Layout(context.out("layout"));
    let predicate = layout.predicate(SLSA);
    let request = &predicate["buildDefinition"]["externalParameters"]["request"];
    assert_eq!(request["frontend"], "dockerfile.v0");
    assert_eq!(request["args"]["build-arg:NAME"], "moon");
    assert_eq!(
        request["args"]["build-arg:HTTP_PROXY"],
        "http://xxxxx:xxxxx@127.0.0.1:9/"
    );
    assert_eq!(request["args"]["label:l"], "m");
    assert_eq!(
        request["args"]["context:busybox"]
            .as_str()
            .map(|text| text.contains('/')),
        Some(true)
    );
    assert_eq!(
        request["secrets"],
        json!([{"id": "file"}, {"id": "token", "optional": true}])
    );
    assert_eq!(request["locals"], json!([{"name": "dockerfile"}]));
    let source = &predicate["buildDefinition"]["externalParameters"]["configSource"];
    assert_eq!(source["path"], "Dockerfile");
    // The base, from a layout: by the digest of its manifest.
    let base = &predicate["buildDefinition"]["resolvedDependencies"][0];
    assert!(
        text(base, "/uri").starts_with("pkg:oci/busybox?digest=sha256:"),
        "{base}"
    );
    assert_eq!(text(base, "/digest/sha256").len(), 64);
    assert_eq!(predicate["runDetails"]["builder"]["id"], "https://ci.example/1");
    let metadata = &predicate["runDetails"]["metadata"];
    for time in ["startedOn", "finishedOn"] {
        assert!(text(metadata, &format!("/{time}")).ends_with('Z'));
    }
    assert_eq!(
        metadata["buildkit_completeness"],
        json!({"request": true, "resolvedDependencies": false})
    );
    assert_eq!(metadata["buildkit_hermetic"], Value::Null);
    steps_are_told(&predicate, &layout);
    let meta: Value =
        serde_json::from_slice(&fs::read(context.out("meta.json")).expect("it was asked for")).expect("JSON");
    let shorter = &meta["buildx.build.provenance"];
    assert_eq!(shorter["buildType"], "https://mobyproject.org/buildkit@v1");
    assert_eq!(shorter["invocation"]["configSource"]["entryPoint"], "Dockerfile");
    assert_eq!(
        (&shorter["metadata"], &shorter["buildConfig"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        shorter["materials"],
        predicate["buildDefinition"]["resolvedDependencies"]
    );
    nowhere(
        &context.out(""),
        &["s3cr3t-of-a-file", "s3cr3t-of-a-variable", "hunter2"],
    );
    nowhere(&context.store(), &["s3cr3t-of-a-file", "s3cr3t-of-a-variable"]);
}

/// Every step has its place in the Dockerfile, its inputs and its layers.
fn steps_are_told(predicate: &Value, layout: &Layout) {
    let config = &predicate["buildDefinition"]["internalParameters"]["buildConfig"];
    let steps = config["llbDefinition"].as_array().expect("steps");
    let known: BTreeSet<_> = steps.iter().map(|step| text(step, "/id")).collect();
    let mapped = config["digestMapping"].as_object().expect("a mapping");
    let mapped: BTreeSet<_> = mapped.values().filter_map(Value::as_str).collect();
    assert_eq!(mapped, known);
    for input in steps
        .iter()
        .filter_map(|step| step["inputs"].as_array())
        .flatten()
    {
        let step = input.as_str().and_then(|input| input.strip_suffix(":0"));
        assert!(step.is_some_and(|step| known.contains(step)), "{input}");
    }
    let run = steps
        .iter()
        .find(|step| step.pointer("/op/Op/exec").is_some())
        .expect("there is a RUN");
    let exec = &run["op"]["Op"]["exec"];
    assert_eq!(
        exec["secretenv"],
        json!([{"ID": "token", "name": "TOKEN", "optional": true}])
    );
    let source = &predicate["runDetails"]["metadata"]["buildkit_metadata"]["source"];
    assert_eq!(source["infos"][0]["language"], "Dockerfile");
    let lines = &source["locations"][text(run, "/id")]["locations"][0]["ranges"][0];
    assert_eq!(lines, &json!({"start": {"line": 3}, "end": {"line": 4}}));
    let layers = predicate["runDetails"]["metadata"]["buildkit_metadata"]["layers"]
        .as_object()
        .expect("layers");
    let manifest = layout.blob(text(&layout.top(), "/manifests/0/digest"));
    let longest = layers
        .values()
        .filter_map(|chains| chains[0].as_array())
        .max_by_key(|chain| chain.len());
    assert_eq!(longest, manifest["layers"].as_array());
}

/// No file below `folder` holds any of these texts, packed or not.
#[track_caller]
fn nowhere(folder: &Path, texts: &[&str]) {
    for name in names(folder) {
        let path = folder.join(name);
        let info = fs::symlink_metadata(&path).expect("it was listed");
        if info.is_dir() {
            nowhere(&path, texts);
        } else if info.is_file() {
            let bytes = fs::read(&path).expect("it is ours");
            for wanted in texts {
                let found = bytes
                    .windows(wanted.len())
                    .any(|window| window == wanted.as_bytes());
                assert!(!found, "{} holds {wanted}", path.display());
            }
        }
    }
}

#[test]
fn least_provenance_keeps_arguments_to_itself() {
    let context = TestContext::new();
    if with_secrets(
        &context,
        &["--provenance=mode=min,version=v0.2,reproducible=true"],
    )
    .is_none()
    {
        return;
    }
    let predicate = Layout(context.out("layout")).predicate(SLSA_02);
    let parameters = &predicate["invocation"]["parameters"];
    let args = parameters["args"]
        .as_object()
        .expect("the contexts are no secret");
    assert!(args.keys().all(|key| key.starts_with("context:")), "{args:?}");
    assert_eq!(
        (&parameters["secrets"], &predicate["buildConfig"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(predicate["buildType"], "https://mobyproject.org/buildkit@v1");
    assert!(text(&predicate, "/materials/0/uri").starts_with("pkg:oci/busybox"));
    let metadata = &predicate["metadata"];
    assert_eq!(
        metadata["completeness"],
        json!({"parameters": false, "environment": true, "materials": false})
    );
    assert_eq!(metadata["reproducible"], true);
    assert_eq!(
        metadata["https://mobyproject.org/buildkit@v1#metadata"],
        json!({})
    );
    for member in ["buildInvocationID", "buildStartedOn", "buildFinishedOn"] {
        assert!(metadata[member].is_string(), "{member}");
    }
}

#[test]
fn materials_from_elsewhere_have_digests() {
    let Some(repository) = Repository::new() else {
        return;
    };
    let server = FakeServer::start(|_| Answer::ok("downloaded"));
    let context = TestContext::new();
    let commit = repository.git(&["rev-parse", "HEAD"]);
    let url = server.url("/some/file");
    context.write(
        "Dockerfile",
        &format!(
            "FROM scratch\nADD {url} /file\nADD {} /checkout\n",
            repository.url("#main")
        ),
    );
    let output = "type=oci,tar=false,dest=../out/layout";
    context
        .wharf(["build", "--provenance", "-o", output, "."])
        .success();
    let predicate = Layout(context.out("layout")).predicate(SLSA);
    let found = &predicate["buildDefinition"]["resolvedDependencies"];
    let git = json!({"uri": repository.url("#main"), "digest": {"sha1": commit}});
    assert!(
        found.as_array().is_some_and(|all| all.contains(&git)),
        "{found:#}"
    );
    let download = found
        .as_array()
        .and_then(|all| all.iter().find(|one| one["uri"] == url));
    assert_eq!(text(download.expect("the download"), "/digest/sha256").len(), 64);
    // The context itself is a repository: all is known.
    let git_context = repository.url("#main:sub");
    let flags = [
        "--attest=type=provenance,complete-materials=true",
        "-o",
        "type=oci,tar=false,dest=../out/git",
    ];
    context
        .wharf(["build"].iter().chain(&flags).chain(&[&git_context[..]]))
        .success();
    let predicate = Layout(context.out("git")).predicate(SLSA);
    let source = &predicate["buildDefinition"]["externalParameters"]["configSource"];
    assert_eq!(
        source,
        &json!({"uri": git_context, "digest": {"sha1": commit}, "path": "Dockerfile"})
    );
    let metadata = &predicate["runDetails"]["metadata"];
    assert_eq!(metadata["buildkit_completeness"]["resolvedDependencies"], true);
    assert_eq!(metadata["buildkit_hermetic"], true);
    let incomplete = context.wharf(["build", "--provenance=complete-materials=true", "."]);
    incomplete.exits(2).says("not complete: dockerfile");
}

/// Parts of this machine: context, folder, file, and how package URLs of what it tells begin.
const REAL: &[(&str, &str, &str, &str)] = &[
    ("dpkg", "/var/lib/dpkg", "status", "pkg:deb/"),
    ("os", "/usr/lib", "os-release", ""),
    ("docs", "/usr/share/doc/dpkg", "copyright", ""),
    ("npm", "/usr/lib/node_modules/npm", "package.json", "pkg:npm/npm@"),
    ("registry", "/usr/bin", "docker-registry", "pkg:golang/stdlib@"),
];

/// What pip and npm leave, for machines that have neither.
const WRITTEN: &[(&str, &str, &str)] = &[
    (
        "site/some_thing-1.2.dist-info/METADATA",
        "Metadata-Version: 2.4\nName: Some_Thing\nVersion: 1.2\nLicense-Expression: MIT\n",
        "pkg:pypi/some-thing@1.2",
    ),
    (
        "app/node_modules/@scope/part/package.json",
        r#"{"name": "@scope/part", "version": "3.0.0", "license": "Nobody's"}"#,
        "pkg:npm/%40scope/part@3.0.0",
    ),
];

#[test]
fn contents_of_real_parts_are_listed() {
    let context = TestContext::new();
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    let lock = fs::read_to_string(lock).expect("the workspace has one");
    context.write("src/Cargo.lock", &lock);
    let mut expected = vec!["pkg:cargo/serde@"];
    for (path, content, purl) in WRITTEN {
        context.write(path, content);
        expected.push(purl);
    }
    let mut dockerfile = "FROM scratch\nCOPY . /\n".to_owned();
    let output = "type=oci,tar=false,dest=../out/layout";
    let mut args = ["build", "--sbom", "-o", output, "-t", "example.com/parts:1"]
        .map(str::to_owned)
        .to_vec();
    for (name, folder, file, purl) in REAL {
        if Path::new(folder).join(file).exists() {
            args.extend(["--build-context".to_owned(), format!("{name}={folder}")]);
            dockerfile.push_str(&format!("COPY --from={name} {file} {folder}/\n"));
            expected.push(purl);
        }
    }
    context.write("Dockerfile", &dockerfile);
    args.push(".".to_owned());
    context.wharf(&args).success();
    let layout = Layout(context.out("layout"));
    let document = layout.predicate(SPDX);
    is_well_formed(&document);
    let packages = document["packages"].as_array().expect("packages");
    let purl = |package: &Value| {
        package
            .pointer("/externalRefs/0/referenceLocator")?
            .as_str()
            .map(str::to_owned)
    };
    let purls: Vec<_> = packages.iter().filter_map(purl).collect();
    for expected in expected {
        let found = purls.iter().any(|purl| purl.starts_with(expected));
        assert!(found, "{expected} is missing");
    }
    // Each file that tells of packages is in a layer of the image.
    let manifest = layout.blob(text(&layout.top(), "/manifests/0/digest"));
    let layers = manifest["layers"].to_string();
    for file in document["files"].as_array().expect("files") {
        let comment = text(file, "/comment").strip_prefix("layerID: ");
        assert!(layers.contains(comment.expect("a layer")), "{file}");
    }
    let named = |name: &str| {
        packages
            .iter()
            .find(|package| package["name"] == name)
            .expect("it is there")
    };
    assert_eq!(named("serde")["checksums"][0]["algorithm"], "SHA256");
    assert_eq!(named("serde")["sourceInfo"], "found in /src/Cargo.lock");
    assert_eq!(named("Some_Thing")["licenseDeclared"], "MIT");
    let odd = text(named("@scope/part"), "/licenseDeclared");
    let texts = &document["hasExtractedLicensingInfos"];
    let told = texts
        .as_array()
        .and_then(|texts| texts.iter().find(|one| one["licenseId"] == odd));
    assert_eq!(told.expect("its text is kept")["extractedText"], "Nobody's");
}

/// What SPDX 2.3 demands: fields, identifiers that are none twice, relations between what is there.
#[track_caller]
fn is_well_formed(document: &Value) {
    assert_eq!(document["spdxVersion"], "SPDX-2.3");
    assert_eq!(document["dataLicense"], "CC0-1.0");
    assert!(text(document, "/documentNamespace").starts_with("https://"));
    assert!(text(document, "/creationInfo/creators/0").starts_with("Tool: wharf-"));
    assert!(text(document, "/creationInfo/created").ends_with('Z'));
    let mut ids = BTreeSet::from(["SPDXRef-DOCUMENT"]);
    let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
    let (packages, files) = (list("packages"), list("files"));
    for package in &packages {
        for field in ["name", "downloadLocation", "licenseDeclared", "copyrightText"] {
            text(package, &format!("/{field}"));
        }
        assert!(ids.insert(text(package, "/SPDXID")), "{package}");
    }
    for file in &files {
        assert_eq!(file["checksums"][0]["algorithm"], "SHA1");
        assert!(text(file, "/fileName").starts_with("./"));
        assert!(ids.insert(text(file, "/SPDXID")), "{file}");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    assert!(ids.iter().all(|id| id.chars().all(allowed)));
    for relation in list("relationships") {
        for end in ["spdxElementId", "relatedSpdxElement"] {
            assert!(ids.contains(text(&relation, &format!("/{end}"))), "{relation}");
        }
    }
}

#[test]
fn stages_and_the_context_are_listed_where_the_dockerfile_says_so() {
    let context = TestContext::new();
    context.write("lock/Cargo.lock", LOCK);
    context.write(
        "Dockerfile",
        "ARG BUILDKIT_SBOM_SCAN_STAGE=true\nFROM scratch AS build\nCOPY lock /b\nFROM scratch\n\
         ARG BUILDKIT_SBOM_SCAN_CONTEXT=true\nCOPY --from=build /b/none* /b/Cargo.lock /x\n",
    );
    context.write(".dockerignore", "out\n");
    let output = "type=oci,tar=false,dest=../out/layout";
    context
        .wharf([
            "build",
            "--sbom",
            "-o",
            output,
            "-o",
            "type=local,dest=../out/files",
            ".",
        ])
        .success();
    let documents = Layout(context.out("layout")).statements(SPDX);
    let names_of = |document: &Value| {
        let packages = document["predicate"]["packages"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        packages
            .iter()
            .map(|package| text(package, "/name").to_owned())
            .collect::<Vec<_>>()
    };
    let all: Vec<_> = documents.iter().map(names_of).collect();
    assert_eq!(
        all,
        [
            vec!["stage-1"],
            vec!["build", "memchr"],
            vec!["context", "memchr"]
        ]
    );
    let written = names(&context.out("files"));
    assert_eq!(
        written,
        [
            "sbom-build.spdx.json",
            "sbom-context.spdx.json",
            "sbom.spdx.json",
            "x"
        ]
    );
}

#[test]
fn files_have_their_attestations_beside_them() {
    let (context, _) = copied(&[
        "--sbom",
        "--provenance=mode=min",
        "-o",
        "type=local,dest=../out/files,attestation-prefix=my-",
        "-o",
        "type=tar,dest=../out/files.tar",
    ]);
    let written = names(&context.out("files"));
    assert_eq!(
        written,
        ["Cargo.lock", "my-provenance.json", "my-sbom.spdx.json", "one"]
    );
    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(context.out("files").join(name)).expect("it is listed"))
            .expect("JSON")
    };
    let provenance = read("my-provenance.json");
    let subjects: Vec<_> = provenance["subject"]
        .as_array()
        .expect("subjects")
        .iter()
        .map(|one| text(one, "/name"))
        .collect();
    assert_eq!(subjects, ["Cargo.lock", "one"]);
    is_well_formed(&read("my-sbom.spdx.json")["predicate"]);
    if let Some(listed) = tool("tar", ["-tf", &context.out("files.tar").display().to_string()]) {
        assert!(
            listed.contains("provenance.json") && listed.contains("sbom.spdx.json"),
            "{listed}"
        );
    }
}

#[test]
fn provenance_for_images_alone_is_on_images_alone() {
    let (context, layout) = copied(&[
        "--provenance=inline-only=true",
        "-o",
        "type=image",
        "-o",
        "type=local,dest=../out/files",
    ]);
    assert_eq!(
        layout.top()["mediaType"],
        "application/vnd.oci.image.manifest.v1+json"
    );
    assert_eq!(names(&context.out("files")), ["Cargo.lock", "one"]);
    let shown = context.wharf(["inspect", "example.com/a:1"]).success().json();
    assert_eq!(shown["attestations"][0]["statements"][0]["predicate_type"], SLSA);
}

#[test]
fn equal_builds_have_equal_attestations_in_two_stores() {
    let built = || {
        let flags = [
            "--sbom",
            "--provenance",
            "--build-arg",
            "SOURCE_DATE_EPOCH=1700000000",
        ];
        // Without it, layers keep the times of the context's files.
        let output = "type=oci,tar=false,dest=../out/layout,rewrite-timestamp=true";
        let (context, layout) = copied_to(output, &flags);
        let index = fs::read(layout.0.join("index.json")).expect("a layout");
        let blobs = names(&layout.0.join("blobs/sha256"));
        drop(context);
        (String::from_utf8(index).expect("JSON is text"), blobs)
    };
    let first = built();
    // The first second is over.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let second = built();
    assert_eq!(first, second);
}

#[test]
fn pushed_and_read_back() {
    let Some(registry) = DockerRegistry::start(&Setup::default()) else {
        return;
    };
    let context = TestContext::new();
    let name = format!("{}/group/attested:1", registry.authority());
    let Some(built) = context.build(
        "FROM busybox\nRUN echo hello > /hello\n",
        &["-t", &name, "--push", "--sbom", "--provenance"],
    ) else {
        return;
    };
    let digest = built.success().digest();
    let image = format!("docker://{name}");
    let Some(raw) = tool("skopeo", ["inspect", "--raw", "--tls-verify=false", &image]) else {
        return;
    };
    let index: Value = serde_json::from_str(&raw).expect("an index");
    assert_eq!(index["manifests"].as_array().map(Vec::len), Some(2));
    // Everything that the index names is there, and its digests are right.
    let copy = format!("dir:{}", context.out("copy").display());
    tool(
        "skopeo",
        [
            "copy",
            "--all",
            "--insecure-policy",
            "-q",
            "--src-tls-verify=false",
            &image,
            &copy,
        ],
    );
    let shown = context.wharf(["inspect", &name]).success().json();
    let types: Vec<_> = shown["attestations"][0]["statements"]
        .as_array()
        .expect("statements")
        .iter()
        .map(|one| text(one, "/predicate_type"))
        .collect();
    assert_eq!(types, [SPDX, SLSA]);
    assert_eq!(shown["attestations"][0]["about"], index["manifests"][0]["digest"]);
    let remote = context.wharf(["inspect", "--remote", &name]).success().json();
    assert_eq!(remote["attestations"], shown["attestations"]);
    // From the store to another repository, attestations included, also after unused things are gone.
    context.wharf(["store", "gc", "--max-size", "1k"]).success();
    let other_name = format!("{}/other/attested:2", registry.authority());
    context.wharf(["push", &name, &other_name]).success();
    let again = tool(
        "skopeo",
        [
            "inspect",
            "--raw",
            "--tls-verify=false",
            &format!("docker://{other_name}"),
        ],
    );
    assert_eq!(again.as_deref(), Some(&raw[..]));
    // An image with attestations is an image like any other.
    assert_eq!(
        context.wharf(["run", &name, "cat", "/hello"]).success().stdout,
        "hello\n"
    );
    let other = TestContext::new();
    other.write("Dockerfile", &format!("FROM {name}\nRUN grep hello /hello\n"));
    let flags = [
        "build",
        "--provenance",
        "-o",
        "type=oci,tar=false,dest=../out/layout",
        ".",
    ];
    other.wharf(flags).success();
    let predicate = Layout(other.out("layout")).predicate(SLSA);
    let base = &predicate["buildDefinition"]["resolvedDependencies"][0];
    assert!(
        text(base, "/uri").starts_with(&format!(
            "pkg:docker/{}/group/attested@1?platform=",
            registry.authority().replace(':', "%3A")
        )),
        "{base}"
    );
    // As BuildKit has it: what the tag names, which is the index.
    assert_eq!(format!("sha256:{}", text(base, "/digest/sha256")), digest);
    other.write(
        "Dockerfile",
        &format!("FROM scratch\nCOPY --from={name} /hello /\n"),
    );
    other.wharf(flags).success();
    let copied = Layout(other.out("layout")).predicate(SLSA);
    assert_eq!(&copied["buildDefinition"]["resolvedDependencies"][0], base);
}

#[test]
fn each_platform_has_attestations_of_its_own() {
    let (context, layout) = copied(&[
        "--platform=linux/amd64,linux/arm64",
        "--sbom",
        "--provenance=mode=min",
        "-o",
        "type=local,dest=../out/split",
        "-o",
        "type=image",
        "--metadata-file=../out/meta.json",
    ]);
    let top = layout.top();
    let entries = top["manifests"].as_array().expect("an index");
    assert_eq!(entries.len(), 4);
    for (image, attestations) in entries[..2].iter().zip(&entries[2..]) {
        let about = &attestations["annotations"]["vnd.docker.reference.digest"];
        assert_eq!(about, &image["digest"]);
        let manifest = layout.blob(text(attestations, "/digest"));
        let statement = layout.blob(text(&manifest, "/layers/1/digest"));
        let architecture = text(image, "/platform/architecture");
        assert!(text(&statement, "/subject/0/name").ends_with(architecture));
    }
    for platform in ["linux_amd64", "linux_arm64"] {
        let written = names(&context.out("split").join(platform));
        assert_eq!(
            written,
            ["Cargo.lock", "one", "provenance.json", "sbom.spdx.json"]
        );
    }
    let meta = fs::read(context.out("meta.json")).expect("it was asked for");
    let meta: Value = serde_json::from_slice(&meta).expect("JSON");
    assert!(
        meta["buildx.build.provenance/linux/arm64"]["builder"].is_object(),
        "{meta}"
    );
    let shown = context.wharf(["inspect", "example.com/a:1"]).success().json();
    assert_eq!(shown["attestations"].as_array().map(Vec::len), Some(2));
    assert_eq!(shown["images"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_context_under_version_control_is_named_by_its_commit() {
    let Some(repository) = Repository::new() else {
        return;
    };
    let context = TestContext::new();
    repository.git(&[
        "remote",
        "add",
        "origin",
        "https://user:hunter2@example.com/own.git",
    ]);
    let below = repository.work().join("sub").display().to_string();
    let output = "type=oci,tar=false,dest=../out/layout";
    context
        .wharf(["build", "--provenance=mode=min", "-o", output, &below])
        .success();
    let predicate = Layout(context.out("layout")).predicate(SLSA);
    let vcs = &predicate["runDetails"]["metadata"]["buildkit_metadata"]["vcs"];
    let expected = json!({
        "revision": repository.git(&["rev-parse", "HEAD"]),
        "source": "https://xxxxx:xxxxx@example.com/own.git",
        "localdir:context": "sub",
        "localdir:dockerfile": "sub",
    });
    assert_eq!(vcs, &expected);
}

#[test]
fn archives_for_engines_hold_the_image_and_what_is_said_about_it() {
    let (context, _) = copied(&["--sbom", "-o", "type=docker,dest=../out/docker.tar"]);
    let archive = format!("docker-archive:{}", context.out("docker.tar").display());
    if let Some(config) = tool("skopeo", ["inspect", "--config", &archive]) {
        let config: Value = serde_json::from_str(&config).expect("skopeo prints JSON");
        assert_eq!(config["rootfs"]["diff_ids"].as_array().map(Vec::len), Some(2));
    }
    fs::create_dir(context.out("unpacked")).expect("the scratch directory is writable");
    let (from, to) = (context.out("docker.tar"), context.out("unpacked"));
    if tool(
        "tar",
        [
            "-xf",
            &from.display().to_string(),
            "-C",
            &to.display().to_string(),
        ],
    )
    .is_some()
    {
        assert_eq!(Layout(to).statements(SPDX).len(), 1);
    }
}

#[test]
fn what_is_not_done_is_said() {
    let context = TestContext::new();
    context.write("Dockerfile", "FROM scratch\n");
    let failed = context.wharf(["build", "--sbom=generator=example.com/scanner", "."]);
    failed.exits(2).says("runs no scanner image");
}
