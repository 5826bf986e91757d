//! Which packages a variant means: mmdebstrap's words, carried out in its stages.
//!
//! mmdebstrap(1), "VARIANTS". The essential set is chosen by itself first and then held fast, as if it were installed
//! already when the rest is asked for.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    index::Priority,
    solve::{SolveError, SolveOptions, Want, solve},
    universe::{PackageId, Universe},
};
use crate::{
    plan::Reason,
    settings::{BaseSettings, Variant},
};

/// What a base consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The packages and what each is there for.
    pub packages: BTreeMap<PackageId, Reason>,
    /// The essential set, for a base that does not have all of it.
    pub helper: Option<BTreeSet<PackageId>>,
}

/// Chooses the packages of a base.
pub fn select(universe: &Universe<'_>, settings: &BaseSettings) -> Result<Selection, SolveError> {
    let options = SolveOptions {
        recommends: settings.recommends,
        preferred: settings.packages.iter().cloned().collect(),
    };
    let named: Vec<_> = settings.packages.iter().cloned().map(Want::Named).collect();
    match settings.variant {
        Variant::Custom => custom(universe, &named, &options),
        variant => staged(universe, variant, named, &options),
    }
}

fn custom(universe: &Universe<'_>, named: &[Want], options: &SolveOptions) -> Result<Selection, SolveError> {
    let chosen = solve(universe, named, options)?;
    // The helper has nothing to do with the base's wishes: it is shared by all bases of a suite.
    let essential = solve(universe, &essential(universe), &SolveOptions::default())?;
    let helper = (!essential.is_subset(&chosen)).then_some(essential);
    let packages = chosen
        .into_iter()
        .map(|id| (id, reason(universe, id, named)))
        .collect();
    Ok(Selection { packages, helper })
}

fn staged(
    universe: &Universe<'_>,
    variant: Variant,
    named: Vec<Want>,
    options: &SolveOptions,
) -> Result<Selection, SolveError> {
    let mut first = essential(universe);
    if variant == Variant::Apt {
        first.push(Want::Named("apt".to_owned()));
    }
    let base = solve(universe, &first, options)?;
    let asked: Vec<_> = by_priority(universe, variant).chain(named).collect();
    let fixed = base.iter().map(|id| Want::Exactly(*id));
    let wants: Vec<_> = fixed.chain(asked.iter().cloned()).collect();
    let chosen = solve(universe, &wants, options)?;
    let reason = |id| {
        if base.contains(&id) {
            Reason::Essential
        } else {
            reason(universe, id, &asked)
        }
    };
    let packages = chosen.into_iter().map(|id| (id, reason(id))).collect();
    Ok(Selection {
        packages,
        helper: None,
    })
}

fn reason(universe: &Universe<'_>, id: PackageId, asked: &[Want]) -> Reason {
    let name = universe.get(id).entry.name();
    let is_it = |want: &Want| match want {
        Want::Named(asked) => asked.split(':').next() == Some(name),
        Want::Exactly(asked) => *asked == id,
    };
    if asked.iter().any(is_it) {
        Reason::Asked
    } else {
        Reason::Dependency
    }
}

fn essential(universe: &Universe<'_>) -> Vec<Want> {
    wanted(universe, |id| universe.get(id).entry.is_essential()).collect()
}

fn by_priority<'u>(universe: &'u Universe<'u>, variant: Variant) -> impl Iterator<Item = Want> + 'u {
    let lowest = match variant {
        Variant::Custom | Variant::Essential | Variant::Apt => None,
        Variant::Minbase | Variant::Buildd => Some(Priority::Required),
        Variant::Important => Some(Priority::Important),
        Variant::Standard => Some(Priority::Standard),
    };
    let extra: &[&str] = match variant {
        Variant::Custom | Variant::Essential | Variant::Apt => &[],
        Variant::Buildd => &["apt", "build-essential"],
        _ => &["apt"],
    };
    let important = wanted(universe, move |id| {
        lowest.is_some_and(|lowest| universe.get(id).entry.priority() <= lowest)
    });
    important.chain(extra.iter().map(|name| Want::Named((*name).to_owned())))
}

