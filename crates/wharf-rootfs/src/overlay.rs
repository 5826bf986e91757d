//! Overlayfs's private extended attributes, and a step's own ones of the same name.
//!
//! Kernel documentation, `filesystems/overlayfs.rst`, "Nesting overlayfs mounts": overlayfs hides `trusted.overlay.*`
//! (`user.overlay.*` with the option `userxattr`) of its layers and shows `trusted.overlay.overlay.x` as
//! `trusted.overlay.x`.

/// Under which names overlayfs keeps its marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Markers {
    /// `trusted.overlay.*`: mounted by real root.
    #[default]
    Trusted,
    /// `user.overlay.*`: mounted with `userxattr`, as in a user namespace.
    User,
}

impl Markers {
    /// The names' common beginning, with the final dot.
    pub const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Trusted => b"trusted.overlay.",
            Self::User => b"user.overlay.",
        }
    }

    /// The full name of overlayfs's mark `mark`, such as `opaque`.
    pub fn name(self, mark: &str) -> Vec<u8> {
        [self.prefix(), mark.as_bytes()].concat()
    }

    /// How a lower layer has to present the step-visible attribute `name` so that overlayfs shows it under that name.
    pub fn escape(self, name: &[u8]) -> Vec<u8> {
        match name.strip_prefix(self.prefix()) {
            Some(rest) => [self.prefix(), b"overlay.", rest].concat(),
            None => name.to_vec(),
        }
    }

    /// The step-visible name of a layer's attribute; `None` if it is overlayfs's own.
    pub fn unescape(self, name: &[u8]) -> Option<Vec<u8>> {
        let Some(rest) = name.strip_prefix(self.prefix()) else {
            return Some(name.to_vec());
        };
        let own = rest.strip_prefix(b"overlay.")?;
        Some([self.prefix(), own].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_only_its_own_prefix() {
        for (markers, visible, stored) in [
            (
                Markers::Trusted,
                "trusted.overlay.opaque",
                "trusted.overlay.overlay.opaque",
            ),
            (Markers::Trusted, "user.overlay.opaque", "user.overlay.opaque"),
            (Markers::User, "user.overlay.x", "user.overlay.overlay.x"),
            (
                Markers::User,
                "user.overlay.overlay.x",
                "user.overlay.overlay.overlay.x",
            ),
            (Markers::User, "security.capability", "security.capability"),
        ] {
            assert_eq!(markers.escape(visible.as_bytes()), stored.as_bytes());
            assert_eq!(markers.unescape(stored.as_bytes()), Some(visible.into()));
        }
        assert_eq!(Markers::Trusted.unescape(b"trusted.overlay.origin"), None);
    }
}
