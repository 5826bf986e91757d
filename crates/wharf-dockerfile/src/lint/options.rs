//! What a check may know besides the text.

use std::collections::BTreeMap;

use wharf_oci::Platform;

use super::config::CheckConfig;
use crate::patterns::PatternMatcher;

/// What may vary.
pub struct LintOptions<'a> {
    /// Takes the place of the file's `# check=` directive.
    pub config: Option<CheckConfig>,
    /// `--build-arg`.
    pub build_args: BTreeMap<String, String>,
    /// The number of the target stage: only the stages that it needs are checked for values. Without one, all are.
    pub target: Option<usize>,
    /// Where the build runs.
    pub build_platform: Platform,
    /// What it is for.
    pub target_platform: Platform,
    /// `.dockerignore`.
    pub ignored: Option<&'a PatternMatcher>,
    /// What is known of a base (image, wharf base or named context) for a platform. `None`: nothing, so that variables which
    /// it may define are not reported.
    pub base: &'a dyn Fn(&str, &Platform) -> Option<BaseImage>,
}

impl Default for LintOptions<'_> {
    fn default() -> Self {
        Self {
            config: None,
            build_args: BTreeMap::new(),
            target: None,
            build_platform: Platform::host(),
            target_platform: Platform::host(),
            ignored: None,
            base: &|_, _| None,
        }
    }
}

/// What the rules want to know of an image's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseImage {
    /// Its variables in order.
    pub env: Vec<(String, String)>,
    /// Whether it sets a shell.
    pub has_shell: bool,
    /// Its triggers.
    pub onbuild: Vec<String>,
    /// What it is for.
    pub platform: Option<Platform>,
}
