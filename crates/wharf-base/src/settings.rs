//! `[base.NAME]` of `wharf.toml`: what a base image is to be made of.

use serde::{Deserialize, Serialize};

use crate::suggest::nearest;

/// One base image, as its project describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct BaseSettings {
    /// Where its packages come from.
    pub origin: Origin,
    /// What is in it besides [`BaseSettings::packages`].
    pub variant: Variant,
    /// Packages by name, `name:architecture` for one of another architecture than the base's.
    pub packages: Vec<String>,
    /// Components of the archive (`main`, `universe`); empty means those of the host's sources, or `main`.
    pub components: Vec<String>,
    /// The base's architecture in the distribution's words (`amd64`), then foreign ones; empty means the build's platform.
    pub architectures: Vec<String>,
    /// Whether Recommends are installed as well.
    pub recommends: bool,
}

/// Which distribution, which suite.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// `apt = "host"`: the suites, keys and addresses of this machine's own apt.
    Host,
    /// `debian = "<suite>"`.
    Debian(String),
    /// `ubuntu = "<suite>"`.
    Ubuntu(String),
}

/// Which packages a base has without naming them: mmdebstrap's variants, with its meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// None: the named packages and what they depend on.
    Custom,
    /// Those marked `Essential: yes`.
    #[default]
    Essential,
    /// The essential ones and apt.
    Apt,
    /// The essential ones, those of priority `required`, and apt.
    Minbase,
    /// [`Variant::Minbase`] and build-essential.
    Buildd,
    /// The essential ones and those of priority `required` or `important`.
    Important,
    /// [`Variant::Important`] and those of priority `standard`.
    Standard,
}

/// Every key of a `[base.NAME]` table.
const KEYS: &[&str] = &[
    "apt",
    "debian",
    "ubuntu",
    "variant",
    "packages",
    "components",
    "architectures",
    "recommends",
];

/// Every name of a variant: mmdebstrap's, with its synonyms.
const VARIANTS: &[(&str, Variant)] = &[
    ("custom", Variant::Custom),
    ("essential", Variant::Essential),
    ("apt", Variant::Apt),
    ("minbase", Variant::Minbase),
    ("required", Variant::Minbase),
    ("buildd", Variant::Buildd),
    ("important", Variant::Important),
    ("debootstrap", Variant::Important),
    ("standard", Variant::Standard),
];

/// A `[base.NAME]` table that says something impossible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A key that wharf does not know.
    #[error("unknown key `{key}` of a base{}", did_you_mean(*.suggestion))]
    UnknownKey {
        /// The key.
        key: String,
        /// The known key nearest to it.
        suggestion: Option<&'static str>,
    },
    /// A variant that wharf does not know.
    #[error("unknown variant `{variant}`{}", did_you_mean(*.suggestion))]
    UnknownVariant {
        /// What was written.
        variant: String,
        /// The known name nearest to it.
        suggestion: Option<&'static str>,
    },
    /// No source of packages, or two of them.
    #[error(
        "a base needs exactly one of `apt = \"host\"`, `debian = \"<suite>\"` and `ubuntu = \"<suite>\"`"
    )]
    Origin,
    /// `apt` is not `host`.
    #[error("`apt = \"{0}\"`: the only value is \"host\"")]
    Apt(String),
    /// A value of the wrong type.
    #[error("`{key}` of a base must be {expected}")]
    Type {
        /// The key.
        key: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A name that no package, suite, component or architecture can have.
    #[error("`{value}` in `{key}` is not a name that an archive can have")]
    Name {
        /// The key.
        key: &'static str,
        /// What was written.
        value: String,
    },
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

impl TryFrom<toml::Table> for BaseSettings {
    type Error = SettingsError;

    fn try_from(table: toml::Table) -> Result<Self, SettingsError> {
        if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(SettingsError::UnknownKey {
                key: key.clone(),
                suggestion: nearest(key, KEYS.iter().copied()),
            });
        }
        Ok(Self {
            origin: origin(&table)?,
            variant: string(&table, "variant")?.map_or(Ok(Variant::default()), str::parse)?,
            packages: names(&table, "packages")?,
            components: names(&table, "components")?,
            architectures: names(&table, "architectures")?,
            recommends: boolean(&table, "recommends")?,
        })
    }
}

impl std::str::FromStr for Variant {
    type Err = SettingsError;

