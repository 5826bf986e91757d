//! Stages that lead back to themselves.

use wharf_dockerfile::Span;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Visit {
    New,
    Open,
    Closed,
}

/// A stage that leads back to itself, and where the last step of the way is written. No recursion: a file may have as many
/// stages as lines.
pub(super) fn find_cycle(
    start: usize,
    dependencies: &[Vec<(usize, Span)>],
    state: &mut [Visit],
) -> Option<(usize, Span)> {
    let mut path: Vec<(usize, usize)> = Vec::new();
    if state[start] == Visit::New {
        state[start] = Visit::Open;
        path.push((start, 0));
    }
    while let Some((stage, next)) = path.last_mut() {
        let Some((dependency, span)) = dependencies[*stage].get(*next).copied() else {
            state[*stage] = Visit::Closed;
            path.pop();
            continue;
        };
        *next += 1;
        match state[dependency] {
            Visit::Open => return Some((dependency, span)),
            Visit::Closed => {}
            Visit::New => {
                state[dependency] = Visit::Open;
                path.push((dependency, 0));
            }
        }
    }
    None
}
