//! What steps and phases are called on the screen.

use std::collections::BTreeMap;

use wharf_graph::{
    StepId,
    event::{Event, StepInfo},
};

/// Titles by step, known once the graph is.
#[derive(Debug, Default, Clone)]
pub(crate) struct StepTitles(BTreeMap<StepId, String>);

impl StepTitles {
    /// Learns from an event.
    pub(crate) fn learn(&mut self, event: &Event) {
        if let Event::GraphKnown { steps } = event {
            self.0 = steps.iter().map(|info| (info.step, title(info))).collect();
        }
    }

    /// The title of a step.
    pub(crate) fn title(&self, step: StepId) -> &str {
        self.0.get(&step).map_or("", String::as_str)
    }
}

/// `[build 2/5] RUN make`, for several platforms `[linux/arm64 build 2/5] RUN make`.
fn title(info: &StepInfo) -> String {
    let Some(origin) = &info.origin else {
        return format!("[internal] {}", info.name);
    };
    let words = [&origin.platform, &origin.stage];
    let place: String = words
        .into_iter()
        .filter(|word| !word.is_empty())
        .flat_map(|word| [word, " "])
        .collect();
    format!(
        "[{place}{}/{}] {}",
        origin.ordinal,
        origin.total,
        one_line(&info.name)
    )
}

/// Heredocs and continued lines on one line, as far as one line goes.
fn one_line(name: &str) -> String {
    let mut words = name.split_whitespace();
    let mut line = words.next().unwrap_or_default().to_owned();
    for word in words {
        if line.len() + word.len() > 160 {
            line.push_str(" …");
            break;
        }
        line.push(' ');
        line.push_str(word);
    }
    line
}