/// By name, since an update of the package may be in another archive than the one that says how important it is.
fn wanted<'u>(
    universe: &'u Universe<'u>,
    meant: impl Fn(PackageId) -> bool + 'u,
) -> impl Iterator<Item = Want> + 'u {
    let of_suite =
        |id: &PackageId| universe.get(*id).primary && universe.architecture(*id) == universe.native();
    let ids = universe.ids().filter(of_suite).filter(move |id| meant(*id));
    let names: BTreeSet<_> = ids.map(|id| universe.get(id).entry.name()).collect();
    names.into_iter().map(|name| Want::Named(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apt::{
        index::{Index, reduce},
        release::Automatic,
        universe::Offer,
    };

    /// Lines of `name version; field: value; …`.
    fn index(lines: &str) -> Index {
        let stanza = |line: &str| {
            let mut parts = line.split(';').map(str::trim);
            let (name, version) = parts.next().unwrap().split_once(' ').unwrap();
            let fields: String = parts.map(|field| format!("{field}\n")).collect();
            format!(
                "Package: {name}\nVersion: {version}\nArchitecture: amd64\nFilename: f\nSize: 1\nSHA256: {}\n{fields}\n",
                "0".repeat(64)
            )
        };
        let text: String = lines
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(stanza)
            .collect();
        Index::parse(reduce(text.as_bytes()).unwrap()).unwrap()
    }

    fn names(lines: &str, updates: &str, settings: &str) -> Result<String, SolveError> {
        let (main, updates) = (index(lines), index(updates));
        let offer = |index, archive| Offer {
            index,
            archive,
            automatic: Automatic::Always,
            primary: archive == 0,
        };
        let universe = Universe::new(&[offer(&main, 0), offer(&updates, 1)], &["amd64".to_owned()]);
        let table: toml::Table = format!("apt = 'host'\n{settings}").parse().unwrap();
        let selection = select(&universe, &BaseSettings::try_from(table).unwrap())?;
        let show = |(id, reason): (&PackageId, &Reason)| {
            let entry = universe.get(*id).entry;
            let mark = match reason {
                Reason::Essential => "!",
                Reason::Asked => "",
                Reason::Dependency => "-",
            };
            format!("{mark}{} {}", entry.name(), entry.version())
        };
        let mut all: Vec<_> = selection.packages.iter().map(show).collect();
        all.sort_by_key(|text| text.trim_start_matches(['!', '-']).to_owned());
        let helper = if selection.helper.is_some() {
            " +helper"
        } else {
            ""
        };
        Ok(all.join(", ") + helper)
    }

    const SUITE: &str = "
        dpkg 1; Essential: yes; Depends: libc
        libc 1
        apt 2; Depends: merge | merged; Priority: important
        tz 1; Priority: required
        ping 1; Priority: important
        merge 1; Depends: perl
        merged 1
        perl 5
        app 1; Depends: awk
        mawk 1; Provides: awk; Priority: required
        gawk 2; Provides: awk
        old 1; Conflicts: dpkg
        broken 1; Depends: nowhere (>= 2)
        twin-a 1; Provides: twin
        twin-b 1; Provides: twin";

    #[test]
    fn variants_mean_what_they_mean_to_mmdebstrap() {
        for (settings, expected) in [
            ("variant = 'essential'", "!dpkg 1, !libc 1"),
            ("variant = 'apt'", "!apt 2, !dpkg 1, !libc 1, !merge 1, !perl 5"),
            (
                "variant = 'minbase'",
                "apt 2, !dpkg 1, !libc 1, mawk 1, -merge 1, -perl 5, tz 1",
            ),
            ("variant = 'custom'\npackages = ['app']", "app 1, -mawk 1 +helper"),
            ("variant = 'custom'\npackages = ['dpkg']", "dpkg 1, -libc 1"),
        ] {
            assert_eq!(names(SUITE, "", settings).unwrap(), expected, "{settings}");
        }
    }

    #[test]
    fn what_is_named_is_preferred_among_alternatives() {
        let settings = "variant = 'apt'\npackages = ['merged']";
        assert_eq!(
            names(SUITE, "", settings).unwrap(),
            "!apt 2, !dpkg 1, !libc 1, !merged 1"
        );
    }

    #[test]
    fn updates_win_but_do_not_say_what_is_essential() {
        let updates = "dpkg 1.1; Depends: libc\nspy 1; Essential: yes";
        assert_eq!(
            names(SUITE, updates, "variant = 'essential'").unwrap(),
            "!dpkg 1.1, !libc 1"
        );
    }

    #[test]
    fn impossible_wishes_are_explained() {
        let error = |packages: &str| {
            let settings = format!("variant = 'custom'\npackages = [{packages}]");
            names(SUITE, "", &settings).unwrap_err().to_string()
        };
        assert_eq!(
            error("'dpgk'"),
            "no archive has a package `dpgk` (did you mean `dpkg`?)"
        );
        assert_eq!(
            error("'twin'"),
            "`twin` is provided by several packages: name one of twin-a, twin-b"
        );
        insta::assert_snapshot!(error("'broken'"), @r"
        the packages cannot be installed together
        broken cannot be installed because there are no viable options:
        └─ broken 1 would require
           └─ nowhere (>= 2), for which no candidates were found.
        ");
        let conflict = error("'old', 'dpkg'");
        assert!(
            conflict.contains("old 1") && conflict.contains("dpkg"),
            "{conflict}"
        );
    }
}
