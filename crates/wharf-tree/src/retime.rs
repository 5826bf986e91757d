//! Giving entries of a layer other modification times. Digests stay as they are.

use std::sync::Arc;

use crate::{
    entry::{Entry, Mtime, Node},
    links::HardLinks,
    path::TreePath,
    tree::Layer,
};

impl Layer {
    /// This layer with the times of `earlier`, another result of the same work, for every entry that both have alike: type, attributes,
    /// content, target.
    ///
    /// Files that remember the time of another (bytecode, make's targets) stay true when the other is copied once more from a
    /// checkout that has new times.
    #[must_use]
    pub fn with_times_of(mut self, earlier: &Self) -> Self {
        take_times(&mut self.root, &earlier.root);
        self.one_time_a_file();
        self
    }

    /// This layer with new times of single files. A file that has several names gets the time under all of them; a path that
    /// is not there is passed over.
    #[must_use]
    pub fn with_times(mut self, times: &[(TreePath, Mtime)]) -> Self {
        for (path, mtime) in times {
            let group = self.links.0.iter().find(|group| group.contains(path));
            for name in group.cloned().unwrap_or_else(|| vec![path.clone()]) {
                set(&mut self.root, &name, *mtime);
            }
        }
        self
    }

    /// Names of one file have one time.
    fn one_time_a_file(&mut self) {
        let links: Arc<HardLinks> = Arc::clone(&self.links);
        for group in &links.0 {
            let Some(first) = group.first().and_then(|path| self.root.below(path)) else {
                continue;
            };
            let mtime = first.mtime;
            for path in &group[1..] {
                set(&mut self.root, path, mtime);
            }
        }
    }
}

fn take_times(entry: &mut Entry, earlier: &Entry) {
    if entry.attrs == earlier.attrs && same_node(&entry.node, &earlier.node) {
        entry.mtime = earlier.mtime;
    }
    let (Node::Dir(dir, _), Node::Dir(before, _)) = (&mut entry.node, &earlier.node) else {
        return;
    };
    if dir.digest() == before.digest() {
        *dir = Arc::clone(before);
        return;
    }
    for (name, child) in Arc::make_mut(dir).times_mut() {
        if let Some(before) = before.get(name.as_bytes()) {
            take_times(child, before);
        }
    }
}

/// Of directories only what they are counts: their entries are compared one by one.
fn same_node(node: &Node, earlier: &Node) -> bool {
    match (node, earlier) {
        (Node::Dir(_, role), Node::Dir(_, before)) => role == before,
        _ => node == earlier,
    }
}

fn set(root: &mut Entry, path: &TreePath, mtime: Mtime) {
    if root.below(path).is_none() {
        return;
    }
    let mut entry = root;
    for name in path.components() {
        let Node::Dir(dir, _) = &mut entry.node else {
            return;
        };
        let Some(child) = Arc::make_mut(dir).times_mut().get_mut(name) else {
            return;
        };
        entry = child;
    }
    entry.mtime = mtime;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::layer;

    fn time(secs: i64) -> Mtime {
        Mtime { secs, nanos: 0 }
    }

    fn path(path: &str) -> TreePath {
        TreePath::new(path).unwrap()
    }

    fn at(layer: &Layer, name: &str) -> i64 {
        layer.root.below(&path(name)).unwrap().mtime.secs
    }

    fn dated(entries: &[&str], secs: i64) -> Layer {
        let mut layer = layer(entries);
        let names = ["a", "a/x", "a/y", "a/new", "b", "link"];
        for name in names {
            set(&mut layer.root, &path(name), time(secs));
        }
        layer
    }

    #[test]
    fn what_is_alike_takes_the_earlier_time() {
        let earlier = dated(
            &["a/ dir @755", "a/x file 1", "a/y file 2", "b file 3", "link -> b"],
            1,
        );
        let later = dated(
            &[
                "a/ dir @755",
                "a/x file 1",
                "a/y file other",
                "a/new file 4",
                "b file 3",
                "link -> c",
            ],
            9,
        );
        let digest = later.digest();
        let retimed = later.with_times_of(&earlier);
        let times = ["a", "a/x", "a/y", "a/new", "b", "link"].map(|name| at(&retimed, name));
        assert_eq!(times, [1, 1, 9, 9, 1, 9]);
        assert_eq!(retimed.digest(), digest);
    }

    #[test]
    fn other_attributes_are_another_file() {
        let earlier = dated(&["b file 3"], 1);
        let later = dated(&["b file 3 @600"], 9);
        assert_eq!(at(&later.with_times_of(&earlier), "b"), 9);
    }

    #[test]
    fn names_of_one_file_have_one_time() {
        let one = dated(&["b file 3"], 1);
        let two = dated(&["b file 3", "link = b"], 9).with_times_of(&one);
        assert_eq!((at(&two, "b"), at(&two, "link")), (1, 1));
        let set = two.with_times(&[(path("link"), time(5)), (path("none/there"), time(6))]);
        assert_eq!((at(&set, "b"), at(&set, "link")), (5, 5));
    }
}
