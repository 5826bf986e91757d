//! What the linter finds, rule by rule.

use std::collections::BTreeMap;

use wharf_dockerfile::lint::{BaseImage, LintOptions, LintReport, check};
use wharf_dockerfile::parse;
use wharf_dockerfile::patterns::PatternMatcher;

/// The findings as the reference prints them, and what would fail the build.
fn lines(text: &str, options: &LintOptions<'_>) -> Vec<String> {
    let parse = parse(text);
    let source = &parse.dockerfile.source;
    let LintReport {
        findings, problems, ..
    } = check(&parse.dockerfile, options);
    let findings = findings.iter().map(|finding| {
        let line = source.lines(finding.instruction).0;
        format!("{line} {}: {}", finding.rule.name, finding.message)
    });
    let problems = problems
        .iter()
        .map(|problem| format!("{} error: {}", source.lines(problem.span).0, problem.error));
    findings.chain(problems).collect()
}

fn options() -> LintOptions<'static> {
    LintOptions {
        build_platform: "linux/amd64".parse().expect("a platform"),
        target_platform: "linux/arm64".parse().expect("a platform"),
        ..LintOptions::default()
    }
}

/// With a known image.
fn known(text: &str, expected: &[&str]) {
    let base = |_: &str, _: &_| {
        let env = vec![("JAVA_HOME".to_owned(), "/java".to_owned())];
        Some(BaseImage {
            env,
            ..BaseImage::default()
        })
    };
    assert_eq!(
        lines(
            text,
            &LintOptions {
                base: &base,
                ..options()
            }
        ),
        expected,
        "{text}"
    );
}

fn finds(text: &str, expected: &[&str]) {
    assert_eq!(lines(text, &options()), expected, "{text}");
}

#[test]
fn casing() {
    finds(
        "FROM scratch AS Bad\n",
        &["1 StageNameCasing: Stage name 'Bad' should be lowercase"],
    );
    finds(
        "FROM scratch as a\nFROM a AS b\n",
        &["1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match"],
    );
    finds(
        "from scratch AS a\n",
        &["1 FromAsCasing: 'AS' and 'from' keywords' casing do not match"],
    );
    finds(
        "From scratch as a\nFROM a\nrun x\n",
        &[
            "1 ConsistentInstructionCasing: Command 'From' should match the case of the command majority (uppercase)",
            "3 ConsistentInstructionCasing: Command 'run' should match the case of the command majority (uppercase)",
        ],
    );
    finds("arg x\nFROM scratch\nRUN y\n", &[]);
}

#[test]
fn stage_names() {
    finds(
        "FROM scratch AS b\nFROM scratch AS b\nFROM scratch AS context\n",
        &[
            "2 DuplicateStageName: Duplicate stage name \"b\", stage names should be unique",
            "3 ReservedStageName: Stage name should not use the same name as reserved stage \"context\"",
        ],
    );
}

#[test]
fn lines_and_maintainers() {
    finds(
        "FROM scratch\nRUN a \\\n\n  b\nMAINTAINER x\n",
        &[
            "4 NoEmptyContinuation: Empty continuation line",
            "5 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label",
        ],
    );
}

#[test]
fn commands() {
    finds(
        "FROM scratch AS a\nCMD x\nENTRYPOINT y\nCMD [\"z\"]\nFROM a\nSHELL [\"sh\"]\nCMD x\nHEALTHCHECK CMD x\nHEALTHCHECK NONE\n",
        &[
            "2 MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one will be used",
            "2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
            "3 JSONArgsRecommended: JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals",
            "8 MultipleInstructionsDisallowed: Multiple HEALTHCHECK instructions should not be used in the same stage because only the last one will be used",
        ],
    );
}

#[test]
fn shells_of_bases_count() {
    finds("FROM scratch AS a\nSHELL [\"sh\"]\nFROM a\nCMD x\n", &[]);
    let base = |_: &str, _: &_| {
        Some(BaseImage {
            has_shell: true,
            ..BaseImage::default()
        })
    };
    assert!(
        lines(
            "FROM image\nCMD x\n",
            &LintOptions {
                base: &base,
                ..options()
            }
        )
        .is_empty()
    );
}

