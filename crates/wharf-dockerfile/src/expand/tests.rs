//! Cases of word expansion: input, environment, what comes out.

use super::*;

/// The reference vectors live beside the project, not in it.
fn vectors(name: &str) -> Option<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors")
        .join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        eprintln!("SKIPPED: no reference vectors at {}", path.display());
    }
    text
}

fn environment(pairs: &[(String, String)]) -> impl Fn(&str) -> Option<String> + '_ {
    |name| {
        pairs
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn reference_vectors_of_single_words() {
    let Some(text) = vectors("envVarTest") else { return };
    let variables = pairs(&[
        ("PWD", "/home"),
        ("SHELL", "bash"),
        ("KOREAN", "한국어"),
        ("NULL", ""),
    ]);
    let mut count = 0;
    for line in text.lines() {
        // A comment, as the reference reads the file: from a `#` at the start of the line or after white space.
        let line = line.split(" #").next().unwrap_or_default();
        let fields: Vec<_> = line.split('|').map(str::trim).collect();
        let [platform, input, expected] = fields[..] else {
            continue;
        };
        if line.starts_with('#') || platform == "W" {
            continue;
        }
        let found = expand(input, &environment(&variables), '\\');
        assert_eq!(found.as_deref().unwrap_or("error"), expected, "{line}");
        count += 1;
    }
    assert!(count > 150, "{count} vectors");
}

#[test]
fn reference_vectors_of_split_words() {
    let Some(text) = vectors("wordsTest") else { return };
    let mut variables = Vec::new();
    let mut count = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some((key, value)) = line.strip_prefix("ENV ").and_then(|pair| pair.split_once('=')) {
            variables.push((key.trim_start().to_owned(), value.to_owned()));
            continue;
        }
        let Some((input, expected)) = line.split_once('|') else {
            continue;
        };
        let found = expand_words(input.trim(), &environment(&variables), '\\');
        let found = found.unwrap_or_else(|_| vec!["error".to_owned()]);
        let expected: Vec<_> = expected.trim_start_matches(' ').split(',').collect();
        assert_eq!(found, expected, "{line}");
        count += 1;
    }
    assert!(count > 15, "{count} vectors");
}

#[test]
fn patterns() {
    let cases = [
        ("${FOO#()[]{\\}^$.\\*\\?|\\\\}", "()[]{}^$.*?|\\x", "x"),
        ("${FOO%%\\**}", "xx**", "xx"),
        ("${FOO#*x*y}", "xxyy", "y"),
        ("${FOO#*}", "xxyy", "xxyy"),
        ("${FOO##*}", "xxyy", ""),
        ("${FOO#}", "xxyy", "xxyy"),
        ("${FOO##*x}", "xxyy", "yy"),
        ("${FOO#?\\?}", "???y", "?y"),
        ("${FOO%%\\**\\*}", "a***yy*", "a"),
        ("${FOO%y}", "xxyy", "xxy"),
        ("${FOO%.*}", "a.tar.gz", "a.tar"),
        ("${FOO%%.*}", "a.tar.gz", "a"),
        ("${FOO/o/0}", "foo", "f0o"),
        ("${FOO//o/0}", "foo", "f00"),
        ("${FOO//o}", "foo", "error"),
        ("${FOO//o/}", "foo", "f"),
        ("${FOO//\\//\\/}", "/tmp/foo.txt", "\\/tmp\\/foo.txt"),
        ("${FOO/*o/x}", "foobar", "xbar"),
        ("${FOO//a*/x}", "ba\nca", "bx\ncx"),
        ("${FOO//-/$1}", "a-b", "ab"),
        ("${FOO//?/.}", "안녕", ".."),
        ("${FOO#\\x}", "x", "error"),
        ("${FOO:#x}", "x", "error"),
        ("${FOO%%x", "x", "error"),
        ("${FOO///.}", "xy", ".x.y."),
        ("${FOO//*/.}", "xy", "."),
    ];
    for (word, value, expected) in cases {
        let variables = pairs(&[("FOO", value)]);
        let found = expand(word, &environment(&variables), '\\');
        assert_eq!(found.as_deref().unwrap_or("error"), expected, "{word}");
    }
}

#[test]
fn required_variables() {
    let variables = pairs(&[("EMPTY", ""), ("SET", "x")]);
    let message = |word| {
        expand(word, &environment(&variables), '\\')
            .unwrap_err()
            .reason
            .to_string()
    };
    assert_eq!(message("${MISSING?}"), "MISSING: is not allowed to be unset");
    assert_eq!(message("${EMPTY:?}"), "EMPTY: is not allowed to be empty");
    assert_eq!(message("${EMPTY:?message here$SET}"), "EMPTY: message herex");
    assert!(expand("${EMPTY?}${SET:?}", &environment(&variables), '\\').is_ok());
}

#[test]
fn asked_for_variables_are_told() {
    let variables = pairs(&[("FOO", "x"), ("BAR", "")]);
    let expansion = expand_with(
        "${FOO:-$NO} ${BAR:-b} ${BAZ+c}",
        &environment(&variables),
        ExpandOptions::new('\\'),
    )
    .unwrap();
    assert_eq!(expansion.text, "x b ");
    let names = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(",");
    assert_eq!(names(&expansion.variables.set), "BAR,FOO");
    assert_eq!(names(&expansion.variables.unset), "BAZ,NO");
}

#[test]
fn words_keep_the_text_before_a_default() {
    assert_eq!(
        expand_words("80${X:-80 90}", &|_| None, '\\').unwrap(),
        ["8080", "90"]
    );
}

#[test]
fn heredoc_bodies_keep_quotes() {
    let body = "a='$X' \\$X \"b\"\n";
    let expansion = expand_with(body, &|_| Some("1".to_owned()), ExpandOptions::heredoc_body()).unwrap();
    assert_eq!(expansion.text, "a='1' $X \"b\"\n");
}

#[test]
fn shown_commands_keep_what_is_unset() {
    let options = ExpandOptions {
        quotes: Quotes::Keep,
        keep_unset: true,
        ..ExpandOptions::new('\\')
    };
    let shown = |word| {
        expand_with(word, &|name| (name == "A").then(|| "1".to_owned()), options)
            .unwrap()
            .text
    };
    assert_eq!(
        shown(r#"RUN "$A" '$A' $B ${B} ${B:-x} ${B#x}"#),
        r#"RUN "1" '$A' $B ${B} ${B:-x} ${B#x}"#
    );
}

#[test]
fn deep_nesting_is_an_error() {
    let word = format!("{}{}", "${a:-".repeat(5000), "}".repeat(5000));
    assert!(expand(&word, &|_| None, '\\').is_err());
}

#[test]
fn backtick_escapes_when_asked() {
    assert_eq!(
        expand(r"C:\dir`$x", &|_| Some("no".to_owned()), '`').unwrap(),
        r"C:\dir$x"
    );
}
