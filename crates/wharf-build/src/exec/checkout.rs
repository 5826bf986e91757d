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
use wharf_sandbox::{Entry, Identity, Sandbox};
use wharf_store::{Store, StoreError};
use wharf_tree::Tree;

use super::exchange::{ExchangeError, StoreAddress, ask, chain, leave_tree, raw_path, serve, take_tree};

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
    /// The process inside the user namespace could not do it.
    #[error("cannot write the files of the step")]
    Exchange(#[from] ExchangeError),
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
        leave_tree(exchange.path(), self.tree)?;
        let request = Request {
            store: StoreAddress::of(store),
            dir: self.dir.to_owned(),
            overlay: self.markers.is_some(),
            exchange: exchange.path().to_owned(),
            threads: self.threads,
        };
        Ok(ask(sandbox, &CHECKOUT_ENTRY, &request)?)
    }
}

#[derive(Serialize, Deserialize)]
struct Request {
    store: StoreAddress,
    #[serde(with = "raw_path")]
    dir: PathBuf,
    overlay: bool,
    #[serde(with = "raw_path")]
    exchange: PathBuf,
    threads: usize,
}

fn run_entry(input: &mut dyn Read, output: &mut dyn Write) -> ExitCode {
    serve(input, output, check_out_here)
}

fn check_out_here(request: &Request) -> Result<(), String> {
    let store = request.store.open()?;
    let tree = take_tree(&request.exchange).map_err(chain)?;
    let job = CheckoutJob {
        tree: &tree,
        dir: &request.dir,
        markers: request.overlay.then_some(Markers::User),
        owners: Owners::Same,
        threads: request.threads,
    };
    job.run_here(&store).map_err(chain)
}
