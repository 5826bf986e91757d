//! What the machine has registered for foreign programs: for messages only, since whether it works is tried.
//!
//! Documentation/admin-guide/binfmt-misc.rst.

use std::{fs, path::Path};

const REGISTERED: &str = "/proc/sys/fs/binfmt_misc";

/// Says which registered emulator would run `program`, and why it does not.
pub(super) fn describe(program: &[u8]) -> String {
    describe_in(Path::new(REGISTERED), program)
}

fn describe_in(folder: &Path, program: &[u8]) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let texts = entries.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let handlers: Vec<Handler> = texts.filter_map(|text| Handler::parse(&text)).collect();
    match handlers.iter().find(|handler| handler.is_for(program)) {
        None => "no emulator is registered for them".to_owned(),
        Some(handler) if !handler.enabled => format!("{}, which is registered, is disabled", handler.program),
        Some(handler) if !handler.flags.contains('F') => format!(
            "{} is registered without the flag F, so that it would have to be in the image",
            handler.program
        ),
        Some(handler) => format!("{}, which is registered, does not run one", handler.program),
    }
}

struct Handler {
    enabled: bool,
    program: String,
    flags: String,
    magic: Vec<u8>,
    mask: Vec<u8>,
}

impl Handler {
    /// An entry as the kernel shows it; one that goes by names of files is none here.
    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name))
                .map(str::trim)
        };
        Some(Self {
            enabled: text.lines().next()? == "enabled",
            program: field("interpreter ")?.to_owned(),
            flags: field("flags:").unwrap_or_default().to_owned(),
            magic: hex(field("magic ")?)?,
            mask: field("mask ").and_then(hex).unwrap_or_default(),
        })
    }

    fn is_for(&self, program: &[u8]) -> bool {
        let mask = self.mask.iter().copied().chain(std::iter::repeat(0xff));
        let bytes = self.magic.iter().zip(program).zip(mask);
        self.magic.len() <= program.len() && bytes.into_iter().all(|((a, b), mask)| (a ^ b) & mask == 0)
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| Some(c.to_digit(16)? as u8)).collect();
    let digits = digits?;
    (digits.len() % 2 == 0).then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_registered_is_told() {
        let scratch = tempfile::tempdir().unwrap();
        let told = || describe_in(scratch.path(), b"\x7fELF\x02\x01\x00");
        assert_eq!(told(), "no emulator is registered for them");
        let entry = |state: &str, flags: &str| {
            let text = format!(
                "{state}\ninterpreter /q\nflags: {flags}\noffset 0\nmagic 7f454c460201\nmask ffffffffff00\n"
            );
            fs::write(scratch.path().join("qemu"), text).unwrap();
        };
        entry("disabled", "F");
        assert!(told().contains("is disabled"));
        entry("enabled", "OC");
        assert!(told().contains("without the flag F"));
        entry("enabled", "OCF");
        assert!(told().contains("does not run one"));
        fs::write(scratch.path().join("status"), "enabled\n").unwrap();
        fs::write(
            scratch.path().join("other"),
            "enabled\ninterpreter /x\nmagic 7f45zz\n",
        )
        .unwrap();
        assert!(told().contains("does not run one"));
    }
}
