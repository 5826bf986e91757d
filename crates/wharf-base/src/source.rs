//! The seam between making a base and one distribution's way of packing, unpacking and configuring.

use std::fs::File;

use serde::{Serialize, de::DeserializeOwned};
use wharf_graph::RunOp;
use wharf_store::{Root, Store};
use wharf_tree::{Layer, Tree};

use crate::{
    error::BaseError,
    plan::{Base, Package},
    resolution::Resolution,
};

/// One package manager's formats: Debian's now; others follow.
pub(crate) trait PackageFormat: Send + Sync + 'static {
    /// What the store remembers of a package file that was unpacked.
    type Unpacked: Serialize + DeserializeOwned + Send + 'static;

    /// Names the format of [`Self::Unpacked`] in the store.
    const MEMO: &'static str;

    /// Unpacks a package file, verified before, into the store. Gives what to remember, and what it refers to.
    fn unpack(package: &Package, file: File, store: &Store)
    -> Result<(Self::Unpacked, Vec<Root>), BaseError>;

    /// Merges unpacked packages, in the resolution's order, and writes the package manager's database.
    fn assemble(
        resolution: &Resolution,
        unpacked: &[Self::Unpacked],
        store: &Store,
    ) -> Result<Assembly, BaseError>;

    /// The root on which an assembly that lacks programs is configured: its own files over those of a configured helper.
    fn over_helper(assembly: &Assembly, helper: &Base, store: &Store) -> Result<HelpedRoot, BaseError>;

    /// The base's second layer, made of what the configure step wrote.
    fn finish(
        resolution: &Resolution,
        assembly: &Assembly,
        helped: Option<&HelpedRoot>,
        upper: &Layer,
        store: &Store,
    ) -> Result<Layer, BaseError>;
}

/// Packages merged.
pub(crate) struct Assembly {
    /// In the order in which they are unpacked: positions in the resolution.
    pub(crate) order: Vec<usize>,
    /// The packages' files.
    pub(crate) unpacked: Tree,
    /// The database and what else is written besides packages, over [`Assembly::unpacked`].
    pub(crate) database: Layer,
    /// Both.
    pub(crate) base: Tree,
    /// What runs the scripts; `None` when there is none.
    pub(crate) run: Option<RunOp>,
    /// Whether the base can run that by itself.
    pub(crate) self_sufficient: bool,
}

/// An assembly over a helper.
pub(crate) struct HelpedRoot {
    /// What of the helper is shown.
    pub(crate) helper: Tree,
    /// The database of both.
    pub(crate) database: Layer,
    /// Helper, packages, database.
    pub(crate) root: Tree,
}
