//! What the steps of one build did when, from its events.

use serde_json::Value;

/// A step that ran: when its work began, when its process wrote, when it was over; microseconds.
#[derive(Debug, Default, Clone)]
pub(super) struct Step {
    pub(super) started: f64,
    pub(super) finished: f64,
    /// When each piece came, and the piece.
    pub(super) said: Vec<(f64, String)>,
}

/// The steps that ran, in the order of their ends, from `--progress=rawjson`.
pub(super) fn steps(output: &str) -> Vec<Step> {
    let mut open: Vec<(u64, Step)> = Vec::new();
    let mut done = Vec::new();
    for event in output
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
    {
        let (Some(at), Some(number)) = (event["at"].as_f64(), event["step"].as_u64()) else {
            continue;
        };
        let place = open.iter().position(|(open, _)| *open == number);
        match (event["event"].as_str(), place) {
            (Some("step_started"), _) => {
                let started = Step {
                    started: at,
                    ..Step::default()
                };
                open.push((number, started));
            }
            (Some("step_log"), Some(place)) => {
                let text = event["data"].as_str().unwrap_or_default().to_owned();
                open[place].1.said.push((at, text));
            }
            (Some("step_finished"), Some(place)) => {
                let (_, step) = open.remove(place);
                done.push(Step { finished: at, ..step });
            }
            _ => {}
        }
    }
    done
}

impl Step {
    /// From its start to its end.
    pub(super) fn whole(&self) -> f64 {
        self.finished - self.started
    }

    /// From its first word to its last.
    pub(super) fn talked(&self) -> f64 {
        match (self.said.first(), self.said.last()) {
            (Some((first, _)), Some((last, _))) => last - first,
            _ => 0.0,
        }
    }

    /// All that it wrote.
    pub(super) fn text(&self) -> String {
        self.said.iter().map(|(_, text)| text.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steps_times() {
        let output = r#"{"at":1,"event":"step_started","step":0}
{"at":2,"event":"step_finished","step":0}
{"at":10,"event":"step_started","step":1}
{"at":12,"event":"step_log","step":1,"stream":"stdout","data":"begin\n"}
{"at":19,"event":"step_log","step":1,"stream":"stdout","data":"end\n"}
{"at":20,"event":"step_finished","step":1}
not JSON"#;
        let steps = steps(output);
        let [_, step] = steps.as_slice() else {
            panic!("{steps:?}")
        };
        assert_eq!((step.whole(), step.talked()), (10.0, 7.0));
        assert_eq!(step.text(), "begin\nend\n");
    }
}
