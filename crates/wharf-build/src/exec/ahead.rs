//! Reading ahead: a step that runs will most likely read what it read the last time it ran in its place. Those contents are brought
//! into the page cache beside it, so that it does not wait for the disk file by file.

use std::{
    cmp::Reverse,
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use wharf_graph::RunOp;
use wharf_oci::Digest;
use wharf_solver::Task;
use wharf_store::{ReadAhead, Store};
use wharf_tree::{
    Node, Tree,
    readset::{Kind, ReadSet},
};

use super::{Engine, StepFailure, StepOutput, traced::roots_of};

/// So many contents in memory already, the largest ones, mean that the others are there too.
const WARM: usize = 8;
/// More than this, in bytes, would push out what others need.
const MOST: u64 = 1 << 30;

/// Ends the reading when the step ends.
#[derive(Debug)]
pub(super) struct Ahead {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // One that panicked has read nothing ahead, which is all.
            let _ = thread.join();
        }
    }
}

impl Engine {
    /// Begins to read what the step read last time, as it is in its roots now. Nothing waits for it, and nothing fails by it.
    pub(super) fn read_ahead(
        &self,
        run: &RunOp,
        task: &Task<'_, StepOutput>,
    ) -> Result<Option<Ahead>, StepFailure> {
        let Some(last) = self.head(task.step)?.and_then(|result| result.read_set) else {
            return Ok(None);
        };
        let roots = roots_of(run, task.inputs).map(|output| self.roots.tree(&output.root));
        let roots: Vec<Arc<Tree>> = roots.collect::<Result<_, _>>()?;
        let ended = Arc::new(AtomicBool::new(false));
        let (store, stop) = (self.store.clone(), Arc::clone(&ended));
        let thread = thread::Builder::new()
            .name("read ahead".to_owned())
            .spawn(move || bring(&store, &last, &roots, &stop))
            .ok();
        Ok(Some(Ahead { ended, thread }))
    }
}

fn bring(store: &Store, last: &Digest, roots: &[Arc<Tree>], stop: &AtomicBool) {
    let Ok(Some(bytes)) = store.path_set(last) else {
        return;
    };
    let Ok(reads) = ReadSet::from_bytes(&bytes) else {
        return;
    };
    let mut warm = 0;
    for digest in contents(&reads, roots) {
        if stop.load(Ordering::Relaxed) || warm == WARM {
            return;
        }
        match store.read_ahead(&digest) {
            ReadAhead::InMemory => warm += 1,
            ReadAhead::Begun | ReadAhead::NotHere => {}
        }
    }
}

/// The contents at the places whose contents were asked for, the largest first, each once.
fn contents(reads: &ReadSet, roots: &[Arc<Tree>]) -> Vec<Digest> {
    let mut found = BTreeSet::new();
    for (place, told) in reads.places() {
        let entry = roots
            .get(usize::from(place.root))
            .and_then(|tree| tree.get(&place.path));
        if let Some(Node::File { digest, size }) = entry.map(|entry| &entry.node)
            && told.get(&Kind::Content).is_some()
        {
            found.insert((Reverse(*size), *digest));
        }
    }
    let mut left = MOST;
    let fits = |(Reverse(size), _): &(Reverse<u64>, Digest)| {
        let fits = *size <= left;
        left -= if fits { *size } else { 0 };
        fits
    };
    found.into_iter().filter(fits).map(|(_, digest)| digest).collect()
}

#[cfg(test)]
mod tests {
    use wharf_tree::{
        Attrs, Entry, Mtime, TreeBuilder, TreePath,
        readset::{PathSet, Place},
    };

    use super::*;

    #[test]
    fn the_largest_contents_that_were_read_come_first() {
        let mut builder = TreeBuilder::new();
        for (name, size) in [("small", 1), ("large", 5), ("unread", 9), ("huge", MOST)] {
            let digest = Digest::of(name.as_bytes());
            let node = Node::File { digest, size };
            let entry = Entry {
                attrs: Attrs::root(0o644),
                mtime: Mtime::default(),
                node,
            };
            builder
                .insert(&TreePath::new(name.as_bytes()).unwrap(), entry)
                .unwrap();
        }
        let tree = Arc::new(builder.finish());
        let mut asked = PathSet::default();
        for (name, kind) in [
            ("small", Kind::Content),
            ("large", Kind::Content),
            ("huge", Kind::Content),
            ("unread", Kind::Stat),
        ] {
            let path = TreePath::new(name.as_bytes()).unwrap();
            asked.ask(Place { root: 0, path }, kind);
        }
        let reads = asked.answer(&[&tree]);
        let names = ["huge", "large", "small"].map(|name| Digest::of(name.as_bytes()));
        assert_eq!(contents(&reads, &[Arc::clone(&tree)]), names[..1]);
        assert_eq!(contents(&reads, &[]), []);
    }
}
