//! A `--mount` as written to the mount that it is, once its values can be expanded.

use super::{Mount, MountField, MountFlag, MountKind, Sharing};
use crate::expand::ExpandError;
use crate::numbers::{parse_bool, parse_byte_size, parse_id, parse_mode};
use crate::source::Span;
use crate::suggest::{Case, nearest};
use crate::word::Word;

/// Every key there is; the order is that in which a suggestion is looked for.
const KEYS: [&str; 19] = [
    "type",
    "from",
    "source",
    "target",
    "readonly",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "src",
    "dst",
    "destination",
    "ro",
    "rw",
    "readwrite",
    "env",
];

/// Why a mount makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum MountError {
    #[error("unsupported mount type {value:?}")]
    UnknownKind {
        value: String,
        suggestion: Option<String>,
    },
    #[error("unsupported sharing value {value:?}")]
    UnknownSharing {
        value: String,
        suggestion: Option<String>,
    },
    #[error("unexpected key '{key}' in '{field}'")]
    UnknownKey {
        key: String,
        field: String,
        suggestion: Option<String>,
    },
    #[error("invalid field '{0}' must be a key=value pair")]
    MissingValue(String),
    #[error("unexpected key '{key}' for mount type '{}'", kind.name())]
    KeyOfOtherKind { key: String, kind: MountKind },
    #[error("invalid value for {key}: {value}")]
    InvalidValue { key: String, value: String },
    #[error("{key} not allowed for \"{}\" type mounts", kind.name())]
    OwnerOfOtherKind { key: &'static str, kind: MountKind },
    #[error("secret mount should not have a from")]
    SecretFrom,
    #[error("secret mount should not define sharing")]
    SecretSharing,
    #[error("invalid secret mount. one of source, target required")]
    SecretWithoutName,
    #[error("both source and id can't be set")]
    SourceAndId,
    #[error("invalid cache sharing set for {} mount", .0.name())]
    SharingOfOtherKind(MountKind),
    #[error(transparent)]
    Expand(#[from] ExpandError),
}

impl MountError {
    /// What was probably meant.
    pub fn suggestion(&self) -> Option<&str> {
        match self {
            Self::UnknownKind { suggestion, .. }
            | Self::UnknownSharing { suggestion, .. }
            | Self::UnknownKey { suggestion, .. } => suggestion.as_deref(),
            _ => None,
        }
    }
}

/// Expands one value.
pub type Expander<'a> = dyn FnMut(&str) -> Result<String, ExpandError> + 'a;

impl MountFlag {
    /// The mount that this is once `expand` has expanded its values. The error comes with the place it is about. Keys are
    /// taken in order, so `type` must stand before the keys that need it, as in the reference implementation.
    pub fn resolve(&self, expand: &mut Expander<'_>) -> Result<Mount, (Span, MountError)> {
        let mut draft = Draft::default();
        for field in &self.fields {
            draft.take(field, expand).map_err(|error| (field.span, error))?;
        }
        draft.finish().map_err(|error| (self.span, error))
    }

    /// The stage, image or context that it mounts from: `from` is the one key that is known before expansion.
    pub fn from(&self) -> Option<&Word> {
        let last = self.fields.iter().rev().find(|field| field.key == "from")?;
        last.value.as_ref().filter(|value| !value.is_empty())
    }
}

/// A mount whose keys are still being read.
#[derive(Default)]
struct Draft {
    mount: Mount,
    /// What `ro` or `rw` said.
    read_only: Option<bool>,
}

impl Draft {
    fn take(&mut self, field: &MountField, expand: &mut Expander<'_>) -> Result<(), MountError> {
        match &field.value {
            None => self.take_bare(field),
            Some(value) => {
                let value = expand(value.as_str())?;
                self.take_value(field, value)
            }
        }
    }

    fn take_bare(&mut self, field: &MountField) -> Result<(), MountError> {
        match field.key.as_str() {
            "readonly" | "ro" => self.read_only = Some(true),
            "readwrite" | "rw" => self.read_only = Some(false),
            "required" => {
                self.only_for(field, &[MountKind::Secret, MountKind::Ssh])?;
                self.mount.required = true;
            }
            _ => return Err(MountError::MissingValue(field.written.clone())),
        }
        Ok(())
    }

    fn take_value(&mut self, field: &MountField, value: String) -> Result<(), MountError> {
        let invalid = |value: &str| MountError::InvalidValue {
            key: field.key.clone(),
            value: value.to_owned(),
        };
        let boolean = |value: &str| parse_bool(value).ok_or_else(|| invalid(value));
        let id = |value: &str| parse_id(value).map(Some).ok_or_else(|| invalid(value));
        let mount = &mut self.mount;
        match field.key.as_str() {
            "type" => mount.kind = kind(&value)?,
            "from" => mount.from = given(value),
            "source" | "src" => mount.source = given(value),
            "target" | "dst" | "destination" => mount.target = given(value),
            "readonly" | "ro" => self.read_only = Some(boolean(&value)?),
            "readwrite" | "rw" => self.read_only = Some(!boolean(&value)?),
            "required" => {
                self.only_for(field, &[MountKind::Secret, MountKind::Ssh])?;
                self.mount.required = boolean(&value)?;
            }
            "size" => {
                self.only_for(field, &[MountKind::Tmpfs])?;
                self.mount.size = parse_byte_size(&value).ok_or_else(|| invalid(&value))?;
            }
            "id" => mount.id = given(value),
            "sharing" => mount.sharing = Some(sharing(&value)?),
            "mode" => mount.mode = Some(parse_mode(&value).ok_or_else(|| invalid(&value))?),
            "uid" => mount.uid = id(&value)?,
            "gid" => mount.gid = id(&value)?,
            "env" => mount.env = Some(value),
            key => {
                return Err(MountError::UnknownKey {
                    key: key.to_owned(),
                    field: field.written.clone(),
                    suggestion: nearest(key, KEYS, Case::Significant),
                });
            }
        }
        Ok(())
    }

    fn only_for(&self, field: &MountField, kinds: &[MountKind]) -> Result<(), MountError> {
        let kind = self.mount.kind;
        if kinds.contains(&kind) {
            return Ok(());
        }
        Err(MountError::KeyOfOtherKind {
            key: field.key.clone(),
            kind,
        })
    }

    fn finish(self) -> Result<Mount, MountError> {
        let mut mount = self.mount;
        check_owner(&mount)?;
        mount.read_only = self
            .read_only
            .unwrap_or(!matches!(mount.kind, MountKind::Cache | MountKind::Tmpfs));
        if mount.kind == MountKind::Secret {
            check_secret(&mount)?;
        }
        if mount.sharing.is_some() && mount.kind != MountKind::Cache {
            return Err(MountError::SharingOfOtherKind(mount.kind));
        }
        Ok(mount)
    }
}

/// Mode and owner make sense only for what the mount itself creates.
fn check_owner(mount: &Mount) -> Result<(), MountError> {
    let kind = mount.kind;
    if matches!(kind, MountKind::Secret | MountKind::Ssh | MountKind::Cache) {
        return Ok(());
    }
    let keys = [
        ("mode", mount.mode.is_some()),
        ("uid", mount.uid.is_some()),
        ("gid", mount.gid.is_some()),
    ];
    match keys.into_iter().find(|(_, given)| *given) {
        Some((key, _)) => Err(MountError::OwnerOfOtherKind { key, kind }),
        None => Ok(()),
    }
}

fn check_secret(mount: &Mount) -> Result<(), MountError> {
    if mount.from.is_some() {
        return Err(MountError::SecretFrom);
    }
    if mount.sharing.is_some() {
        return Err(MountError::SecretSharing);
    }
    match (&mount.source, &mount.id, &mount.target) {
        (None, None, None) => Err(MountError::SecretWithoutName),
        (Some(_), Some(_), _) => Err(MountError::SourceAndId),
        _ => Ok(()),
    }
}

fn given(value: String) -> Option<String> {
    (!value.is_empty()).then_some(value)
}

fn kind(value: &str) -> Result<MountKind, MountError> {
    named(&MountKind::NAMES, value).map_err(|suggestion| MountError::UnknownKind {
        value: value.to_owned(),
        suggestion,
    })
}

fn sharing(value: &str) -> Result<Sharing, MountError> {
    named(&Sharing::NAMES, value).map_err(|suggestion| MountError::UnknownSharing {
        value: value.to_owned(),
        suggestion,
    })
}

/// The entry of a table of names, in any case; else a suggestion.
fn named<T: Copy>(names: &[(&str, T)], value: &str) -> Result<T, Option<String>> {
    match names.iter().find(|(name, _)| *name == value.to_lowercase()) {
        Some((_, entry)) => Ok(*entry),
        None => Err(nearest(
            value,
            names.iter().map(|(name, _)| *name),
            Case::Significant,
        )),
    }
}
