//! Compressed layers are the same bytes on every machine: whatever processor, however many threads.

use std::{env, io::Write as _, path::Path, process::Command};

use wharf_oci::Hasher;
use wharf_tree::compress::{Compression, Compressor};

/// What layers are made of: text that repeats itself, numbers, noise. More than one chunk of either format.
fn sample() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut state = 0x2545_f491_u32;
    for line in 0_u32.. {
        if bytes.len() > (4 << 20) + (1 << 19) {
            break;
        }
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match line % 3 {
            0 => bytes.extend(format!("/usr/share/doc/package-{}/copyright\n", line % 97).into_bytes()),
            1 => bytes.extend(state.to_le_bytes()),
            _ => bytes.extend([line as u8; 24]),
        }
    }
    bytes
}

fn digest(compression: Compression, level: i32, threads: usize) -> String {
    let mut compressor = Compressor::new(Vec::new(), compression, level, threads);
    compressor.write_all(&sample()).expect("memory takes all");
    let bytes = compressor.finish().expect("memory takes all");
    let mut hasher = Hasher::new();
    hasher.update(&bytes);
    hasher.finish().to_string()
}

/// Formats and levels that flags can ask for, and what they give. A new version of an encoder may change these: then the
/// digests of images change, which the change log has to say.
const GOLDEN: &[(Compression, i32, &str)] = &[
    (
        Compression::Gzip,
        1,
        "sha256:0bc8ae0a5b51b484fd31be9898f5639d51c1625c16eb7555e6417678ba6cb12d",
    ),
    (
        Compression::Gzip,
        6,
        "sha256:e0fcacefd2d0485dc010e02d70078ae20bb9d0fc8cbabcbf304311f443c3ddb4",
    ),
    (
        Compression::Gzip,
        9,
        "sha256:73adfaae60914f090223cc4bc3db7e05a34425daf80eda4bb4a02e2523f97e86",
    ),
    (
        Compression::Zstd,
        1,
        "sha256:22f80dfae14115b9ded9f94edbac4bf5e1fe800fff9a2aff50509a2a4c253b86",
    ),
    (
        Compression::Zstd,
        3,
        "sha256:01984f79fb031989198e41ffd6d14070e231f9e5c3a7fbd6c7a03347f93ea421",
    ),
    (
        Compression::Zstd,
        9,
        "sha256:f508f0e0a26a260d9293bc0d38aa7abdf22fe4174f5b1b15865d164cdf97bddf",
    ),
];

#[test]
fn golden_digests() {
    let found = GOLDEN
        .iter()
        .map(|(compression, level, _)| digest(*compression, *level, 1));
    let expected: Vec<_> = GOLDEN.iter().map(|(_, _, digest)| *digest).collect();
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

#[test]
fn threads_do_not_count() {
    for (compression, level, _) in GOLDEN {
        assert_eq!(
            digest(*compression, *level, 4),
            digest(*compression, *level, 1),
            "{compression:?} {level}"
        );
    }
}

/// Encoders choose other code on processors that can do more: an old one, a middling one, all that the emulator knows.
#[test]
fn the_processor_does_not_count() {
    let emulator = Path::new("/usr/bin/qemu-x86_64-static");
    if !cfg!(target_arch = "x86_64") || !emulator.exists() {
        wharf_testkit::skip("qemu-x86_64-static, which plays other processors, is not there");
        return;
    }
    let program = env::current_exe().expect("a test knows its program");
    for processor in ["Nehalem", "Haswell", "max"] {
        let output = Command::new(emulator)
            .args(["-cpu", processor])
            .arg(&program)
            .args(["--exact", "golden_digests"])
            .output()
            .expect("the emulator starts");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{processor}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
