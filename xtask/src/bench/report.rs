//! What was measured: shown as it comes, kept as lines of JSON, and as a table.

use std::{fmt::Write as _, fs, path::PathBuf};

use super::measure::median;

/// All figures of one run of the benchmark.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

struct Row {
    what: String,
    who: String,
    unit: &'static str,
    values: Vec<f64>,
}

impl Report {
    /// Adds the values of one figure.
    pub(crate) fn add(&mut self, what: &str, who: &str, unit: &'static str, values: Vec<f64>) {
        println!(
            "{what:<44} {who:<22} {:>10.1} {unit}   {values:.1?}",
            median(&values)
        );
        self.rows.push(Row {
            what: what.to_owned(),
            who: who.to_owned(),
            unit,
            values,
        });
    }

    /// How many times `slow`'s median is `fast`'s.
    pub(crate) fn ratio(&self, what: &str, slow: &str, fast: &str) {
        let of = |who: &str| {
            let row = self.rows.iter().find(|row| row.what == what && row.who == who);
            row.map(|row| median(&row.values))
        };
        if let (Some(slow_value), Some(fast_value)) = (of(slow), of(fast)) {
            println!(
                "{what:<44} {fast} is {:.1} times as fast as {slow}",
                slow_value / fast_value
            );
        }
    }

    /// Writes `bench/results/<name>.jsonl` with every value, and the table beside it.
    pub(crate) fn write(&self, name: &str) -> Result<(), String> {
        let directory = PathBuf::from("bench/results");
        fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
        let (mut lines, mut table) = (
            String::new(),
            "| what | who | median | runs |\n|---|---|---|---|\n".to_owned(),
        );
        for Row {
            what,
            who,
            unit,
            values,
        } in &self.rows
        {
            let _ = writeln!(
                lines,
                r#"{{"what":"{what}","who":"{who}","unit":"{unit}","values":{values:?}}}"#
            );
            let _ = writeln!(
                table,
                "| {what} | {who} | {:.1} {unit} | {} |",
                median(values),
                values.len()
            );
        }
        for (ending, text) in [("jsonl", &lines), ("md", &table)] {
            let path = directory.join(format!("{name}.{ending}"));
            fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }
}
