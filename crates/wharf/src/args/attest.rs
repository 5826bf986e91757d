//! `--attest`, `--sbom` and `--provenance`: what is attached to the result.

use std::collections::BTreeSet;

use wharf_build::request::{Attestations, ProvenanceMode, ProvenanceSettings, SlsaVersion};

use super::{
    UsageError,
    build::BuildArgs,
    fields::{self, Field},
};

/// Build arguments that ask for attestations, as BuildKit's frontend takes them.
const BUILD_ARG: &str = "BUILDKIT_ATTEST_";

/// What was asked for. Of a type that is named twice the first counts, and `--attest` before the others, as in buildx.
pub(crate) fn attestations(args: &BuildArgs) -> Result<Attestations, UsageError> {
    let mut asked = Asked::default();
    for (name, value) in args.build_arg.iter().filter_map(|text| text.split_once('=')) {
        if let Some(kind) = name.strip_prefix(BUILD_ARG) {
            asked.add(
                "--build-arg",
                value,
                &kind.to_lowercase(),
                fields_of("--build-arg", value)?,
            )?;
        }
    }
    // What the flags say comes after what the build arguments say.
    asked.seen.clear();
    for text in &args.attest {
        asked.typed("--attest", text)?;
    }
    for (flag, kind, value) in [
        ("--provenance", "provenance", &args.provenance),
        ("--sbom", "sbom", &args.sbom),
    ] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            asked.shorthand(flag, kind, value)?;
        }
    }
    Ok(asked.attestations)
}

#[derive(Default)]
struct Asked {
    attestations: Attestations,
    seen: BTreeSet<String>,
}

impl Asked {
    /// `type=sbom,…`
    fn typed(&mut self, flag: &'static str, text: &str) -> Result<(), UsageError> {
        let fields = fields_of(flag, text)?;
        let kind = fields.iter().find(|field| field.key == "type");
        let kind = kind.and_then(|field| field.value.clone());
        let kind = kind.ok_or_else(|| UsageError::value(flag, text, "a type= field"))?;
        let rest = fields.into_iter().filter(|field| field.key != "type").collect();
        self.add(flag, text, &kind, rest)
    }

    /// `true`, `false`, or fields.
    fn shorthand(&mut self, flag: &'static str, kind: &str, value: &str) -> Result<(), UsageError> {
        let fields = match boolean(value) {
            Some(true) => Vec::new(),
            Some(false) => vec![Field {
                key: "disabled".to_owned(),
                value: Some("true".to_owned()),
            }],
            None => fields_of(flag, value)?,
        };
        self.add(flag, value, kind, fields)
    }

    fn add(
        &mut self,
        flag: &'static str,
        text: &str,
        kind: &str,
        fields: Vec<Field>,
    ) -> Result<(), UsageError> {
        let is_first = self.seen.insert(kind.to_owned());
        let reader = Reader { flag, text };
        let (disabled, fields) = reader.disabled(fields)?;
        match kind {
            "sbom" => {
                sbom(&reader, &fields)?;
                if is_first {
                    self.attestations.sbom = !disabled;
                }
            }
            "provenance" => {
                let settings = provenance(&reader, &fields)?;
                if is_first {
                    self.attestations.provenance = (!disabled).then_some(settings);
                }
            }
            _ => return Err(UsageError::value(flag, text, "type=sbom or type=provenance")),
        }
        Ok(())
    }
}

/// Where a value stands, for messages.
struct Reader<'a> {
    flag: &'static str,
    text: &'a str,
}

impl Reader<'_> {
    fn wanted(&self, wanted: &str) -> UsageError {
        UsageError::value(self.flag, self.text, wanted)
    }

    fn flag(&self, field: &Field) -> Result<bool, UsageError> {
        let value = field.value.as_deref().and_then(boolean);
        value.ok_or_else(|| self.wanted(&format!("true or false for {}", field.key)))
    }

    /// Takes `disabled=` out of the fields.
    fn disabled(&self, fields: Vec<Field>) -> Result<(bool, Vec<Field>), UsageError> {
        let (own, others): (Vec<_>, Vec<_>) = fields.into_iter().partition(|field| field.key == "disabled");
        let disabled = own.last().map(|field| self.flag(field)).transpose()?;
        Ok((disabled.unwrap_or_default(), others))
    }

    fn unknown(&self, field: &Field) -> UsageError {
        self.wanted(&format!("no field `{}`", field.key))
    }
}

/// wharf lists contents itself.
fn sbom(reader: &Reader<'_>, fields: &[Field]) -> Result<(), UsageError> {
    match fields.first() {
        None => Ok(()),
        Some(field) if field.key == "generator" => Err(UsageError::Refused {
            flag: format!("{} with generator=", reader.flag),
            why: "wharf lists the contents itself and runs no scanner image; leave generator out".to_owned(),
        }),
        Some(field) => Err(reader.unknown(field)),
    }
}

