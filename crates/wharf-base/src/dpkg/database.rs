//! dpkg's database, written directly: the state that dpkg itself leaves after unpacking.
//!
//! deb-conffiles(5), deb-triggers(5) and dpkg's lib/dpkg/infodb-format.c. `info/` has the control files of every package
//! under its name, `status` its paragraph, `triggers/` who is interested in what.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use wharf_tree::{Attrs, BlobSink, Entry, LayerBuilder, Mtime, Node, TreePath};

use super::{
    control::Control,
    status::{State, paragraph},
};

/// A package for the database.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its control part.
    pub control: &'a Control,
    /// Its files as dpkg lists them.
    pub list: &'a [String],
    /// Of these, the ones that belong to another package.
    pub lost: Option<&'a BTreeSet<String>>,
}

/// Where the database lies.
pub const ADMIN: &str = "var/lib/dpkg";

/// Puts entries into a layer, and contents into a store.
pub struct Writer<'s> {
    layer: LayerBuilder,
    blobs: &'s mut dyn BlobSink,
}

impl<'s> Writer<'s> {
    /// A writer into an empty layer.
    pub fn new(blobs: &'s mut dyn BlobSink) -> Self {
        Self {
            layer: LayerBuilder::new(),
            blobs,
        }
    }

    /// Writes a file of root's.
    pub fn file(&mut self, path: &str, mode: u16, content: &str) -> io::Result<()> {
        let size = content.len() as u64;
        let digest = self.blobs.put(&mut content.as_bytes(), size)?;
        self.entry(path, Attrs::root(mode), Node::File { digest, size });
        Ok(())
    }

    /// Makes an empty directory, or says whose and of which mode one is.
    pub fn directory(&mut self, path: &str, attrs: Attrs) {
        self.entry(
            path,
            attrs,
            Entry::dir(Attrs::root(0), Mtime::default(), wharf_tree::Dir::default()).node,
        );
    }

    /// Puts a file whose content is stored already.
    pub fn entry(&mut self, path: &str, attrs: Attrs, node: Node) {
        let path = TreePath::new(path).expect("paths of the database are proper paths");
        let entry = Entry {
            attrs,
            mtime: Mtime::default(),
            node,
        };
        self.layer
            .insert(&path, entry)
            .expect("the database's parents are directories");
    }

    /// The layer so far.
    pub fn finish(self) -> wharf_tree::Layer {
        self.layer.finish()
    }
}

/// Writes the database of `records` in this state. `architectures`: the base's own first.
pub fn write(
    writer: &mut Writer<'_>,
    records: &[Record<'_>],
    architectures: &[String],
    state: State,
) -> io::Result<()> {
    for folder in ["", "/info", "/updates", "/parts", "/triggers", "/alternatives"] {
        writer.directory(&format!("{ADMIN}{folder}"), Attrs::root(0o755));
    }
    let mut sorted: Vec<_> = records.iter().collect();
    sorted.sort_by_key(|record| (record.control.name(), record.control.field("Architecture")));
    let status: String = sorted
        .iter()
        .map(|record| paragraph(record.control, state))
        .collect();
    writer.file(&format!("{ADMIN}/status"), 0o644, &status)?;
    let arch: String = architectures.iter().flat_map(|one| [one, "\n"]).collect();
    writer.file(&format!("{ADMIN}/arch"), 0o644, &arch)?;
    writer.file(&format!("{ADMIN}/info/format"), 0o644, "1\n")?;
    records.iter().try_for_each(|record| write_info(writer, record))?;
    write_triggers(writer, records.iter().map(|record| record.control))
}

fn write_info(writer: &mut Writer<'_>, record: &Record<'_>) -> io::Result<()> {
    let base = format!("{ADMIN}/info/{}", record.control.info_name());
    for (kind, file) in &record.control.files {
        let node = Node::File {
            digest: file.digest,
            size: file.size,
        };
        writer.entry(&format!("{base}.{kind}"), Attrs::root(file.mode), node);
    }
    let is_lost = |path: &&String| record.lost.is_some_and(|lost| lost.contains(*path));
    let list: String = record
        .list
        .iter()
        .filter(|path| !is_lost(path))
        .flat_map(|path| [path, "\n"])
        .collect();
    writer.file(&format!("{base}.list"), 0o644, &list)
}

/// Who is interested in which path (one file for all) and in which name (a file each).
fn write_triggers<'c>(
    writer: &mut Writer<'_>,
    controls: impl Iterator<Item = &'c Control>,
) -> io::Result<()> {
    let mut paths = String::new();
    let mut named: BTreeMap<&str, String> = BTreeMap::new();
    for control in controls {
        for (directive, trigger) in control.trigger_directives() {
            let suffix = match directive {
                "interest" | "interest-await" => "",
                "interest-noawait" => "/noawait",
                _ => continue,
            };
            let who = format!("{}{suffix}\n", control.info_name());
            if trigger.starts_with('/') {
                paths.extend([trigger, " ", &who]);
            } else if is_trigger_name(trigger) {
                named.entry(trigger).or_default().push_str(&who);
            }
        }
    }
    writer.file(&format!("{ADMIN}/triggers/File"), 0o644, &paths)?;
    writer.file(&format!("{ADMIN}/triggers/Unincorp"), 0o644, "")?;
    let files = named.iter();
    files
        .into_iter()
        .try_for_each(|(name, who)| writer.file(&format!("{ADMIN}/triggers/{name}"), 0o644, who))
}

/// The names become files' names.
fn is_trigger_name(name: &str) -> bool {
    !name.contains('/') && !name.starts_with('.')
}
