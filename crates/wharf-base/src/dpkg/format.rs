//! Debian packages as a [`PackageFormat`].

use std::{collections::BTreeMap, fs::File, sync::Arc};

use serde::{Deserialize, Serialize};
use wharf_oci::Digest;
use wharf_store::{LayerId, Root, Store};
use wharf_tree::{Attrs, Layer, Node, Tree, TreePath, diff, merge};

use super::{
    archive, configure,
    control::Control,
    database::{self, Record, Writer},
    finish::{self, Configured},
    helper,
    merge::{Merged, Part, merge as merge_parts},
    order::{Batches, order},
    skeleton,
    status::State,
    sums,
};
use crate::{
    error::BaseError,
    plan::{Base, Package},
    resolution::Resolution,
    source::{Assembly, HelpedRoot, PackageFormat},
};

/// Debian's format.
pub(crate) struct Dpkg;

/// A `.deb` that was unpacked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct UnpackedDeb {
    /// Its files.
    files: LayerId,
    /// Its control part.
    control: Control,
    /// A blob with the paths of its files, one a line.
    list: Digest,
}

/// The largest list of files that is believed.
const LIST_LIMIT: u64 = 256 << 20;

/// Packages that make `/bin` and its like links into `/usr`, or say that they are.
const MERGERS: &[&str] = &["usrmerge", "usr-is-merged"];

impl PackageFormat for Dpkg {
    type Unpacked = UnpackedDeb;

    const MEMO: &'static str = "deb 1";

    fn unpack(package: &Package, file: File, store: &Store) -> Result<(UnpackedDeb, Vec<Root>), BaseError> {
        let failed = |source| BaseError::Unpack {
            package: package.name.clone(),
            source,
        };
        let mut unpacked = archive::unpack(file, &mut store.clone()).map_err(failed)?;
        sums::complete(&mut unpacked, store, &mut store.clone())?;
        let files = store.put_layer(&unpacked.files)?;
        let list: String = unpacked.list.iter().flat_map(|path| [path, "\n"]).collect();
        let list = store.put_bytes(list.as_bytes())?;
        let scripts = unpacked
            .control
            .files
            .values()
            .map(|file| Root::Blob(file.digest));
        let roots = [Root::Layer(files), Root::Blob(list)]
            .into_iter()
            .chain(scripts)
            .collect();
        Ok((
            UnpackedDeb {
                files,
                control: unpacked.control,
                list,
            },
            roots,
        ))
    }

    fn assemble(
        resolution: &Resolution,
        unpacked: &[UnpackedDeb],
        store: &Store,
    ) -> Result<Assembly, BaseError> {
        let all: Vec<_> = unpacked.iter().map(|one| &one.control).collect();
        let batches = order(&all);
        let positions = batches.concat();
        let controls: Vec<_> = positions.iter().map(|position| all[*position]).collect();
        let batches = renumbered(&batches);
        let (merged, self_sufficient) = merge_debs(resolution, &positions, unpacked, store)?;
        let acts = controls.iter().any(|control| control.acts());
        let state = if acts { State::Unpacked } else { State::Installed };
        let lists = lists(&positions, unpacked, store)?;
        let database = write_database(resolution, &controls, &lists, &merged, state, store)?;
        let base = merge(&merged.tree, &database);
        let run = acts.then(|| configure::run_op(&controls, &batches));
        Ok(Assembly {
            order: positions,
            unpacked: merged.tree,
            database,
            base,
            run,
            self_sufficient,
        })
    }

    fn over_helper(assembly: &Assembly, helper: &Base, store: &Store) -> Result<HelpedRoot, BaseError> {
        let mut trees = helper.layers.iter().map(|id| store.layer(id));
        let unpacked = trees
            .next()
            .transpose()?
            .map_or_else(Tree::empty, |first| merge(&Tree::empty(), &first));
        let finished = trees.try_fold(unpacked.clone(), |tree, layer| {
            Ok::<_, BaseError>(merge(&tree, &*layer?))
        })?;
        let has_accounts = has_package(&assembly.base, "base-passwd");
        let below = helper::below(&unpacked, &finished, has_accounts);
        let packages = finish::packages_of(&assembly.base, store)?;
        let joint = helper::joint_database(&below, &assembly.base, &packages, store, &mut store.clone())?;
        let with_base = merge(
            &merge(&below, &diff(&Tree::empty(), &assembly.unpacked)),
            &assembly.database,
        );
        let root = merge(&with_base, &joint);
        Ok(HelpedRoot {
            helper: below,
            database: joint,
            root,
        })
    }

