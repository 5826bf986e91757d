//! The table of verdicts.

use std::time::Instant;

use super::verdict::Verdict;

/// A case with what its checks came to.
pub(crate) struct Row {
    /// Its name.
    pub(crate) case: String,
    /// By the check's name.
    pub(crate) verdicts: Vec<(&'static str, Verdict)>,
}

impl Row {
    /// Whether any check failed.
    pub(crate) fn failed(&self) -> bool {
        self.count(|verdict| matches!(verdict, Verdict::Failed(_))) > 0
    }

    fn count(&self, is: impl Fn(&Verdict) -> bool) -> usize {
        self.verdicts.iter().filter(|(_, verdict)| is(verdict)).count()
    }
}

/// Prints a line for each case, what failed below it, and the counts of checks.
pub(crate) fn report(rows: &[Row], start: Instant) -> Result<(), String> {
    for row in rows {
        println!("{}", line(row));
        for (check, verdict) in &row.verdicts {
            details(check, verdict);
        }
    }
    let sum = |is: fn(&Verdict) -> bool| rows.iter().map(|row| row.count(is)).sum::<usize>();
    let failed = sum(|verdict| matches!(verdict, Verdict::Failed(_)));
    println!("{} cases in {:.0} s", rows.len(), start.elapsed().as_secs_f64());
    println!(
        "conformance: {} passed, {failed} failed, {} not verified",
        sum(|verdict| matches!(verdict, Verdict::Passed)),
        sum(|verdict| matches!(verdict, Verdict::NotVerified(_)))
    );
    if failed == 0 {
        Ok(())
    } else {
        Err(format!("{failed} checks of cases failed"))
    }
}

fn line(row: &Row) -> String {
    let word = if row.failed() { "FAILED" } else { "ok" };
    let verdicts = row.verdicts.iter().map(|(check, verdict)| {
        let word = match verdict {
            Verdict::Passed => "ok",
            Verdict::Failed(_) => "FAILED",
            Verdict::NotVerified(_) => "not verified",
        };
        format!("{check} {word}")
    });
    let verdicts: Vec<_> = verdicts.collect();
    format!("{word:<7} {:<44} {}", row.case, verdicts.join(", "))
}

fn details(check: &str, verdict: &Verdict) {
    match verdict {
        Verdict::Passed => {}
        Verdict::Failed(differences) => {
            for difference in differences {
                println!(
                    "          {check}: {}",
                    difference.replace('\n', "\n            ")
                );
            }
        }
        Verdict::NotVerified(reason) => println!("          {check}: not verified: {reason}"),
    }
}
