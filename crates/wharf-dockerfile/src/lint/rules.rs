//! The rules as a table: what grows here is a row.

/// Which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum RuleId {
    StageNameCasing,
    FromAsCasing,
    NoEmptyContinuation,
    ConsistentInstructionCasing,
    DuplicateStageName,
    ReservedStageName,
    JSONArgsRecommended,
    MaintainerDeprecated,
    UndefinedArgInFrom,
    WorkdirRelativePath,
    UndefinedVar,
    MultipleInstructionsDisallowed,
    LegacyKeyValueFormat,
    InvalidBaseImagePlatform,
    RedundantTargetPlatform,
    SecretsUsedInArgOrEnv,
    InvalidDefaultArgInFrom,
    FromPlatformFlagConstDisallowed,
    CopyIgnoredFile,
    InvalidDefinitionDescription,
    ExposeProtoCasing,
    ExposeInvalidFormat,
}

/// A rule as people know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which one.
    pub id: RuleId,
    /// The name by which `# check=skip=` knows it.
    pub name: &'static str,
    /// What it wants.
    pub description: &'static str,
    /// Whether it must be asked for.
    pub experimental: bool,
}

impl RuleId {
    /// The rule.
    pub fn rule(self) -> &'static Rule {
        &RULES[self as usize]
    }
}

impl Rule {
    /// The reference's page about it. One rule has none.
    pub fn url(&self) -> Option<String> {
        if self.id == RuleId::InvalidBaseImagePlatform {
            return None;
        }
        let mut page = String::new();
        for (index, letter) in self.name.char_indices() {
            let after = &self.name[index + letter.len_utf8()..];
            // A capital begins a word, but for those within an abbreviation.
            let before_small = after.starts_with(|next: char| next.is_ascii_lowercase());
            if index > 0 && letter.is_ascii_uppercase() && before_small {
                page.push('-');
            }
            page.push(letter.to_ascii_lowercase());
        }
        Some(format!("https://docs.docker.com/go/dockerfile/rule/{page}/"))
    }
}

const fn rule(id: RuleId, name: &'static str, description: &'static str) -> Rule {
    Rule {
        id,
        name,
        description,
        experimental: false,
    }
}

/// All rules, in the order of [`RuleId`]. Names and descriptions are those of BuildKit's `linter/ruleset.go`.
pub const RULES: [Rule; 22] = [
    rule(
        RuleId::StageNameCasing,
        "StageNameCasing",
        "Stage names should be lowercase",
    ),
    rule(
        RuleId::FromAsCasing,
        "FromAsCasing",
        "The 'as' keyword should match the case of the 'from' keyword",
    ),
    rule(
        RuleId::NoEmptyContinuation,
        "NoEmptyContinuation",
        "Empty continuation lines will become errors in a future release",
    ),
    rule(
        RuleId::ConsistentInstructionCasing,
        "ConsistentInstructionCasing",
        "All commands within the Dockerfile should use the same casing (either upper or lower)",
    ),
    rule(
        RuleId::DuplicateStageName,
        "DuplicateStageName",
        "Stage names should be unique",
    ),
    rule(
        RuleId::ReservedStageName,
        "ReservedStageName",
        "Reserved words should not be used as stage names",
    ),
    rule(
        RuleId::JSONArgsRecommended,
        "JSONArgsRecommended",
        "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
    ),
    rule(
        RuleId::MaintainerDeprecated,
        "MaintainerDeprecated",
        "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
    ),
    rule(
        RuleId::UndefinedArgInFrom,
        "UndefinedArgInFrom",
        "FROM command must use declared ARGs",
    ),
    rule(
        RuleId::WorkdirRelativePath,
        "WorkdirRelativePath",
        "Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes",
    ),
    rule(
        RuleId::UndefinedVar,
        "UndefinedVar",
        "Variables should be defined before their use",
    ),
    rule(
        RuleId::MultipleInstructionsDisallowed,
        "MultipleInstructionsDisallowed",
        "Multiple instructions of the same type should not be used in the same stage",
    ),
    rule(
        RuleId::LegacyKeyValueFormat,
        "LegacyKeyValueFormat",
        "Legacy key/value format with whitespace separator should not be used",
    ),
    rule(
        RuleId::InvalidBaseImagePlatform,
        "InvalidBaseImagePlatform",
        "Base image platform does not match expected target platform",
    ),
    rule(
        RuleId::RedundantTargetPlatform,
        "RedundantTargetPlatform",
        "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
    ),
    rule(
        RuleId::SecretsUsedInArgOrEnv,
        "SecretsUsedInArgOrEnv",
        "Sensitive data should not be used in the ARG or ENV commands",
    ),
    rule(
        RuleId::InvalidDefaultArgInFrom,
        "InvalidDefaultArgInFrom",
        "Default value for global ARG results in an empty or invalid base image name",
    ),
    rule(
        RuleId::FromPlatformFlagConstDisallowed,
        "FromPlatformFlagConstDisallowed",
        "FROM --platform flag should not use a constant value",
    ),
    rule(
        RuleId::CopyIgnoredFile,
        "CopyIgnoredFile",
        "Attempting to Copy file that is excluded by .dockerignore",
    ),
    Rule {
        id: RuleId::InvalidDefinitionDescription,
        name: "InvalidDefinitionDescription",
        description: "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.",
        experimental: true,
    },
    rule(
        RuleId::ExposeProtoCasing,
        "ExposeProtoCasing",
        "Protocol in EXPOSE instruction should be lowercase",
    ),
    rule(
        RuleId::ExposeInvalidFormat,
        "ExposeInvalidFormat",
        "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_the_names_in_small_letters() {
        let page = |id: RuleId| id.rule().url().unwrap_or_default();
        assert!(page(RuleId::JSONArgsRecommended).ends_with("/rule/json-args-recommended/"));
        assert!(page(RuleId::CopyIgnoredFile).ends_with("/rule/copy-ignored-file/"));
        assert!(page(RuleId::SecretsUsedInArgOrEnv).ends_with("/rule/secrets-used-in-arg-or-env/"));
        assert_eq!(page(RuleId::InvalidBaseImagePlatform), "");
    }

    #[test]
    fn the_table_is_in_the_order_of_the_rules() {
        for (index, rule) in RULES.iter().enumerate() {
            assert_eq!(rule.id as usize, index);
            assert_eq!(format!("{:?}", rule.id), rule.name);
        }
    }
}