    fn finish(
        resolution: &Resolution,
        assembly: &Assembly,
        helped: Option<&HelpedRoot>,
        upper: &Layer,
        store: &Store,
    ) -> Result<Layer, BaseError> {
        let configured = Configured {
            unpacked: &assembly.unpacked,
            base: &assembly.base,
            helper: helped.map(|helped| &helped.helper),
            root: helped.map_or(&assembly.base, |helped| &helped.root),
            upper,
            packages: &finish::packages_of(&assembly.base, store)?,
        };
        let layer = finish::finish(&configured, store, &mut store.clone())?;
        Ok(with_marks(resolution, layer, store)?)
    }
}

/// Batches of positions in the unpacking order itself.
fn renumbered(batches: &Batches) -> Batches {
    let mut next = 0;
    let number = |batch: &Vec<usize>| {
        let start = next;
        next += batch.len();
        (start..next).collect()
    };
    batches.iter().map(number).collect()
}

/// Merges the packages' files. `/usr` is merged when a package says so, or when the helper's will be: a base that cannot
/// configure itself must fit on it.
fn merge_debs(
    resolution: &Resolution,
    positions: &[usize],
    unpacked: &[UnpackedDeb],
    store: &Store,
) -> Result<(Merged, bool), BaseError> {
    let files = positions
        .iter()
        .map(|position| store.layer(&unpacked[*position].files));
    let files: Vec<Arc<Layer>> = files.collect::<Result<_, _>>()?;
    let controls: Vec<_> = positions
        .iter()
        .map(|position| &unpacked[*position].control)
        .collect();
    let parts = controls
        .iter()
        .zip(files)
        .map(|(control, files)| Part { control, files });
    let parts: Vec<_> = parts.collect();
    let has_merger = |packages: &[Package]| {
        packages
            .iter()
            .any(|package| MERGERS.contains(&package.name.as_str()))
    };
    let merged = merge_parts(&parts, has_merger(&resolution.packages))?;
    let self_sufficient = configure::is_self_sufficient(&merged.tree, &controls);
    if !self_sufficient && resolution.helper.as_deref().is_some_and(has_merger) {
        return Ok((merge_parts(&parts, true)?, false));
    }
    Ok((merged, self_sufficient))
}

fn lists(
    positions: &[usize],
    unpacked: &[UnpackedDeb],
    store: &Store,
) -> Result<Vec<Vec<String>>, BaseError> {
    let list = |position: &usize| {
        let bytes = store.read_blob(&unpacked[*position].list, LIST_LIMIT)?;
        Ok(String::from_utf8_lossy(&bytes)
            .lines()
            .map(str::to_owned)
            .collect())
    };
    positions.iter().map(list).collect()
}

fn write_database(
    resolution: &Resolution,
    controls: &[&Control],
    lists: &[Vec<String>],
    merged: &Merged,
    state: State,
    store: &Store,
) -> Result<Layer, BaseError> {
    let mut sink = store.clone();
    let mut writer = Writer::new(&mut sink);
    if controls.iter().any(|control| control.name() == "dpkg") {
        skeleton::write(&mut writer, &resolution.sources)?;
    } else {
        writer.directory("tmp", Attrs::root(0o1777));
    }
    let records = controls.iter().zip(lists).enumerate();
    let records: Vec<_> = records
        .map(|(position, (control, list))| Record {
            control,
            list,
            lost: merged.lost.get(&position),
        })
        .collect();
    database::write(&mut writer, &records, &resolution.architectures, state)?;
    Ok(writer.finish())
}

fn has_package(base: &Tree, name: &str) -> bool {
    let path = TreePath::new(format!("{}/info/{name}.list", database::ADMIN));
    path.is_ok_and(|path| base.get(&path).is_some())
}

/// apt's record of packages that nobody asked for.
fn with_marks(resolution: &Resolution, layer: Layer, store: &Store) -> std::io::Result<Layer> {
    let native = resolution.architectures.first().map_or("", String::as_str);
    let marked: BTreeMap<&str, &str> = resolution
        .dependencies()
        .map(|package| {
            let architecture = package.architecture.as_str();
            (
                package.name.as_str(),
                if architecture == "all" {
                    native
                } else {
                    architecture
                },
            )
        })
        .collect();
    if !resolution.marks_dependencies || marked.is_empty() {
        return Ok(layer);
    }
    let stanza = |(name, architecture): (&&str, &&str)| {
        format!("Package: {name}\nArchitecture: {architecture}\nAuto-Installed: 1\n\n")
    };
    let text: String = marked.iter().map(stanza).collect();
    let (digest, size) = (
        store.put_bytes(text.as_bytes()).map_err(std::io::Error::other)?,
        text.len() as u64,
    );
    let mut builder = wharf_tree::LayerBuilder::from_layer(&layer);
    let entry = wharf_tree::Entry {
        attrs: Attrs::root(0o644),
        mtime: wharf_tree::Mtime::default(),
        node: Node::File { digest, size },
    };
    builder
        .insert(&finish::constant("var/lib/apt/extended_states"), entry)
        .map_err(std::io::Error::other)?;
    Ok(builder.finish())
}
