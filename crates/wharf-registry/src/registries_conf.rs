//! `registries.conf`: mirrors, other locations, insecure and blocked registries.
//!
//! containers-registries.conf(5), version 2. Short names are Docker's here, so `unqualified-search-registries` and
//! aliases do not count. Pure: text → rules, and name → where to go.

use serde::Deserialize;

/// The text of one such file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct RegistriesConf {
    #[serde(rename = "registry")]
    rules: Vec<Rule>,
    /// Helpers for all registries; `containers-auth.json` stands for the files.
    credential_helpers: Option<Vec<String>>,
    /// Of version 1.
    registries: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Rule {
    prefix: String,
    location: String,
    insecure: bool,
    blocked: bool,
    mirror_by_digest_only: bool,
    #[serde(rename = "mirror")]
    mirrors: Vec<Mirror>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Mirror {
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default, rename = "pull-from-mirror")]
    pull_from: PullFrom,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PullFrom {
    #[default]
    #[serde(alias = "")]
    All,
    DigestOnly,
    TagOnly,
}

/// Why such a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistriesConfError {
    /// Not TOML, or a member of the wrong type.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// Version 1 of the format.
    #[error("the file is in version 1 of the format, which is not supported; write [[registry]] tables")]
    Version1,
    /// A rule or mirror without the name it is for.
    #[error("a [[registry]] needs a prefix or a location, and a mirror a location")]
    Nameless,
    /// Something that is not `host[:port][/path]`.
    #[error("`{0}` is not a location: write host[:port][/path], without a scheme")]
    Location(String),
}

/// Where a repository is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// `host[:port]`.
    pub(crate) registry: String,
    /// The repository there.
    pub(crate) repository: String,
    /// Whether its certificate does not count and plain http is good enough.
    pub(crate) insecure: bool,
}

/// What a place is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Reading by tag.
    PullTag,
    /// Reading by digest.
    PullDigest,
    /// Writing: never through a mirror.
    Push,
}

/// The user's settings forbid this registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blocked {
    /// The rule's prefix.
    pub(crate) prefix: String,
}

impl RegistriesConf {
    /// Reads the text of such a file.
    pub(crate) fn parse(text: &str) -> Result<Self, RegistriesConfError> {
        let mut conf: Self = toml::from_str(text)?;
        if conf.registries.is_some() {
            return Err(RegistriesConfError::Version1);
        }
        conf.rules.iter_mut().try_for_each(Rule::check)?;
        Ok(conf)
    }

    /// Adds a drop-in: its rules replace those of the same prefix.
    pub(crate) fn add(&mut self, dropin: Self) {
        self.rules
            .retain(|rule| dropin.rules.iter().all(|new| new.prefix != rule.prefix));
        self.rules.extend(dropin.rules);
        if dropin.credential_helpers.is_some() {
            self.credential_helpers = dropin.credential_helpers;
        }
    }

    /// The helpers for all registries that are programs.
    pub(crate) fn helpers(&self) -> impl Iterator<Item = &str> {
        let helpers = self.credential_helpers.iter().flatten();
        helpers
            .map(String::as_str)
            .filter(|helper| *helper != "containers-auth.json")
    }

    /// Where `name`, `registry/repository`, is to be had, best first.
    pub(crate) fn places(&self, name: &str, wanted: Use) -> Result<Vec<Place>, Blocked> {
        let matching = self
            .rules
            .iter()
            .filter_map(|rule| Some((matched(&rule.prefix, name)?, rule)));
        let Some((length, rule)) = matching.max_by_key(|(length, _)| *length) else {
            return Ok(vec![Place::new(name, false)]);
        };
        if rule.blocked {
            return Err(Blocked {
                prefix: rule.prefix.clone(),
            });
        }
        let rest = &name[length..];
        let mirrors = rule.mirrors.iter().filter(|mirror| rule.allows(mirror, wanted));
        let mut places: Vec<Place> = mirrors
            .map(|mirror| Place::new(&format!("{}{rest}", mirror.location), mirror.insecure))
            .collect();
        let own = if rule.location.is_empty() {
            name.to_owned()
        } else {
            format!("{}{rest}", rule.location)
        };
        places.push(Place::new(&own, rule.insecure));
        Ok(places)
    }
}

impl Rule {
    fn check(&mut self) -> Result<(), RegistriesConfError> {
        tidy(&mut self.location)?;
        tidy(&mut self.prefix)?;
        if self.prefix.is_empty() {
            self.prefix.clone_from(&self.location);
        }
        for mirror in &mut self.mirrors {
            tidy(&mut mirror.location)?;
        }
        let nameless = self.mirrors.iter().any(|mirror| mirror.location.is_empty());
        if nameless || self.prefix.is_empty() {
            Err(RegistriesConfError::Nameless)
        } else {
            Ok(())
        }
    }

    fn allows(&self, mirror: &Mirror, wanted: Use) -> bool {
        match (mirror.pull_from, wanted) {
            (_, Use::Push) | (PullFrom::TagOnly, Use::PullDigest) | (PullFrom::DigestOnly, Use::PullTag) => {
                false
            }
            (PullFrom::All, Use::PullTag) => !self.mirror_by_digest_only,
            (_, Use::PullTag | Use::PullDigest) => true,
        }
    }
}