fn provenance(reader: &Reader<'_>, fields: &[Field]) -> Result<ProvenanceSettings, UsageError> {
    let mut settings = ProvenanceSettings::default();
    for field in fields {
        let value = field.value.as_deref().unwrap_or_default();
        match &field.key[..] {
            "mode" => {
                settings.mode = match value {
                    "min" => ProvenanceMode::Min,
                    "max" | "full" => ProvenanceMode::Max,
                    _ => return Err(reader.wanted("mode=min or mode=max")),
                }
            }
            "version" => {
                settings.version = match value {
                    "v1" => SlsaVersion::V1,
                    "v0.2" => SlsaVersion::V02,
                    _ => return Err(reader.wanted("version=v1 or version=v0.2")),
                }
            }
            "builder-id" => value.clone_into(&mut settings.builder_id),
            "reproducible" => settings.reproducible = reader.flag(field)?,
            "inline-only" => settings.inline_only = reader.flag(field)?,
            "complete-materials" => settings.complete_materials = reader.flag(field)?,
            "filename" => {
                let name = value.rsplit('/').next().unwrap_or_default();
                if name.is_empty() || matches!(name, "." | "..") {
                    return Err(reader.wanted("a file's name for filename"));
                }
                name.clone_into(&mut settings.file_name);
            }
            "capture-usage" if !reader.flag(field)? => {}
            "capture-usage" => {
                return Err(UsageError::Refused {
                    flag: format!("{} with capture-usage=true", reader.flag),
                    why: "the use of processor and memory is not recorded; leave it out".to_owned(),
                });
            }
            _ => return Err(reader.unknown(field)),
        }
    }
    Ok(settings)
}

fn fields_of(flag: &'static str, text: &str) -> Result<Vec<Field>, UsageError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    fields::parse(text).map_err(|error| UsageError::Fields(flag, error))
}

/// Go's `strconv.ParseBool`.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        build: BuildArgs,
    }

    fn asked(flags: &[&str]) -> Result<Attestations, UsageError> {
        let line = ["wharf"].iter().chain(flags);
        attestations(&Line::parse_from(line).build)
    }

    #[test]
    fn nothing_unless_asked_for() {
        assert_eq!(asked(&[]).unwrap(), Attestations::default());
        for flags in [
            &["--provenance=false", "--sbom=false"][..],
            &["--attest", "type=sbom,disabled=true"],
            &["--build-arg", "BUILDKIT_ATTEST_SBOM=", "--sbom=0"],
        ] {
            assert_eq!(asked(flags).unwrap(), Attestations::default(), "{flags:?}");
        }
    }

    #[test]
    fn spellings() {
        for flags in [
            &["--sbom"][..],
            &["--sbom=true"],
            &["--attest", "type=sbom"],
            &["--build-arg", "BUILDKIT_ATTEST_SBOM="],
        ] {
            assert!(asked(flags).unwrap().sbom, "{flags:?}");
        }
        for (flag, mode, version) in [
            ("--provenance", ProvenanceMode::Max, SlsaVersion::V1),
            ("--provenance=mode=min", ProvenanceMode::Min, SlsaVersion::V1),
            (
                "--attest=type=provenance,mode=full,version=v0.2",
                ProvenanceMode::Max,
                SlsaVersion::V02,
            ),
        ] {
            let settings = asked(&[flag]).unwrap().provenance.unwrap();
            assert_eq!((settings.mode, settings.version), (mode, version), "{flag}");
        }
        let flag =
            "--provenance=builder-id=https://ci.example/1,reproducible=true,inline-only=1,filename=a/p.json";
        let settings = asked(&[flag]).unwrap().provenance.unwrap();
        assert_eq!(
            (&settings.builder_id[..], &settings.file_name[..]),
            ("https://ci.example/1", "p.json")
        );
        assert!(settings.reproducible && settings.inline_only);
    }

    #[test]
    fn the_first_of_a_type_counts() {
        let flags = [
            "--provenance=mode=max",
            "--attest=type=provenance,mode=min",
            "--attest=type=provenance,disabled=true",
        ];
        let settings = asked(&flags).unwrap().provenance.unwrap();
        assert_eq!(settings.mode, ProvenanceMode::Min);
    }

    #[test]
    fn mistakes_are_named() {
        for (flags, expected) in [
            (&["--attest", "mode=max"][..], "a type= field"),
            (&["--attest", "type=vex"], "type=sbom or type=provenance"),
            (&["--sbom=generator=example.com/scanner"], "runs no scanner image"),
            (&["--provenance=mode=most"], "mode=min or mode=max"),
            (&["--provenance=version=2"], "version=v1 or version=v0.2"),
            (&["--provenance=colour=blue"], "no field `colour`"),
            (
                &["--provenance=reproducible=maybe"],
                "true or false for reproducible",
            ),
            (&["--provenance=capture-usage=true"], "not recorded"),
            (&["--provenance=filename=.."], "a file's name"),
        ] {
            let error = asked(flags).unwrap_err().to_string();
            assert!(error.contains(expected), "{flags:?}: {error}");
        }
    }
}
