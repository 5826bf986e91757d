//! On a real terminal: the progress of a build, and `wharf run -it`.

use std::process::Command;

use crate::{context::TestContext, pty::Pty};

const ROWS: u16 = 50;
const COLUMNS: u16 = 100;

/// A build on a terminal; `None` says that the test was skipped.
fn building(context: &TestContext, dockerfile: &str) -> Option<Pty> {
    context.write("Dockerfile", dockerfile);
    let mut args = context.build_args(&[])?;
    args.retain(|arg| arg != "--progress=plain");
    Some(Pty::start(&context.command(args), ROWS, COLUMNS))
}

/// `wharf run` of an image that is there, on a terminal.
fn running(context: &TestContext, args: &[&str]) -> Pty {
    Pty::start(&context.command(["run"].iter().chain(args)), ROWS, COLUMNS)
}

/// The settings of a terminal that nobody changed.
fn fresh() -> String {
    let pty = Pty::start(Command::new("true").current_dir("/"), ROWS, COLUMNS);
    format!("{:?}", pty.settings())
}

fn image() -> Option<TestContext> {
    let context = TestContext::new();
    context.build("FROM busybox\n", &["-t", "image"])?.success();
    Some(context)
}

#[test]
fn a_running_step_shows_the_end_of_its_output_and_is_folded_when_done() {
    let context = TestContext::new();
    let long = "x".repeat(200);
    let dockerfile = format!(
        "FROM busybox\nRUN for i in $(seq 1 9); do echo line $i {long}; done; printf 'half a line'; sleep 2\nRUN echo quick\n"
    );
    let Some(pty) = building(&context, &dockerfile) else {
        return;
    };
    let screen = pty.shows("half a line");
    // Four lines, each cut to the width, below the step with its clock; the total below.
    let at = |text: &str| {
        let place = screen.lines().position(|line| line.contains(text));
        place.unwrap_or_else(|| panic!("no `{text}` in\n{screen}"))
    };
    let step = at("[2/3] RUN for i");
    assert_eq!(at("    line 7 xxx"), step + 1, "{screen}");
    assert_eq!(at("    half a line"), step + 4, "{screen}");
    assert_eq!(at("of 3 steps"), step + 5, "{screen}");
    assert!(!screen.contains("line 6"), "{screen}");
    let cut: Vec<_> = screen.lines().filter(|line| line.contains("xxx")).collect();
    assert!(cut.iter().all(|line| line.ends_with('…')), "{screen}");
    let (code, screen) = pty.ends();
    assert_eq!(code, Some(0), "{screen}");
    assert!(
        screen.contains("✓ 2.") && screen.contains("[3/3] RUN echo quick"),
        "{screen}"
    );
    assert!(
        !screen.contains("half a line") && !screen.contains("of 3 steps"),
        "{screen}"
    );
    assert!(
        screen.contains("2 steps run in") && screen.contains("image: sha256:"),
        "{screen}"
    );
}

#[test]
fn a_failing_step_shows_its_output_its_lines_its_code_and_what_to_do() {
    let context = TestContext::new();
    let dockerfile = "FROM busybox\nRUN seq 1 9 && \\\n    echo no room >&2; \\\n    exit 137\n";
    let Some(pty) = building(&context, dockerfile) else {
        return;
    };
    let (code, screen) = pty.ends();
    assert_eq!(code, Some(1), "{screen}");
    let error = screen.split_once("error: ").map_or("", |(_, error)| error);
    for text in [
        "exit code: 137",
        "\n1\n",
        "\n9\n",
        "no room",
        "Dockerfile:2:1",
        "hint: ",
    ] {
        assert!(error.contains(text), "no `{text}` in\n{screen}");
    }
    let place = "
 2 | RUN seq 1 9 && \\
   | ^^^^^^^^^^^^^^^^
 3 |     echo no room >&2; \\
   |     ^^^^^^^^^^^^^^^^^^^
 4 |     exit 137
   |     ^^^^^^^^
";
    assert!(error.contains(place), "{screen}");
}

#[test]
fn an_interrupted_build_leaves_no_moving_lines() {
    let context = TestContext::new();
    let Some(mut pty) = building(&context, "FROM busybox\nRUN echo begun; sleep 3600\n") else {
        return;
    };
    pty.shows("    begun");
    pty.types("\x03");
    let (code, screen) = pty.ends();
    assert_eq!(code, Some(130), "{screen}");
    assert!(
        screen.contains("error: interrupted") && !screen.contains("of 2 steps"),
        "{screen}"
    );
}

#[test]
fn a_terminal_in_a_container_has_this_ones_size_and_echoes_once() {
    let Some(context) = image() else { return };
    let script = "stty size; trap 'stty size' WINCH; while sleep 0.05; do read -t 0 && break; done; read b; echo got $b";
    let mut pty = running(&context, &["-it", "image", "sh", "-c", script]);
    pty.shows("50 100");
    pty.resize(33, 77);
    pty.shows("33 77");
    pty.types("words\r");
    let screen = pty.shows("got words");
    assert_eq!(
        screen.matches("words").count(),
        2,
        "typed and answered:\n{screen}"
    );
    assert_eq!(pty.ends().0, Some(0));
}

#[test]
fn what_is_typed_goes_to_the_container_and_the_terminal_comes_back_as_it_was() {
    let Some(context) = image() else { return };
    for (flags, script, code) in [
        ("-it", "echo up; sleep 3600", 130),
        (
            "-it",
            "trap 'exit 7' INT; echo up; while true; do sleep 0.05; done",
            7,
        ),
        ("-t", "echo up; sleep 3600", 130),
        ("-it", "stty raw -echo; echo up; exit 3", 3),
    ] {
        let mut pty = running(&context, &[flags, "image", "sh", "-c", script]);
        let before = fresh();
        pty.shows("up");
        if code != 3 {
            pty.types("\x03");
        }
        assert_eq!(pty.code(), Some(code), "{flags} {script}");
        assert_eq!(format!("{:?}", pty.settings()), before, "{flags} {script}");
    }
}

#[test]
fn an_end_of_file_is_typed_too() {
    let Some(context) = image() else { return };
    let mut pty = running(&context, &["-it", "image", "sh", "-c", "echo up; exec cat"]);
    pty.shows("up");
    pty.types("a line\r\x04");
    let (code, screen) = pty.ends();
    assert_eq!((code, screen.matches("a line").count()), (Some(0), 2), "{screen}");
}
