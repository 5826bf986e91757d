//! Dockerfiles that nobody would write: lowering says what is wrong, and does not panic.

use std::{fs, path::Path};

use wharf_dockerfile::parse_bytes;
use wharf_graph::{Bases, lower, required_bases};

use crate::{base_image, options};

/// A stream of numbers that is the same every time (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

/// Bytes that mean something somewhere.
const ODD: &[u8] = b"$\\\"'{}=,<\n\0\xff/@:[]*#-";

/// One change: a line goes, comes twice, changes places, loses its end, or gets a byte that it should not have.
fn mutate(lines: &mut Vec<Vec<u8>>, all: &[Vec<u8>], numbers: &mut Numbers) {
    let at = numbers.below(lines.len());
    let other = numbers.below(all.len());
    match numbers.below(6) {
        0 if lines.len() > 1 => drop(lines.remove(at)),
        1 => lines.insert(at, all[other].clone()),
        2 => {
            let to = numbers.below(lines.len());
            lines.swap(at, to);
        }
        3 => {
            let end = numbers.below(lines[at].len() + 1);
            lines[at].truncate(end);
        }
        4 => {
            let place = numbers.below(lines[at].len() + 1);
            lines[at].insert(place, ODD[numbers.below(ODD.len())]);
        }
        _ => lines[at].extend_from_slice(&all[other]),
    }
}

fn lower_whatever_it_is(text: &[u8]) {
    let dockerfile = parse_bytes(text).dockerfile;
    let options = options::plain();
    let mut bases = Bases::new();
    while let Ok(wanted) = required_bases(&dockerfile, &options, &bases) {
        if wanted.is_empty() {
            break;
        }
        for request in wanted {
            let image = base_image(&request.source, &request.platform, &options::KnownBases::new());
            bases.insert(request, image);
        }
    }
    // Either is fine.
    let _ = lower(&dockerfile, &options, &bases);
}

#[test]
fn mutants_do_not_panic() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let case = fs::read_to_string(path).unwrap();
            let (_, text) = case.split_once("---\n").unwrap();
            files.push(
                text.lines()
                    .map(|line| line.as_bytes().to_vec())
                    .collect::<Vec<_>>(),
            );
        }
    }
    let all: Vec<Vec<u8>> = files.iter().flatten().cloned().collect();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for round in 0..40 {
        for file in &files {
            let mut lines = file.clone();
            for _ in 0..=round % 5 {
                mutate(&mut lines, &all, &mut numbers);
            }
            lower_whatever_it_is(&lines.join(&b'\n'));
        }
    }
}
