//! Paths as text, as Go's `path` package and BuildKit's `system.NormalizePath` treat them on Linux.

/// Absolute and without `.`, `..`, doubled and trailing slashes. What is relative is taken from `/`.
pub(super) fn clean(path: &str) -> String {
    let mut cleaned = String::with_capacity(path.len() + 1);
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => cleaned.truncate(cleaned.rfind('/').unwrap_or(0)),
            part => {
                cleaned.push('/');
                cleaned.push_str(part);
            }
        }
    }
    if cleaned.is_empty() {
        cleaned.push('/');
    }
    cleaned
}

/// [`clean`], but a `/` or `/.` at the end stays: it says that a directory is meant.
pub(super) fn clean_keep_slash(path: &str) -> String {
    let mut cleaned = clean(path);
    if path.ends_with("/.") {
        cleaned.push_str(if cleaned == "/" { "." } else { "/." });
    } else if path.ends_with('/') && cleaned != "/" {
        cleaned.push('/');
    }
    cleaned
}

/// `path` from the working directory `dir`.
pub(super) fn join(dir: &str, path: &str) -> String {
    if path.starts_with('/') {
        clean(path)
    } else {
        clean(&format!("{dir}/{path}"))
    }
}

/// WORKDIR: an absolute path stays as written, a relative one is joined to the one before. Empty is the one before.
pub(super) fn workdir(current: &str, path: &str) -> String {
    match path {
        "" if current.is_empty() => "/".to_owned(),
        "" => workdir("", current),
        path if path.starts_with('/') => path.to_owned(),
        path => clean(&format!("{current}/{path}")),
    }
}

/// The destination of a COPY: from the working directory, a `/` or `/.` at the end kept. `.` and nothing are the working
/// directory itself.
pub(super) fn destination(dir: &str, path: &str) -> String {
    match path {
        "" | "." => clean_keep_slash(&format!("{dir}/")),
        path if path.starts_with('/') => clean_keep_slash(path),
        path => clean_keep_slash(&format!("{dir}/{path}")),
    }
}

/// The last component, as Go's `path.Base`: `/` of a root, `.` of nothing.
pub(super) fn base(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" if path.is_empty() => ".",
        "" => "/",
        path => path.rsplit('/').next().unwrap_or(path),
    }
}

/// Whether a component is a pattern (Go's `filepath.Match`).
pub(super) fn has_wildcards(path: &str) -> bool {
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'*' | b'?' | b'[' => return true,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans() {
        for (path, cleaned) in [("a//b/../c/", "/a/c"), ("", "/"), ("../x", "/x"), ("/", "/")] {
            assert_eq!(clean(path), cleaned, "{path}");
        }
        for (path, cleaned) in [
            ("a/", "/a/"),
            ("a/.", "/a/."),
            ("/.", "/."),
            ("/", "/"),
            ("./", "/"),
        ] {
            assert_eq!(clean_keep_slash(path), cleaned, "{path}");
        }
    }

    #[test]
    fn destinations_and_working_directories() {
        for (dir, path, expected) in [
            ("/app", ".", "/app/"),
            ("/app", "", "/app/"),
            ("/", ".", "/"),
            ("/app", "./x", "/app/x"),
            ("/app", "x/", "/app/x/"),
            ("/app", "/x", "/x"),
            ("/app", "..", "/"),
        ] {
            assert_eq!(destination(dir, path), expected, "{dir} {path}");
        }
        for (dir, path, expected) in [
            ("/a", "b", "/a/b"),
            ("", "b", "/b"),
            ("/a", "", "/a"),
            ("/a", "/b//c/", "/b//c/"),
            ("", "", "/"),
        ] {
            assert_eq!(workdir(dir, path), expected, "{dir} {path}");
        }
    }

    #[test]
    fn bases_and_wildcards() {
        for (path, expected) in [("/a/b", "b"), ("/a/b/", "b"), ("/", "/"), ("", "."), ("x", "x")] {
            assert_eq!(base(path), expected, "{path}");
        }
        assert!(has_wildcards("a/*.c"));
        assert!(!has_wildcards(r"a/\*.c"));
    }
}
