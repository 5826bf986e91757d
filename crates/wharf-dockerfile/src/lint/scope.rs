//! Variables as a build sees them: what is set, what was declared.

use std::collections::BTreeSet;

use wharf_oci::Platform;

/// The predefined arguments about platforms, and TARGETSTAGE, in the global scope.
pub fn platform_arguments(
    build: &Platform,
    target: &Platform,
    target_stage: &str,
) -> [(&'static str, String); 11] {
    let without_version = Platform {
        os_version: String::new(),
        ..build.clone()
    };
    [
        ("BUILDPLATFORM", without_version.to_string()),
        ("BUILDOS", build.os.clone()),
        ("BUILDOSVERSION", build.os_version.clone()),
        ("BUILDARCH", build.architecture.clone()),
        ("BUILDVARIANT", build.variant.clone()),
        ("TARGETPLATFORM", target.to_string()),
        ("TARGETOS", target.os.clone()),
        ("TARGETOSVERSION", target.os_version.clone()),
        ("TARGETARCH", target.architecture.clone()),
        ("TARGETVARIANT", target.variant.clone()),
        (
            "TARGETSTAGE",
            if target_stage.is_empty() {
                "default".to_owned()
            } else {
                target_stage.to_owned()
            },
        ),
    ]
}

/// Variables in order, and names that were declared, with or without a value.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    variables: Vec<(String, String)>,
    declared: BTreeSet<String>,
}

impl Scope {
    pub(super) fn set(&mut self, name: &str, value: String) {
        match self.variables.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.variables.push((name.to_owned(), value)),
        }
    }

    pub(super) fn declare(&mut self, name: &str) {
        self.declared.insert(name.to_owned());
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.variables
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    }

    /// The names that have a value.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|(name, _)| name.as_str())
    }

    /// The names that were declared.
    pub(super) fn declared(&self) -> impl Iterator<Item = &str> {
        self.declared.iter().map(String::as_str)
    }

    /// Whether a name has a value or was declared.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.declared.contains(name) || self.names().any(|known| known == name)
    }
}
