//! What the store is asked by key, and so may forget: results, memos and path-set slots, with what each of them keeps alive.

use rustix::fs::Stat;
use wharf_oci::Digest;

use crate::{
    error::StoreError,
    layout::{self, MEMO, RESULTS, SLOTS},
    memo::Memo,
    result::{ActionKey, ActionResult},
    root::Root,
    store::Store,
};

/// One of them.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) place: String,
    pub(crate) stat: Stat,
    /// The key, if this is a result.
    pub(crate) result: Option<ActionKey>,
    /// What it names; `None` for one that is damaged.
    pub(crate) roots: Option<Vec<Root>>,
}

impl Store {
    /// All entries there are, in no order.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        for directory in [RESULTS, MEMO, SLOTS] {
            for name in self.disk().list(directory)? {
                let place = layout::file(directory, &name);
                let Some(stat) = self.disk().stat(&place)? else {
                    continue;
                };
                let result = (directory == RESULTS)
                    .then(|| Digest::from_hex(&name).ok().map(ActionKey))
                    .flatten();
                let roots = self.roots_in(directory, &place)?;
                entries.push(Entry {
                    place,
                    stat,
                    result,
                    roots,
                });
            }
        }
        Ok(entries)
    }

    fn roots_in(&self, directory: &str, place: &str) -> Result<Option<Vec<Root>>, StoreError> {
        Ok(match directory {
            RESULTS => self
                .read_record::<ActionResult>(place)?
                .map(|result| result.roots()),
            MEMO => self
                .read_record::<Memo<serde_json::Value>>(place)?
                .map(|memo| memo.roots),
            _ => self
                .read_record(place)?
                .map(|path_set| vec![Root::Paths(path_set)]),
        })
    }

    /// What the result under `key` names, if there is one.
    pub(crate) fn roots_of_result(&self, key: &ActionKey) -> Result<Vec<Root>, StoreError> {
        Ok(self
            .roots_in(RESULTS, &layout::object(RESULTS, &key.0))?
            .unwrap_or_default())
    }
}