#[test]
fn global_arguments() {
    finds("ARG base=scratch\nFROM $base\n", &[]);
    finds("FROM --platform=$BUILDPLATFORM scratch\n", &[]);
    finds("ARG DEBUG\nFROM scra${DEBUG:-tch}\n", &[]);
    finds(
        "ARG tag=latest\nFROM image:${tag}${version}\n",
        &["2 UndefinedArgInFrom: FROM argument 'version' is not declared"],
    );
    finds(
        "FROM --platform=$BULIDPLATFORM scratch\n",
        &[
            "1 UndefinedArgInFrom: FROM argument 'BULIDPLATFORM' is not declared (did you mean BUILDPLATFORM?)",
            "1 error: empty platform value from expression $BULIDPLATFORM",
        ],
    );
    finds(
        "ARG IMAGE\nFROM $IMAGE\n",
        &[
            "2 InvalidDefaultArgInFrom: Default value for ARG $IMAGE results in empty or invalid base image name",
            "2 error: base name ($IMAGE) should not be blank",
        ],
    );
    let build_args = BTreeMap::from([("VERSION".to_owned(), "1".to_owned())]);
    assert_eq!(
        lines(
            "ARG VERSION\nFROM image:$VERSION\n",
            &LintOptions {
                build_args,
                ..options()
            }
        ),
        [
            "2 InvalidDefaultArgInFrom: Default value for ARG image:$VERSION results in empty or invalid base image name"
        ]
    );
}

#[test]
fn platforms() {
    finds(
        "FROM --platform=${TARGETPLATFORM} scratch\n",
        &[
            "1 RedundantTargetPlatform: Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant as this is the default behavior",
        ],
    );
    finds(
        "FROM --platform=linux/amd64 scratch\nFROM --platform=linux/amd64 scratch AS on-amd64\n",
        &[
            "1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value \"linux/amd64\"",
        ],
    );
    let base = |_: &str, _: &_| {
        Some(BaseImage {
            platform: "linux/amd64".parse().ok(),
            ..BaseImage::default()
        })
    };
    assert_eq!(
        lines(
            "FROM image\n",
            &LintOptions {
                base: &base,
                ..options()
            }
        ),
        [
            "1 InvalidBaseImagePlatform: Base image image was pulled with platform \"linux/amd64\", expected \"linux/arm64\" for current build"
        ]
    );
}

#[test]
fn variables() {
    finds("FROM scratch\nARG foo\nCOPY a${foo} .\nRUN $undefined\n", &[]);
    finds("FROM scratch AS base\nARG foo=a\nFROM base\nCOPY $foo .\n", &[]);
    known("FROM image\nENV A=$JAVA_HOME/bin:$PATH\n", &[]);
    finds("FROM image\nENV A=$JAVA_HOME\n", &[]);
    known(
        "FROM image\nCOPY $foo .\nARG foo=bar\nWORKDIR /$foo\n",
        &["2 UndefinedVar: Usage of undefined variable '$foo'"],
    );
    known(
        "FROM image\nENV PATH=$PAHT:/bin\n",
        &["2 UndefinedVar: Usage of undefined variable '$PAHT' (did you mean $PATH?)"],
    );
    known(
        "FROM image\nRUN --mount=type=cache,target=$dir true\nCOPY <<a <<'b' /\n$x\na\n$y\nb\n",
        &[
            "2 UndefinedVar: Usage of undefined variable '$dir'",
            "3 UndefinedVar: Usage of undefined variable '$x'",
        ],
    );
    known(
        "FROM image\nENV a=1 b=$a\nENV c=\"${missing:?is needed}\"\n",
        &[
            "2 UndefinedVar: Usage of undefined variable '$a'",
            "3 error: failed to process \"\\\"${missing:?is needed}\\\"\": missing: is needed",
        ],
    );
}

#[test]
fn only_what_the_target_needs() {
    let text = "FROM scratch AS first\nCOPY $foo .\nFROM scratch AS second\nCOPY --from=first a b\nFROM scratch\nCOPY $bar .\n";
    let first = "2 UndefinedVar: Usage of undefined variable '$foo'";
    let last = "6 UndefinedVar: Usage of undefined variable '$bar'";
    for (target, expected) in [
        (None, vec![first, last]),
        (Some(1), vec![first]),
        (Some(2), vec![last]),
        (Some(9), vec![]),
    ] {
        assert_eq!(lines(text, &LintOptions { target, ..options() }), expected);
    }
}

