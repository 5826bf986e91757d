//! The kinds of questions, and a set of them about one path.

use std::collections::BTreeSet;

/// What can be asked about a path. The order is that of the encoding's bits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Was looked up and is not there.
    Absent,
    /// Was looked up and is there: type, mode, owner, device number, and whether a file is empty.
    Present,
    /// All extended attributes.
    Xattrs,
    /// The extended attribute of this name.
    Xattr(Vec<u8>),
    /// Size and hard links.
    Stat,
    /// A symbolic link's target.
    Target,
    /// A directory's names and their types.
    Listing,
    /// A regular file's content.
    Content,
}

impl Kind {
    /// Those without a name of their own, in order.
    pub const PLAIN: [Self; 7] = [
        Self::Absent,
        Self::Present,
        Self::Xattrs,
        Self::Stat,
        Self::Target,
        Self::Listing,
        Self::Content,
    ];

    pub(super) const fn bit(&self) -> u8 {
        match self {
            Self::Absent => 1,
            Self::Present => 1 << 1,
            Self::Xattrs => 1 << 2,
            Self::Xattr(_) => 1 << 3,
            Self::Stat => 1 << 4,
            Self::Target => 1 << 5,
            Self::Listing => 1 << 6,
            Self::Content => 1 << 7,
        }
    }
}

/// What was asked of one path. To ask for all extended attributes is to ask for each of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    bits: u8,
    /// Of single extended attributes.
    #[allow(
        clippy::box_collection,
        reason = "seldom there is one, and there may be a million of these sets"
    )]
    names: Option<Box<BTreeSet<Vec<u8>>>>,
}

impl Asked {
    /// Adds a question.
    pub fn add(&mut self, kind: Kind) {
        let all = self.bits & Kind::Xattrs.bit() != 0;
        match kind {
            Kind::Xattr(_) if all => return,
            Kind::Xattrs => {
                self.names = None;
                self.bits &= !Kind::Xattr(Vec::new()).bit();
            }
            _ => {}
        }
        self.bits |= kind.bit();
        if let Kind::Xattr(name) = kind {
            self.names.get_or_insert_default().insert(name);
        }
    }

    /// Adds all of another's questions.
    pub fn merge(&mut self, other: &Self) {
        for kind in other.kinds() {
            self.add(kind);
        }
    }

    /// Whether this was asked, as such or as part of all extended attributes.
    pub fn has(&self, kind: &Kind) -> bool {
        match kind {
            Kind::Xattr(name) => self.has(&Kind::Xattrs) || self.names().any(|asked| asked == name),
            _ => self.bits & kind.bit() != 0,
        }
    }

    /// The questions, in order.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        let before = Kind::PLAIN[..3].iter().filter(|kind| self.has(kind)).cloned();
        let names = self.names().cloned().map(Kind::Xattr);
        let after = Kind::PLAIN[3..].iter().filter(|kind| self.has(kind)).cloned();
        before.chain(names).chain(after)
    }

    pub(super) const fn bits(&self) -> u8 {
        self.bits
    }

    /// The names of single extended attributes, sorted.
    pub(super) fn names(&self) -> impl ExactSizeIterator<Item = &Vec<u8>> {
        const NONE: &BTreeSet<Vec<u8>> = &BTreeSet::new();
        self.names.as_deref().unwrap_or(NONE).iter()
    }

    pub(super) fn from_parts(bits: u8, names: BTreeSet<Vec<u8>>) -> Self {
        Self {
            bits,
            names: (!names.is_empty()).then(|| Box::new(names)),
        }
    }
}

impl FromIterator<Kind> for Asked {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        let mut asked = Self::default();
        for kind in kinds {
            asked.add(kind);
        }
        asked
    }
}
