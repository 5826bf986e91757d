//! Writing a tree out as plain files: here, or inside the user namespace that may give files to their owners.
//!
//! An ordinary user cannot make files of subordinate ids; root of its user namespace can. There the program runs itself again
//! as [`CHECKOUT_ENTRY`]: the tree travels as files of the scratch directory, contents come straight from the store.

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::{Deserialize, Serialize};
use wharf_rootfs::{CheckoutError, CheckoutOptions, Markers, Owners};
use wharf_sandbox::{Entry, Identity, Sandbox, SandboxError};
use wharf_store::{BootId, Store, StoreError, StoreOptions};
use wharf_tree::Tree;

use super::commit::{CommitJobError, answer, chain, read, write};

/// What [`wharf_sandbox::init_if_asked_with`] has to know, so that checkouts can run inside user namespaces.
pub(super) const CHECKOUT_ENTRY: Entry = Entry {
    name: "checkout",
    run: run_entry,
};

/// A tree to be written out.
#[derive(Debug)]
pub(super) struct CheckoutJob<'a> {
    /// The tree.
    pub tree: &'a Tree,
    /// Where; it must not exist.
    pub dir: &'a Path,
    /// The overlay that will be mounted on it, if any.
    pub markers: Option<Markers>,
    /// Whose files are whose, seen from here.
    pub owners: Owners,
    /// How many threads copy.
    pub threads: usize,
}

/// A tree could not be written out.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutJobError {
    /// A file cannot be made.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
    /// No scratch directory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The helper process cannot be started.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A file by which the two processes talk cannot be used.
    #[error(transparent)]
    Exchange(#[from] CommitJobError),
    /// The helper process failed.
    #[error("cannot write the files of the step: {0}")]
    Inside(String),
}

impl CheckoutJob<'_> {
    /// Writes the tree out where it may be done.
    pub(super) fn run(&self, sandbox: &Sandbox, store: &Store) -> Result<(), CheckoutJobError> {
        match sandbox.identity() {
            Identity::Subordinate(_) => self.run_inside(sandbox, store),
            Identity::Root | Identity::OneId(_) => Ok(self.run_here(store)?),
        }
    }

    fn run_here(&self, store: &Store) -> Result<(), CheckoutError> {
        let options = CheckoutOptions {
            owners: self.owners.clone(),
            markers: self.markers,
            threads: self.threads,
        };
        wharf_rootfs::checkout(self.tree, self.dir, store, &options).map(drop)
    }

    fn run_inside(&self, sandbox: &Sandbox, store: &Store) -> Result<(), CheckoutJobError> {
        let exchange = store.work_dir()?;
        write(&exchange.path().join("tree.pack"), &self.tree.to_pack())?;
        write(&exchange.path().join("tree.times"), &self.tree.times().1)?;
        let request = Request {
            store: store.path().to_owned(),
            boot: store.boot().map(|boot| boot.0.clone()),
            dir: self.dir.to_owned(),
            overlay: self.markers.is_some(),
            exchange: exchange.path().to_owned(),
            threads: self.threads,
        };
        let input = serde_json::to_vec(&request).expect("paths of a store are UTF-8 or escaped");
        let (exit, said) = sandbox.inside(CHECKOUT_ENTRY.name, &input)?;
        if exit.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&said);
        Err(CheckoutJobError::Inside(said.trim().to_owned()))
    }
}

#[derive(Serialize, Deserialize)]
struct Request {
    store: PathBuf,
    boot: Option<String>,
    dir: PathBuf,
    overlay: bool,
    exchange: PathBuf,
    threads: usize,
}

fn run_entry(input: &mut dyn Read, output: &mut dyn Write) -> ExitCode {
    answer(serve_request(input), output)
}

fn serve_request(input: &mut dyn Read) -> Result<(), String> {
    let request: Request = serde_json::from_reader(input).map_err(chain)?;
    let store = Store::open(
        &request.store,
        StoreOptions {
            boot: request.boot.clone().map(BootId),
            ..StoreOptions::default()
        },
    )
    .map_err(chain)?;
    let file = |name: &str| read(&request.exchange.join(name)).map_err(chain);
    let mut tree = Tree::from_pack(&file("tree.pack")?).map_err(chain)?;
    tree.apply_times(&file("tree.times")?).map_err(chain)?;
    let job = CheckoutJob {
        tree: &tree,
        dir: &request.dir,
        markers: request.overlay.then_some(Markers::User),
        owners: Owners::Same,
        threads: request.threads,
    };
    job.run_here(&store).map_err(chain)
}