    fn from_str(name: &str) -> Result<Self, SettingsError> {
        let known = VARIANTS.iter().find(|(known, _)| *known == name);
        known
            .map(|(_, variant)| *variant)
            .ok_or_else(|| SettingsError::UnknownVariant {
                variant: name.to_owned(),
                suggestion: nearest(name, VARIANTS.iter().map(|(name, _)| *name)),
            })
    }
}

fn origin(table: &toml::Table) -> Result<Origin, SettingsError> {
    match (
        string(table, "apt")?,
        string(table, "debian")?,
        string(table, "ubuntu")?,
    ) {
        (Some("host"), None, None) => Ok(Origin::Host),
        (Some(other), None, None) => Err(SettingsError::Apt(other.to_owned())),
        (None, Some(suite), None) => Ok(Origin::Debian(name("debian", suite)?)),
        (None, None, Some(suite)) => Ok(Origin::Ubuntu(name("ubuntu", suite)?)),
        _ => Err(SettingsError::Origin),
    }
}

fn string<'a>(table: &'a toml::Table, key: &'static str) -> Result<Option<&'a str>, SettingsError> {
    let expected = "a string";
    let text = |value: &'a toml::Value| value.as_str().ok_or(SettingsError::Type { key, expected });
    table.get(key).map(text).transpose()
}

fn boolean(table: &toml::Table, key: &'static str) -> Result<bool, SettingsError> {
    let expected = "true or false";
    let value = |value: &toml::Value| value.as_bool().ok_or(SettingsError::Type { key, expected });
    table.get(key).map_or(Ok(false), value)
}

fn names(table: &toml::Table, key: &'static str) -> Result<Vec<String>, SettingsError> {
    let wrong = || SettingsError::Type {
        key,
        expected: "a list of strings",
    };
    let Some(value) = table.get(key) else {
        return Ok(Vec::new());
    };
    let values = value.as_array().ok_or_else(wrong)?;
    let one = |value: &toml::Value| name(key, value.as_str().ok_or_else(wrong)?);
    values.iter().map(one).collect()
}

/// What Debian's policy (5.6.1) allows in names, and `:` before an architecture, `/` in suites and components.
fn name(key: &'static str, value: &str) -> Result<String, SettingsError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.:/_~".contains(&byte);
    let starts_well = value
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    if starts_well && value.bytes().all(allowed) && !value.split('/').any(|part| part == "..") {
        return Ok(value.to_owned());
    }
    Err(SettingsError::Name {
        key,
        value: value.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<BaseSettings, String> {
        let table: toml::Table = text.parse().unwrap();
        BaseSettings::try_from(table).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_what_the_documentation_shows() {
        let settings = parse("apt = 'host'\nvariant = 'custom'\npackages = ['ca-certificates']").unwrap();
        assert_eq!(settings.origin, Origin::Host);
        assert_eq!(settings.variant, Variant::Custom);
        assert_eq!(settings.packages, ["ca-certificates"]);
        assert!(!settings.recommends);
    }

    #[test]
    fn mmdebstraps_synonyms_mean_the_same() {
        assert_eq!("required".parse(), Ok(Variant::Minbase));
        assert_eq!("debootstrap".parse(), Ok(Variant::Important));
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, message) in [
            (
                "apt = 'host'\nvarient = 'apt'",
                "unknown key `varient` of a base (did you mean `variant`?)",
            ),
            ("apt = 'host'\nfoo = 1", "unknown key `foo` of a base"),
            (
                "debian = 'x'\nvariant = 'minbas'",
                "unknown variant `minbas` (did you mean `minbase`?)",
            ),
            ("apt = 'remote'", "`apt = \"remote\"`: the only value is \"host\""),
            (
                "apt = 'host'\npackages = 'gcc'",
                "`packages` of a base must be a list of strings",
            ),
            (
                "apt = 'host'\nrecommends = 'no'",
                "`recommends` of a base must be true or false",
            ),
            (
                "apt = 'host'\npackages = ['../x']",
                "`../x` in `packages` is not a name that an archive can have",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), message, "{text}");
        }
        for text in ["variant = 'apt'", "apt = 'host'\ndebian = 'bookworm'"] {
            assert_eq!(parse(text).unwrap_err(), SettingsError::Origin.to_string());
        }
    }

    #[test]
    fn deserialises_inside_a_project_file() {
        let text = "[base.a]\nubuntu = 'noble'\nrecommends = true";
        let file: std::collections::BTreeMap<String, std::collections::BTreeMap<String, BaseSettings>> =
            toml::from_str(text).unwrap();
        assert_eq!(file["base"]["a"].origin, Origin::Ubuntu("noble".into()));
        assert!(file["base"]["a"].recommends);
    }
}
