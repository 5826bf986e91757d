//! Paths of Windows images: BuildKit's `system.CheckSystemDriveAndRemoveDriveLetter`. Within the files of an image they have `/`
//! between names and no drive, whatever the Dockerfile writes.

use wharf_dockerfile::patterns::clean;
use wharf_oci::Platform;

/// A path that no file of an image can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowsPathError {
    /// Nothing but a drive.
    #[error("`{0}` names no path: write `{0}\\`")]
    OnlyDrive(String),
    /// Another drive than the system's.
    #[error("`{0}` is not on the system drive (C:), the only one that an image has")]
    OtherDrive(String),
    /// `\\server\share`.
    #[error("`{0}`: paths of other machines (UNC) are not supported")]
    OtherMachine(String),
}

pub(super) fn is_windows(platform: &Platform) -> bool {
    platform.os == "windows"
}

/// A path as it is within the files: without the drive, clean. What is relative stays so, and a slash at the end if it is to be kept.
pub(super) fn within(path: &str, keep_slash: bool) -> Result<String, WindowsPathError> {
    let slashed = path.replace('\\', "/");
    if slashed.len() == 2 && slashed.ends_with(':') {
        return Err(WindowsPathError::OnlyDrive(path.to_owned()));
    }
    if slashed.starts_with("//") {
        return Err(WindowsPathError::OtherMachine(path.to_owned()));
    }
    let rest = match slashed.split_once(':') {
        None => &slashed,
        Some((drive, rest)) if drive.eq_ignore_ascii_case("c") => rest,
        Some(_) => return Err(WindowsPathError::OtherDrive(path.to_owned())),
    };
    let mut cleaned = String::from_utf8_lossy(&clean(rest.as_bytes())).into_owned();
    if keep_slash && rest.ends_with('/') && cleaned.len() > 1 {
        cleaned.push('/');
    }
    Ok(cleaned)
}

/// A path as Windows has it.
pub(super) fn shown(path: &str) -> String {
    path.replace('/', "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_within_an_image() {
        let cases = [
            ("a\\b\\..\\c", "a/c"),
            ("C:\\a\\", "/a/"),
            ("c:a", "a"),
            ("\\", "/"),
            ("", "."),
            ("/a//b", "/a/b"),
        ];
        for (path, expected) in cases {
            assert_eq!(within(path, true).as_deref(), Ok(expected), "{path}");
        }
        for path in ["C:", "D:\\a", "\\\\server\\share", "//a", "a:b"] {
            assert!(within(path, false).is_err(), "{path}");
        }
        assert_eq!(shown("/a/b"), "\\a\\b");
    }
}
