//! For any text: no panic, every byte in a token, every span on character boundaries and in order.

use proptest::prelude::*;
use wharf_dockerfile::ast::MountFlag;
use wharf_dockerfile::lint;
use wharf_dockerfile::{ExpandOptions, InstructionKind, Parse, expand_with, parse, parse_bytes, render};

/// Pieces that mean something, so that what comes out of them goes deep.
const PIECES: &[&str] = &[
    "FROM a AS b\n",
    "FROM ",
    "RUN ",
    "COPY ",
    "ADD ",
    "ENV ",
    "ARG ",
    "LABEL ",
    "ONBUILD ",
    "HEALTHCHECK ",
    "CMD ",
    "SHELL ",
    "VOLUME ",
    "EXPOSE ",
    "WORKDIR ",
    "# escape=`\n",
    "# syntax=x\n",
    "# comment\n",
    "#\n",
    "\n",
    "\r\n",
    "\\\n",
    "`\n",
    "\\ \t\n",
    "\\",
    "`",
    " ",
    "\t",
    "\u{a0}",
    "\u{feff}",
    "\"",
    "'",
    "[",
    "]",
    "[\"a\", \"b\"]",
    ",",
    "=",
    "a=b",
    "$x",
    "${x:-",
    "${x/",
    "}",
    "/",
    "<<EOF",
    "<<-'EOF'",
    "<< EOF",
    "3<<b",
    "EOF\n",
    "\tEOF\n",
    "b\n",
    "--from=0 ",
    "--mount=type=cache,target=$x ",
    "--mount=\"",
    "--",
    "--x",
    "NONE",
    "CMD",
    "ä",
    "한",
    "😀",
    "word ",
    "\0",
];

fn dockerfile() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..40).prop_map(|pieces| pieces.concat())
}

fn check(parse: &Parse) {
    let source = &parse.dockerfile.source;
    let mut at = 0;
    for token in &parse.dockerfile.tokens {
        assert_eq!(token.span.start, at, "a gap, or an overlap");
        assert!(!source.slice(token.span).is_empty());
        at = token.span.end;
    }
    assert_eq!(at, source.text().len(), "the end is missing");
    for error in &parse.errors {
        source.slice(error.span);
        render("Dockerfile", source, error);
    }
    for finding in lint::check(&parse.dockerfile, &lint::LintOptions::default()).findings {
        source.slice(finding.span);
        source.slice(finding.instruction);
    }
    let mut last = 0;
    for stage in &parse.dockerfile.stages {
        assert!(stage.from.span.start >= last);
        source.slice(stage.from.span);
        source.slice(stage.from.base.span);
    }
    for instruction in parse.dockerfile.instructions() {
        assert!(instruction.span.start >= last, "out of order");
        last = instruction.span.end;
        source.slice(instruction.span);
        assert!(
            source
                .slice(instruction.span)
                .starts_with(instruction.keyword.as_str())
        );
        for flag in &instruction.flags {
            source.slice(flag.span);
            source.slice(flag.name.span);
            if let Some(value) = &flag.value {
                source.slice(value.span);
            }
        }
        check_kind(parse, &instruction.kind);
    }
}

fn check_kind(parse: &Parse, kind: &InstructionKind) {
    let source = &parse.dockerfile.source;
    let words = match kind {
        InstructionKind::Cmd(command) | InstructionKind::Entrypoint(command) => command.words().to_vec(),
        InstructionKind::Env(pairs) | InstructionKind::Label(pairs) => pairs
            .iter()
            .flat_map(|pair| [pair.key.clone(), pair.value.clone()])
            .collect(),
        InstructionKind::Expose(words) | InstructionKind::Volume(words) => words.clone(),
        InstructionKind::Copy(copy) => copy.files.sources.clone(),
        InstructionKind::Run(run) => {
            run.mounts.iter().for_each(|mount| check_mount(parse, mount));
            run.heredocs.iter().for_each(|heredoc| {
                assert_eq!(source.slice(heredoc.body), heredoc.content);
                source.slice(heredoc.operator);
                source.slice(heredoc.terminator);
            });
            run.command.words().to_vec()
        }
        _ => Vec::new(),
    };
    for word in words {
        source.slice(word.span);
        let options = ExpandOptions::new(parse.dockerfile.escape());
        let _ = expand_with(
            word.as_str(),
            &|name| (name == "x").then(|| "a b".to_owned()),
            options,
        );
    }
}

fn check_mount(parse: &Parse, mount: &MountFlag) {
    let mut expand = |value: &str| wharf_dockerfile::expand(value, &|_| None, '\\');
    if let Err((span, _)) = mount.resolve(&mut expand) {
        parse.dockerfile.source.slice(span);
    }
}

proptest! {
    #[test]
    fn texts_like_dockerfiles(text in dockerfile()) {
        check(&parse(&text));
    }

    #[test]
    fn any_text(text in "\\PC{0,80}") {
        check(&parse(&text));
        check(&parse(&format!("FROM a\nRUN {text}\nENV {text}\nCOPY {text}\n")));
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        check(&parse_bytes(&bytes));
    }
}

#[test]
fn deep_and_long_texts_come_to_an_end() {
    let onbuild = "ONBUILD ".repeat(100_000);
    check(&parse(&format!("FROM a\n{onbuild}RUN x\n")));
    let brackets = "[".repeat(100_000);
    check(&parse(&format!("FROM a\nRUN {brackets}\nCOPY {brackets} b\n")));
    let braces = "${x:-".repeat(20_000);
    check(&parse(&format!(
        "FROM a\nRUN <<{braces}\nENV a={braces}\nCOPY {braces} b\n"
    )));
}
