//! What cannot be lowered, and how that is said.

use crate::{dump, lowered, options, parsed};

/// The errors of `text` under the options of `header`.
fn check(header: &str, text: &str, expected: &str) {
    let (options, known) = options::parse(header);
    let errors = lowered(text, &options, &known).expect_err(text);
    assert_eq!(
        dump::errors(&parsed(text), &errors).trim_end(),
        expected,
        "{text}"
    );
}

#[test]
fn stages() {
    for (header, text, expected) in [
        (
            "target biuld",
            "FROM scratch AS build",
            "nowhere: target stage `biuld` could not be found\n  did you mean `build`?",
        ),
        ("", "ARG X\nFROM $X", "2:6 `$X`: `$X` is empty: FROM needs a name"),
        (
            "",
            "FROM ${X:?why}",
            "1:6 `${X:?why}`: cannot expand `${X:?why}`: X: why",
        ),
        (
            "",
            "FROM --platform=$X scratch",
            "1:17 `$X`: `$X` is empty: --platform needs a platform",
        ),
        (
            "",
            "FROM --platform=a/b/c/d scratch",
            "1:17 `a/b/c/d`: `a/b/c/d` is not a platform (like linux/amd64 or linux/arm/v7)",
        ),
        (
            "",
            "FROM scratch AS build\nFROM Build",
            "2:6 `Build`: `Build` is not an image reference: a repository's name is in lower case",
        ),
        (
            "",
            "FROM scratch AS a\nCOPY --from=b / /\nFROM scratch AS b\nCOPY --from=a / /",
            "4:13 `a`: circular dependency detected on stage: a",
        ),
        (
            "",
            "FROM scratch AS a\nCOPY --from=a / /",
            "2:13 `a`: circular dependency detected on stage: a",
        ),
        (
            "target a",
            "FROM scratch AS a\nCOPY --from=b / /\nFROM scratch AS b",
            "2:13 `b`: cannot copy from stage `b`: it needs to be defined before stage `a`",
        ),
        (
            "",
            "FROM scratch\nCOPY --from=7 / /",
            "2:13 `7`: invalid stage index 7",
        ),
        (
            "",
            "FROM scratch\nCOPY --from=-1 / /",
            "2:13 `-1`: invalid stage index -1",
        ),
        (
            "",
            "ARG X=a\nFROM scratch\nCOPY --from=$X / /",
            "3:13 `$X`: variables are not expanded in `from`: give the image a stage of its own (FROM … AS name)",
        ),
        (
            "build-arg SOURCE_DATE_EPOCH=now",
            "FROM scratch",
            "nowhere: SOURCE_DATE_EPOCH is `now`, which is not a number of seconds since 1970",
        ),
    ] {
        check(header, text, expected);
    }
}

#[test]
fn instructions() {
    for (text, expected) in [
        (
            "ENV A=${B:?no}",
            "2:7 `${B:?no}`: cannot expand `${B:?no}`: B: no",
        ),
        ("RUN []", "2:5 `[]`: RUN needs a program"),
        ("STOPSIGNAL NOPE", "2:12 `NOPE`: invalid signal: NOPE"),
        (
            "VOLUME [\"$X\"]",
            "2:9 `\"$X\"`: VOLUME specified can not be an empty string",
        ),
        (
            "COPY --chmod=999 a /",
            "2:14 `999`: invalid chmod parameter: '999': it should be octal and between 0 and 07777",
        ),
        (
            "ADD --checksum=x a /",
            "2:16 `x`: checksum requires HTTP(S) or Git sources",
        ),
        (
            "ADD --checksum=x http://e.test/a http://e.test/b /",
            "2:16 `x`: checksum can't be specified for multiple sources",
        ),
        (
            "ADD --checksum=x http://e.test/a /",
            "2:16 `x`: `x` is not a digest (sha256: and 64 lower-case hex digits)",
        ),
        (
            "COPY http://e.test/a /",
            "2:6 `http://e.test/a`: source can't be a URL for COPY",
        ),
        (
            "COPY git@e.test:a /",
            "2:6 `git@e.test:a`: source can't be a git ref for COPY",
        ),
        (
            "ADD http://e.test/a.git?x=1 /",
            "2:5 `http://e.test/a.git?x=1`: unexpected query `x`",
        ),
        (
            "ADD --keep-git-dir http://e.test/a.git?keep-git-dir=false /",
            "2:20 `http://e.test/a.git?keep-git-dir=false`: inconsistent keep-git-dir configuration",
        ),
        (
            "RUN --mount=type=bind,target=/ true",
            "2:13 `type=bind,target=/`: invalid mount target `/`",
        ),
        (
            "RUN --mount=type=ssh,source=x true",
            "2:13 `type=ssh,source=x`: ssh does not support source",
        ),
        ("EXPOSE 99999", "2:8 `99999`: invalid containerPort: 99999"),
    ] {
        check("", &format!("FROM scratch\n{text}"), expected);
    }
}

#[test]
fn all_errors_are_told_at_once() {
    check(
        "",
        "FROM scratch\nSTOPSIGNAL NOPE\nRUN true\nENV A=${B:?no}",
        "2:12 `NOPE`: invalid signal: NOPE\n4:7 `${B:?no}`: cannot expand `${B:?no}`: B: no",
    );
    check(
        "",
        "FROM $A\nFROM $B",
        "1:6 `$A`: `$A` is empty: FROM needs a name\n2:6 `$B`: `$B` is empty: FROM needs a name",
    );
}

#[test]
fn a_trigger_points_to_the_from_that_brought_it() {
    check(
        r#"config docker.io/library/b:latest {"config":{"OnBuild":["STOPSIGNAL NOPE","NONSENSE x"]}}"#,
        "FROM b",
        "1:1 `FROM b`: the base's ONBUILD trigger `NONSENSE x` cannot be read: unknown instruction: NONSENSE",
    );
    check(
        r#"config docker.io/library/b:latest {"config":{"OnBuild":["STOPSIGNAL NOPE"]}}"#,
        "FROM b",
        "1:1 `FROM b`: invalid signal: NOPE",
    );
}