#[test]
fn triggers_of_the_base() {
    finds(
        "FROM scratch AS base\nONBUILD COPY $foo .\nONBUILD WORKDIR a\nFROM base\nWORKDIR b\nFROM base\n",
        &[
            "4 WorkdirRelativePath: Relative workdir \"a\" can have unexpected results if the base image changes",
            "4 UndefinedVar: Usage of undefined variable '$foo'",
            "6 WorkdirRelativePath: Relative workdir \"a\" can have unexpected results if the base image changes",
            "6 UndefinedVar: Usage of undefined variable '$foo'",
        ],
    );
}

#[test]
fn pairs_and_secrets() {
    finds(
        "FROM scratch\nENV testkey value\nlabel key value\n",
        &[
            "2 LegacyKeyValueFormat: \"ENV key=value\" should be used instead of legacy \"ENV key value\" format",
            "3 ConsistentInstructionCasing: Command 'label' should match the case of the command majority (uppercase)",
            "3 LegacyKeyValueFormat: \"label key=value\" should be used instead of legacy \"label key value\" format",
        ],
    );
    finds(
        "FROM scratch\nARG SECRET_PASSPHRASE\nENV password=bar sunflower=x git_key=\nENV PUBLIC_KEY= password_file=b\nARG AUTH_MODULE_VERSION monkey\n# check=skip=SecretsUsedInArgOrEnv // on purpose\nARG token\n",
        &[
            "2 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG \"SECRET_PASSPHRASE\")",
            "3 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV \"password\")",
            "3 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV \"git_key\")",
        ],
    );
}

#[test]
fn work_directories() {
    finds(
        "FROM scratch AS a\nWORKDIR app/\nWORKDIR b\nFROM a\nWORKDIR c\n",
        &[
            "2 WorkdirRelativePath: Relative workdir \"app/\" can have unexpected results if the base image changes",
        ],
    );
}

#[test]
fn ports() {
    finds(
        "FROM scratch\nEXPOSE 80/TcP 127.0.0.1:80:80 8000 1:x\n",
        &[
            "2 ExposeProtoCasing: Defined protocol '80/TcP' in EXPOSE instruction should be lowercase",
            "2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'",
            "2 error: invalid containerPort: x",
        ],
    );
}

#[test]
fn ignored_files() {
    let with = |patterns: &[&str], text| {
        let patterns = PatternMatcher::new(patterns).expect("patterns");
        lines(
            text,
            &LintOptions {
                ignored: Some(&patterns),
                ..options()
            },
        )
    };
    let text = "FROM scratch\nCOPY ./Dockerfile .\nADD Dockerfile https://example.com/Dockerfile /x\nCOPY --from=0 Dockerfile .\n";
    assert_eq!(
        with(&["Dockerfile"], text),
        [
            "2 CopyIgnoredFile: Attempting to Copy file \"Dockerfile\" that is excluded by .dockerignore",
            "3 CopyIgnoredFile: Attempting to Add file \"Dockerfile\" that is excluded by .dockerignore",
        ]
    );
    assert!(with(&["**", "!Dockerfile"], text).is_empty());
    let root = "FROM scratch\nCOPY . .\n";
    assert!(with(&[".*"], root).is_empty());
    assert_eq!(
        with(&["*"], root),
        ["2 CopyIgnoredFile: Attempting to Copy file \".\" that is excluded by .dockerignore"]
    );
}

#[test]
fn descriptions() {
    let text = "# check=experimental=all\n# foo this is the foo\nARG foo=bar\n\n# base this is the base\nFROM scratch AS base\n#\nARG bit\n# other\nRUN x\n# BasE is not b\nFROM scratch AS b\n# what\nARG c d\n";
    finds(
        text,
        &[
            "12 InvalidDefinitionDescription: Comment for FROM should follow the format: `# b <description>`",
            "14 InvalidDefinitionDescription: Comment for ARG should follow the format: `# <arg_key> <description>`",
        ],
    );
    finds(&text.replace("experimental", "skip"), &[]);
}

#[test]
fn configuration() {
    let text = "#check=skip=FromAsCasing;error=true\nFROM scratch as b\ncopy a .\n";
    let report = check(&parse(text).dockerfile, &options());
    assert!(report.findings_are_errors);
    assert_eq!(report.findings.len(), 1);
    let config = Some("skip=all".parse().expect("options"));
    assert!(lines(text, &LintOptions { config, ..options() }).is_empty());
    finds(
        "# check=skpi=all\nFROM scratch\n",
        &["1 error: invalid check option \"skpi\""],
    );
}
