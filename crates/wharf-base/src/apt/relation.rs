//! Relations between packages: `a (>= 1.0) [amd64] <!nocheck> | b:any, c`.

use super::version::Version;

/// One alternative of a dependency, or one member of a Conflicts, Breaks or Provides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation<'a> {
    /// The package's name, real or virtual.
    pub name: &'a str,
    /// What stands after a `:`: `any`, `native` or an architecture.
    pub qualifier: Option<&'a str>,
    /// Which versions; `None` is every one.
    pub versions: Option<(Operator, &'a str)>,
}

/// How a version must compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `<<`
    Before,
    /// `<=`, and the obsolete `<`
    AtMost,
    /// `=`
    Exactly,
    /// `>=`, and the obsolete `>`
    AtLeast,
    /// `>>`
    After,
}

/// Operators as written; the longer ones first.
const OPERATORS: &[(&str, Operator)] = &[
    ("<<", Operator::Before),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    (">>", Operator::After),
    ("=", Operator::Exactly),
    ("<", Operator::AtMost),
    (">", Operator::AtLeast),
];

/// The members of a field, separated by commas; of each, its alternatives in order.
pub fn groups(field: &str) -> impl Iterator<Item = impl Iterator<Item = Relation<'_>>> {
    let members = field.split(',').filter(|member| !member.trim().is_empty());
    members.map(|member| member.split('|').filter_map(Relation::parse))
}

/// The members of a field that has no alternatives.
pub fn members(field: &str) -> impl Iterator<Item = Relation<'_>> {
    field.split(',').filter_map(Relation::parse)
}

impl<'a> Relation<'a> {
    /// Reads one relation; `None` when there is no name. Restrictions to architectures and build profiles, which binary
    /// packages do not have, are ignored.
    pub fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let name_end = text.find(|letter: char| letter.is_whitespace() || "([<".contains(letter));
        let (name, rest) = text.split_at(name_end.unwrap_or(text.len()));
        let (name, qualifier) = match name.split_once(':') {
            Some((name, qualifier)) => (name, Some(qualifier)),
            None => (name, None),
        };
        let versions = rest
            .trim_start()
            .strip_prefix('(')
            .and_then(|rest| rest.split(')').next());
        (!name.is_empty()).then(|| Self {
            name,
            qualifier,
            versions: versions.and_then(parse_versions),
        })
    }

    /// Whether this version is one of those that are meant.
    pub fn accepts(&self, version: &str) -> bool {
        let Some((operator, limit)) = self.versions else {
            return true;
        };
        let order = Version(version).cmp(&Version(limit));
        match operator {
            Operator::Before => order.is_lt(),
            Operator::AtMost => order.is_le(),
            Operator::Exactly => order.is_eq(),
            Operator::AtLeast => order.is_ge(),
            Operator::After => order.is_gt(),
        }
    }

    /// Whether a package that provides this name, in `version` if it says so, is meant. Policy 7.5: a relation to versions
    /// is never met by a provider that names none.
    pub fn accepts_provided(&self, version: Option<&str>) -> bool {
        match version {
            Some(version) => self.accepts(version),
            None => self.versions.is_none(),
        }
    }
}

fn parse_versions(text: &str) -> Option<(Operator, &str)> {
    let text = text.trim();
    let (sign, operator) = OPERATORS.iter().find(|(sign, _)| text.starts_with(sign))?;
    Some((*operator, text[sign.len()..].trim()))
}

impl std::fmt::Display for Relation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)?;
        if let Some(qualifier) = self.qualifier {
            write!(f, ":{qualifier}")?;
        }
        let Some((operator, version)) = self.versions else {
            return Ok(());
        };
        let sign = OPERATORS
            .iter()
            .find(|(_, known)| *known == operator)
            .map_or("", |(sign, _)| sign);
        write!(f, " ({sign} {version})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(field: &str) -> Vec<Vec<String>> {
        groups(field)
            .map(|group| group.map(|one| one.to_string()).collect())
            .collect()
    }

    #[test]
    fn reads_fields() {
        assert_eq!(
            shown("libc6 (>= 2.34), awk,debconf (>= 0.5) | debconf-2.0 , python3:any (<<3.12)"),
            [
                vec!["libc6 (>= 2.34)"],
                vec!["awk"],
                vec!["debconf (>= 0.5)", "debconf-2.0"],
                vec!["python3:any (<< 3.12)"],
            ]
        );
        assert_eq!(
            shown("a [amd64] <!nocheck>, b (= 1) [i386]"),
            [["a"], ["b (= 1)"]]
        );
        assert!(shown(" , ").is_empty());
    }

    #[test]
    fn compares_versions() {
        for (relation, version, accepted) in [
            ("a", "1", true),
            ("a (>= 2)", "1", false),
            ("a (>= 2)", "2~rc1", false),
            ("a (<< 2)", "2~rc1", true),
            ("a (= 1.0)", "1.0-0", true),
            ("a (>> 1:1)", "9", false),
        ] {
            assert_eq!(
                Relation::parse(relation).unwrap().accepts(version),
                accepted,
                "{relation} {version}"
            );
        }
    }

    #[test]
    fn an_unversioned_provider_meets_only_unversioned_relations() {
        assert!(Relation::parse("awk").unwrap().accepts_provided(None));
        assert!(!Relation::parse("awk (>= 1)").unwrap().accepts_provided(None));
        assert!(Relation::parse("awk (>= 1)").unwrap().accepts_provided(Some("2")));
    }
}