fn tidy(location: &mut String) -> Result<(), RegistriesConfError> {
    let tidied = location.trim().trim_end_matches('/').to_owned();
    if tidied.contains("://") || tidied.contains(char::is_whitespace) {
        return Err(RegistriesConfError::Location(tidied));
    }
    *location = tidied;
    Ok(())
}

/// How much of `name` the prefix covers, if it does: whole components, or for `*.domain` any host below it.
fn matched(prefix: &str, name: &str) -> Option<usize> {
    if let Some(domain) = prefix.strip_prefix('*').filter(|domain| domain.starts_with('.')) {
        let host = name.split(['/', ':']).next().unwrap_or_default();
        return (host.len() > domain.len() && host.ends_with(domain)).then_some(host.len());
    }
    let rest = name.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(prefix.len())
}

impl Place {
    fn new(name: &str, insecure: bool) -> Self {
        let (registry, repository) = name.split_once('/').unwrap_or((name, ""));
        Self {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            insecure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
unqualified-search-registries = ["example.test"]

[[registry]]
prefix = "example.test/team"
location = "internal.example.test/mirror/team"
insecure = true

[[registry]]
location = "example.test"
[[registry.mirror]]
location = "near.example.test:5000/cache/"
[[registry.mirror]]
location = "digests.example.test"
insecure = true
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "tags.example.test"
pull-from-mirror = "tag-only"

[[registry]]
prefix = "bad.example.test"
blocked = true

[[registry]]
prefix = "*.wild.example.test"
location = "one.example.test"

[[registry]]
prefix = "old.example.test"
mirror-by-digest-only = true
[[registry.mirror]]
location = "near.example.test"
"#;

    fn places(name: &str, wanted: Use) -> Vec<String> {
        let conf = RegistriesConf::parse(FILE).unwrap();
        let shown = |place: Place| {
            format!(
                "{}/{}{}",
                place.registry,
                place.repository,
                if place.insecure { " insecure" } else { "" }
            )
        };
        conf.places(name, wanted)
            .unwrap()
            .into_iter()
            .map(shown)
            .collect()
    }

    #[test]
    fn names_without_a_rule_stay() {
        assert_eq!(
            places("other.example.test/a/b", Use::PullTag),
            ["other.example.test/a/b"]
        );
        assert_eq!(
            places("example.test:5000/a", Use::PullTag),
            ["example.test:5000/a"]
        );
        assert_eq!(
            places("wild.example.test/a", Use::PullTag),
            ["wild.example.test/a"]
        );
    }

    #[test]
    fn the_longest_prefix_is_replaced() {
        let moved = ["internal.example.test/mirror/team/app insecure"];
        assert_eq!(places("example.test/team/app", Use::PullTag), moved);
        assert_eq!(
            places("a.wild.example.test/x/y", Use::PullTag),
            ["one.example.test/x/y"]
        );
        assert_eq!(
            places("example.test/teams/app", Use::Push),
            ["example.test/teams/app"]
        );
    }

    #[test]
    fn mirrors_first_by_what_they_are_for() {
        let name = "example.test/app";
        assert_eq!(
            places(name, Use::PullTag),
            [
                "near.example.test:5000/cache/app",
                "tags.example.test/app",
                "example.test/app"
            ]
        );
        assert_eq!(
            places(name, Use::PullDigest),
            [
                "near.example.test:5000/cache/app",
                "digests.example.test/app insecure",
                "example.test/app"
            ]
        );
        assert_eq!(places(name, Use::Push), ["example.test/app"]);
        assert_eq!(places("old.example.test/a", Use::PullTag), ["old.example.test/a"]);
        assert_eq!(places("old.example.test/a", Use::PullDigest).len(), 2);
    }

    #[test]
    fn blocked_registries_are_refused() {
        let conf = RegistriesConf::parse(FILE).unwrap();
        assert!(conf.places("bad.example.test/a", Use::PullDigest).is_err());
    }

    #[test]
    fn drop_ins_replace_rules() {
        let mut conf = RegistriesConf::parse(FILE).unwrap();
        conf.add(RegistriesConf::parse("credential-helpers = [\"containers-auth.json\", \"x\"]\n[[registry]]\nprefix = \"bad.example.test\"").unwrap());
        assert!(conf.places("bad.example.test/a", Use::PullTag).is_ok());
        assert_eq!(conf.helpers().collect::<Vec<_>>(), ["x"]);
    }

    #[test]
    fn what_is_no_settings_file() {
        for (text, message) in [
            ("[registries.search]\nregistries = []", "version 1"),
            ("[[registry]]\ninsecure = true", "needs a prefix"),
            (
                "[[registry]]\nlocation = \"https://x\"",
                "`https://x` is not a location",
            ),
            ("[[registry]]\nprefix = 1", "invalid type"),
        ] {
            let error = RegistriesConf::parse(text).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
