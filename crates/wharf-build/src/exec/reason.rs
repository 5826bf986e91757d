//! Why a step runs although it ran before: what the last result in its place was told, and what it would be told now.

use std::collections::HashSet;

use wharf_graph::{
    Op, Reusable, StepId,
    event::{Change, ChangeKind, Event, RunReason},
};
use wharf_solver::Task;
use wharf_store::ActionResult;
use wharf_tree::{
    Name, TreePath,
    readset::{Answer, Difference, Kind, Listing, Place},
};

use super::{
    Engine, StepFailure, StepOutput,
    differing::differing,
    maker::Maker,
    traced::{Family, roots_of},
};

/// Enough to see what happened; a step may have read 20,000 names.
const SHOWN: usize = 20;

impl Engine {
    /// Why no result stands for the step.
    pub(super) fn reason(
        &self,
        task: &Task<'_, StepOutput>,
        family: Option<&Family>,
    ) -> Result<RunReason, StepFailure> {
        if task.step.reuse == Reusable::No {
            return Ok(RunReason::Asked);
        }
        let Some(key) = self.head_key(task.step)? else {
            return Ok(RunReason::New);
        };
        let Some(last) = self.store.result(&key)? else {
            return Ok(RunReason::Forgotten);
        };
        if matches!(task.step.op, Op::Copy(_)) {
            return Ok(RunReason::Changed {
                what: "what it copies, or where to,".to_owned(),
                changes: Vec::new(),
                count: 0,
            });
        }
        let (Some(family), Some(was)) = (family, self.reads_of(&last)?) else {
            return Ok(RunReason::Unseen);
        };
        let trees = family.trees();
        let is = was.path_set().answer(&trees);
        let differences = was
            .differences(&is)
            .chain(was.other_times(&trees).filter_map(|other| other.edited));
        let (changes, count) = self.changes(task, differences)?;
        if let Some(first) = changes.first() {
            return Ok(RunReason::Changed {
                what: first.path.clone(),
                changes,
                count,
            });
        }
        let other_time = was.other_times(&trees[..1]).next();
        Ok(match other_time {
            Some(other) => RunReason::Times {
                path: shown(&other.place.path, 0),
            },
            None => RunReason::Forgotten,
        })
    }

    /// Tells in which files the layer of a COPY is another than the last one in its place.
    pub(super) fn tell_brought(
        &self,
        task: &Task<'_, StepOutput>,
        result: &ActionResult,
    ) -> Result<(), StepFailure> {
        let last = match &task.step.op {
            Op::Copy(_) => self.head(task.step)?.and_then(|last| last.layer),
            _ => None,
        };
        let (Some(last), Some(layer)) = (last, result.layer) else {
            return Ok(());
        };
        // One that is lost cannot be compared with.
        let Ok(was) = self.store.layer(&last) else {
            return Ok(());
        };
        let differing = differing(&was.root, &self.store.layer(&layer)?.root);
        let step = task.step.id;
        if !differing.is_empty() {
            let count = differing.len() as u64;
            let changes = differing.into_iter().take(SHOWN).map(|(path, what)| Change {
                path: shown(&path, 0),
                root: 0,
                what,
                by: Some(step),
            });
            task.observer.observe(Event::StepBrought {
                step,
                changes: changes.collect(),
                count,
            });
        }
        Ok(())
    }

    /// The first differences, one a path, and how many there are.
    fn changes(
        &self,
        task: &Task<'_, StepOutput>,
        differences: impl Iterator<Item = Difference>,
    ) -> Result<(Vec<Change>, u64), StepFailure> {
        let mut changes: Vec<Change> = Vec::new();
        let mut count = 0;
        let mut last: Option<Place> = None;
        for difference in differences {
            if last.as_ref() == Some(&difference.place) {
                continue;
            }
            last = Some(difference.place.clone());
            count += 1;
            if changes.len() < SHOWN {
                changes.push(self.change(task, &difference)?);
            }
        }
        Ok((changes, count))
    }

    fn change(&self, task: &Task<'_, StepOutput>, difference: &Difference) -> Result<Change, StepFailure> {
        let place = &difference.place;
        Ok(Change {
            path: shown(&place.path, place.root),
            root: place.root.into(),
            what: kind_of(difference),
            by: self.responsible(task, difference)?,
        })
    }

    /// The step whose layer is the topmost that has the path, or, for a listing or a name that is gone, something in its directory.
    fn responsible(
        &self,
        task: &Task<'_, StepOutput>,
        difference: &Difference,
    ) -> Result<Option<StepId>, StepFailure> {
        let Op::Run(run) = &task.step.op else {
            return Ok(None);
        };
        let Some(output) = roots_of(run, task.inputs).nth(difference.place.root.into()) else {
            return Ok(None);
        };
        let path = match added(difference) {
            Some(name) => difference.place.path.join(&name),
            None => difference.place.path.clone(),
        };
        self.maker_of(output, &path)
    }

    fn maker_of(&self, output: &StepOutput, path: &TreePath) -> Result<Option<StepId>, StepFailure> {
        let layers = output.root.stored();
        let mut path = Some(path.clone());
        while let Some(wanted) = path {
            for (id, Maker { step, .. }) in layers.iter().zip(&output.makers).rev() {
                if self.store.layer(id)?.root.below(&wanted).is_some() {
                    return Ok(Some(*step));
                }
            }
            path = wanted.parent();
        }
        Ok(None)
    }
}

/// As a user writes it: absolute in the step's own root.
fn shown(path: &TreePath, root: u16) -> String {
    let text = path.to_string();
    if root == 0 {
        text
    } else {
        text.trim_start_matches('/').to_owned()
    }
}

fn kind_of(difference: &Difference) -> ChangeKind {
    match (&difference.was, &difference.is) {
        (Answer::Absent, _) => ChangeKind::Appeared,
        (_, Answer::Absent) => ChangeKind::Disappeared,
        (Answer::Present(was), Answer::Present(is)) if was.file_type != is.file_type => ChangeKind::Type,
        (Answer::Present(was), Answer::Present(is)) if was.empty != is.empty => ChangeKind::Content,
        (Answer::Present(_), Answer::Present(_)) => ChangeKind::Attributes,
        (Answer::Listing(was), Answer::Listing(is)) => ChangeKind::Listing {
            added: names_only_in(is, was),
            removed: names_only_in(was, is),
        },
        _ => match difference.kind {
            Kind::Xattrs | Kind::Xattr(_) => ChangeKind::Xattrs,
            Kind::Stat => ChangeKind::Stat,
            Kind::Target => ChangeKind::Target,
            Kind::Content => ChangeKind::Content,
            Kind::Absent | Kind::Present | Kind::Listing => ChangeKind::Type,
        },
    }
}

fn names_only_in(these: &Listing, others: &Listing) -> Vec<String> {
    let names = only_in(these, others).map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
    names.take(SHOWN).collect()
}

/// A name that a listing has now and had not before.
fn added(difference: &Difference) -> Option<Name> {
    match (&difference.was, &difference.is) {
        (Answer::Listing(was), Answer::Listing(is)) => only_in(is, was).next().cloned(),
        _ => None,
    }
}

fn only_in<'l>(these: &'l Listing, others: &Listing) -> impl Iterator<Item = &'l Name> {
    let others: HashSet<_> = others.iter().cloned().collect();
    these
        .iter()
        .filter(move |listed| !others.contains(listed))
        .map(|(name, _)| name)
}
