//! Debian's names of architectures.

use wharf_oci::Platform;

/// (architecture, variant) in the OCI specification's words, and Debian's name; the first that fits counts.
const NAMES: &[(&str, &str, &str)] = &[
    ("amd64", "", "amd64"),
    ("arm64", "", "arm64"),
    ("arm", "v5", "armel"),
    ("arm", "v6", "armel"),
    ("arm", "", "armhf"),
    ("386", "", "i386"),
    ("ppc64le", "", "ppc64el"),
    ("s390x", "", "s390x"),
    ("riscv64", "", "riscv64"),
    ("mips64le", "", "mips64el"),
    ("loong64", "", "loong64"),
];

/// Debian's name for a platform's architecture.
pub fn debian_architecture(architecture: &str, variant: &str) -> Option<&'static str> {
    let fits = |(known, needed, _): &&(&str, &str, &str)| {
        *known == architecture && (needed.is_empty() || *needed == variant)
    };
    NAMES.iter().find(fits).map(|(.., name)| *name)
}

/// Debian's name for a platform.
pub fn of_platform(platform: &Platform) -> Option<&'static str> {
    debian_architecture(&platform.architecture, &platform.variant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(debian_architecture("amd64", "v2"), Some("amd64"));
        assert_eq!(debian_architecture("arm", "v7"), Some("armhf"));
        assert_eq!(debian_architecture("arm", "v6"), Some("armel"));
        assert_eq!(debian_architecture("wasm", ""), None);
    }
}
