//! The arrows between crates: each may depend only on what the architecture lists for it.

use std::{collections::BTreeSet, fs, path::Path};

/// Crate → the crates of this workspace that its code (not its tests) may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("wharf-oci", &[]),
    ("wharf-dockerfile", &["oci"]),
    ("wharf-tree", &["oci"]),
    ("wharf-graph", &["dockerfile", "oci", "tree"]),
    ("wharf-store", &["oci", "tree"]),
    ("wharf-sandbox", &[]),
    ("wharf-rootfs", &["oci", "store", "tree"]),
    ("wharf-http", &["oci"]),
    ("wharf-registry", &["http", "oci"]),
    ("wharf-base", &["graph", "http", "oci", "store", "tree"]),
    ("wharf-sbom", &["oci", "tree"]),
    ("wharf-solver", &["graph", "oci", "tree"]),
    (
        "wharf-build",
        &[
            "base",
            "dockerfile",
            "graph",
            "http",
            "oci",
            "registry",
            "rootfs",
            "sandbox",
            "sbom",
            "solver",
            "store",
            "tree",
        ],
    ),
    (
        "wharf",
        &[
            "base",
            "build",
            "dockerfile",
            "graph",
            "http",
            "oci",
            "registry",
            "sandbox",
            "solver",
            "store",
            "tree",
        ],
    ),
    ("wharf-testkit", &[]),
    ("xtask", &["testkit"]),
];

/// Fails when a crate has an arrow that it must not have, or is not in the table.
pub(crate) fn check() -> Result<(), String> {
    let mut wrong = Vec::new();
    for folder in folders()? {
        wrong.extend(check_crate(&folder)?);
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

fn folders() -> Result<Vec<String>, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace");
    let crates = root.join("crates");
    let read = fs::read_dir(&crates).map_err(|error| format!("{}: {error}", crates.display()))?;
    Ok(read
        .flatten()
        .map(|entry| entry.path().to_string_lossy().into_owned())
        .collect())
}

fn check_crate(folder: &str) -> Result<Vec<String>, String> {
    let path = Path::new(folder).join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let manifest: toml::Table = text
        .parse()
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let name = Path::new(folder)
        .file_name()
        .expect("a crate's folder has a name")
        .to_string_lossy()
        .into_owned();
    let Some((_, allowed)) = ALLOWED.iter().find(|(listed, _)| *listed == name) else {
        return Ok(vec![format!("{name}: not in the table of arrows")]);
    };
    let used = arrows(&manifest);
    let allowed: BTreeSet<String> = allowed.iter().map(|short| format!("wharf-{short}")).collect();
    Ok(used
        .difference(&allowed)
        .map(|other| format!("{name} must not know {other}"))
        .collect())
}

fn arrows(manifest: &toml::Table) -> BTreeSet<String> {
    let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
    let names = dependencies.into_iter().flatten().map(|(name, _)| name.clone());
    names.filter(|name| name.starts_with("wharf")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_keeps_its_arrows() {
        check().unwrap();
    }

    #[test]
    fn an_arrow_is_seen() {
        let manifest = "[dependencies]\nwharf-store.workspace = true\nserde = '1'"
            .parse()
            .unwrap();
        assert_eq!(arrows(&manifest), BTreeSet::from(["wharf-store".to_owned()]));
    }
}
