//! Names and paths inside a tree: bytes, as Linux has them.

use std::{borrow::Borrow, fmt, sync::Arc};

/// Longest path that is taken into a tree, in bytes: Linux's limit. It also bounds how deep a tree is.
pub const PATH_MAX: usize = 4096;

/// One path component: 1 to 255 bytes, no `/`, no NUL, neither `.` nor `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<[u8]>);

impl Name {
    /// Checks `bytes` and makes a name of them.
    pub fn new(bytes: &[u8]) -> Result<Self, PathError> {
        check_name(bytes)?;
        Ok(Self(bytes.into()))
    }

    /// Whether `bytes` are a name.
    pub(crate) fn check(bytes: &[u8]) -> Result<(), PathError> {
        check_name(bytes)
    }

    /// The bytes of the name.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn check_name(bytes: &[u8]) -> Result<(), PathError> {
    let bad = bytes.is_empty() || bytes.len() > 255 || bytes == b"." || bytes == b"..";
    if bad || bytes.iter().any(|byte| matches!(byte, b'/' | 0)) {
        return Err(PathError(bytes.to_vec()));
    }
    Ok(())
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// A normalised path relative to the root: no leading, trailing or doubled `/`, no `.` or `..`. Empty is the root.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TreePath(Vec<u8>);

impl TreePath {
    /// The root.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// Normalises `path` as text, without looking at any tree: `.` and empty components vanish, `..` removes the
    /// component before it and stops at the root. A leading `/` is ignored. Fails on components that no file can have.
    pub fn new(path: impl AsRef<[u8]>) -> Result<Self, PathError> {
        let mut normal = Self(Vec::with_capacity(path.as_ref().len()));
        for component in path.as_ref().split(|byte| *byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => drop(normal.pop()),
                name => {
                    check_name(name)?;
                    normal.push_bytes(name);
                }
            }
        }
        Ok(normal)
    }

    /// The bytes, without a leading `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The components, from the root down.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> + Clone {
        self.0
            .split(|byte| *byte == b'/')
            .filter(|component| !component.is_empty())
    }

    /// Adds a component.
    pub fn push(&mut self, name: &Name) {
        self.push_bytes(name.as_bytes());
    }

    fn push_bytes(&mut self, name: &[u8]) {
        if !self.0.is_empty() {
            self.0.push(b'/');
        }
        self.0.extend_from_slice(name);
    }

    /// Replaces what follows the first `shared` bytes; fails when the whole is no path in its normal form.
    pub(crate) fn replace_end(&mut self, shared: usize, end: &[u8]) -> Result<(), PathError> {
        self.0.truncate(shared);
        self.0.extend_from_slice(end);
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.split(|byte| *byte == b'/').try_for_each(check_name)
    }

    /// Takes the last component off.
    pub fn pop(&mut self) -> Option<Name> {
        let name = Name::new(self.file_name()?).expect("a component of a path is a name");
        let parent = self.0.len().saturating_sub(name.as_bytes().len() + 1);
        self.0.truncate(parent);
        Some(name)
    }

    /// This path and one more component.
    #[must_use]
    pub fn join(&self, name: &Name) -> Self {
        let mut path = Vec::with_capacity(self.0.len() + 1 + name.as_bytes().len());
        path.extend_from_slice(&self.0);
        let mut path = Self(path);
        path.push(name);
        path
    }

    /// This path and another below it.
    #[must_use]
    pub fn join_path(&self, below: &Self) -> Self {
        match (self.is_root(), below.is_root()) {
            (true, _) => below.clone(),
            (_, true) => self.clone(),
            _ => Self([&self.0[..], b"/", &below.0].concat()),
        }
    }

    /// The directory that holds this; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let mut path = self.clone();
        path.pop().map(|_| path)
    }

    /// The last component; `None` for the root.
    pub fn file_name(&self) -> Option<&[u8]> {
        self.components().next_back()
    }

    /// Whether this is `ancestor` or lies below it.
    pub fn starts_with(&self, ancestor: &Self) -> bool {
        ancestor.is_root()
            || self.0 == ancestor.0
            || self
                .0
                .strip_prefix(&ancestor.0[..])
                .is_some_and(|rest| rest[0] == b'/')
    }

    /// What is left of this below `ancestor`.
    pub fn strip_prefix(&self, ancestor: &Self) -> Option<Self> {
        if ancestor.is_root() {
            return Some(self.clone());
        }
        match self.0.strip_prefix(&ancestor.0[..])? {
            b"" => Some(Self::root()),
            [b'/', rest @ ..] => Some(Self(rest.to_vec())),
            _ => None,
        }
    }
}

impl Borrow<[u8]> for TreePath {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for TreePath {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// Absolute, with what is not UTF-8 replaced: for people, not for opening.
impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", String::from_utf8_lossy(&self.0))
    }
}

/// Bytes that no file can be named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a file name", String::from_utf8_lossy(.0))]
pub struct PathError(Vec<u8>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises() {
        for (text, normal) in [
            ("/a//b/./c/", "/a/b/c"),
            ("a/../../b", "/b"),
            ("/", "/"),
            ("", "/"),
            ("..", "/"),
        ] {
            assert_eq!(TreePath::new(text).unwrap().to_string(), normal, "{text}");
        }
    }

    #[test]
    fn pops_to_the_root() {
        let mut path = TreePath::new("a/bc").unwrap();
        assert_eq!(path.pop().unwrap().as_bytes(), b"bc");
        assert_eq!(path.as_bytes(), b"a");
        assert_eq!(path.pop().unwrap().as_bytes(), b"a");
        assert_eq!(path.pop(), None);
    }

    #[test]
    fn prefixes_end_at_components() {
        let path = TreePath::new("ab/c").unwrap();
        assert!(path.starts_with(&TreePath::new("ab").unwrap()));
        assert!(!path.starts_with(&TreePath::new("a").unwrap()));
        assert_eq!(path.strip_prefix(&TreePath::new("a").unwrap()), None);
    }
}
