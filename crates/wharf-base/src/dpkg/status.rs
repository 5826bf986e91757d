//! `/var/lib/dpkg/status`: which packages are there, in which state, in dpkg's own form.

use std::fmt::Write as _;

use super::control::Control;
use crate::apt::stanza::{Stanza, stanzas};

/// How far a package's installation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Its files are there, its scripts have not run.
    Unpacked,
    /// Nothing is left to do.
    Installed,
}

/// dpkg's order of fields (`fieldinfos` in its lib/dpkg/parse.c); others follow in the package's order.
const ORDER: &[&str] = &[
    "Package",
    "Essential",
    "Protected",
    "Status",
    "Priority",
    "Section",
    "Installed-Size",
    "Origin",
    "Maintainer",
    "Bugs",
    "Architecture",
    "Multi-Arch",
    "Source",
    "Version",
    "Config-Version",
    "Replaces",
    "Provides",
    "Depends",
    "Pre-Depends",
    "Recommends",
    "Suggests",
    "Breaks",
    "Conflicts",
    "Enhances",
    "Conffiles",
    "Description",
    "Triggers-Pending",
    "Triggers-Awaited",
];

/// Fields of archives' indexes that dpkg drops when it installs a package.
const DROPPED: &[&str] = &["Filename", "Size", "MD5sum", "SHA1", "SHA256", "Status"];

/// A package's paragraph, with the empty line after it.
pub fn paragraph(control: &Control, state: State) -> String {
    let status = match state {
        State::Unpacked => "install ok unpacked",
        State::Installed => "install ok installed",
    };
    let conffiles: String = control
        .conffiles
        .iter()
        .map(|(path, md5)| format!("\n {path} {md5}"))
        .collect();
    let own = control.stanza().into_iter().flat_map(Stanza::fields);
    let own = own.filter(|(name, _)| !DROPPED.iter().any(|dropped| dropped.eq_ignore_ascii_case(name)));
    let mut fields: Vec<(&str, &str)> = own.collect();
    fields.push(("Status", status));
    if !conffiles.is_empty() {
        fields.push(("Conffiles", &conffiles));
    }
    fields.sort_by_key(|(name, _)| rank(name));
    let mut text = String::new();
    for (name, value) in fields {
        let blank = if value.starts_with('\n') { "" } else { " " };
        writeln!(text, "{name}:{blank}{value}").expect("a string takes everything");
    }
    text.push('\n');
    text
}

fn rank(name: &str) -> usize {
    ORDER
        .iter()
        .position(|known| known.eq_ignore_ascii_case(name))
        .unwrap_or(ORDER.len())
}

/// The paragraphs of the packages for which `keep` says yes (name, architecture), as they stand.
pub fn filter(text: &str, keep: impl Fn(&str, &str) -> bool) -> String {
    let mut kept = String::new();
    for stanza in stanzas(text) {
        let field = |name| stanza.get(name).unwrap_or_default();
        if keep(field("Package"), field("Architecture")) {
            kept.push_str(stanza.text());
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn writes_dpkgs_form() {
        let control = Control {
            fields: "Package: a\nVersion: 1\nArchitecture: all\nHomepage: h\nPriority: required\nDescription: d\n long\n .\n"
                .to_owned(),
            files: BTreeMap::new(),
            conffiles: vec![("/etc/a".to_owned(), "00".to_owned())],
            triggers: String::new(),
            interpreters: Vec::new(),
        };
        insta::assert_snapshot!(paragraph(&control, State::Unpacked), @r"
        Package: a
        Status: install ok unpacked
        Priority: required
        Architecture: all
        Version: 1
        Conffiles:
         /etc/a 00
        Description: d
         long
         .
        Homepage: h

        ");
    }

    #[test]
    fn filters_paragraphs() {
        let text = "Package: a\nArchitecture: all\n\nPackage: b\nArchitecture: amd64\n\n";
        assert_eq!(
            filter(text, |name, _| name == "b"),
            "Package: b\nArchitecture: amd64\n\n"
        );
        assert_eq!(filter(text, |_, _| true), text);
    }
}
