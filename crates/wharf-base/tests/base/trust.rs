//! The chain of trust, link by link: a small archive on disk, signed by a key of its own, and each link broken in turn.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use pgp::{
    composed::{ArmorOptions, CleartextSignedMessage, KeyType, SecretKeyParamsBuilder, SignedSecretKey},
    types::Password,
};
use wharf_base::{BaseError, BaseSettings, Bases, Context, Mirrors, Options, Unobserved};
use wharf_http::Client;
use wharf_oci::{Digest, Platform};
use wharf_tree::FollowLast;

use crate::setup::{Setup, chain};

struct Archive {
    folder: tempfile::TempDir,
    key: SignedSecretKey,
}

/// What a Release file says besides its hashes.
const RELEASE: &str = "Origin: Test\nSuite: test\nCodename: test\nArchitectures: amd64\nComponents: main\n";

fn key() -> SignedSecretKey {
    let params = SecretKeyParamsBuilder::default()
        .key_type(KeyType::Ed25519Legacy)
        .can_sign(true)
        .primary_user_id("archive".into())
        .build()
        .unwrap();
    params.generate(rand::thread_rng()).unwrap()
}

fn sign(text: &str, key: &SignedSecretKey) -> String {
    let message =
        CleartextSignedMessage::sign(rand::thread_rng(), text, &key.primary_key, &Password::empty());
    message
        .unwrap()
        .to_armored_string(ArmorOptions::default())
        .unwrap()
}

fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder
            .append_data(&mut header, path, content.as_bytes())
            .unwrap();
    }
    builder.into_inner().unwrap()
}

fn deb() -> Vec<u8> {
    let mut archive = ar::Builder::new(Vec::new());
    let control = "Package: a\nVersion: 1\nArchitecture: all\nDescription: a\n";
    for (name, content) in [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar", tar(&[("./control", control)])),
        ("data.tar", tar(&[("./usr/share/a", "hello")])),
    ] {
        let header = ar::Header::new(name.as_bytes().to_vec(), content.len() as u64);
        archive.append(&header, content.as_slice()).unwrap();
    }
    archive.into_inner().unwrap()
}

impl Archive {
    fn new() -> Self {
        let archive = Self {
            folder: tempfile::tempdir().unwrap(),
            key: key(),
        };
        let deb = deb();
        archive.write("repo/pool/a.deb", &deb);
        let packages = format!(
            "Package: a\nVersion: 1\nArchitecture: all\nFilename: pool/a.deb\nSize: {}\nSHA256: {}\n",
            deb.len(),
            Digest::of(&deb).hex()
        );
        archive.write("repo/dists/test/main/binary-amd64/Packages", packages.as_bytes());
        archive.release(RELEASE, &archive.key);
        let list = format!(
            "deb [signed-by=/key.asc] file:{} test main\n",
            archive.path("repo").display()
        );
        archive.write("etc/apt/sources.list", list.as_bytes());
        let public = archive
            .key
            .to_public_key()
            .to_armored_string(ArmorOptions::default())
            .unwrap();
        archive.write("key.asc", public.as_bytes());
        archive
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, content: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn edit(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(from), "{text}");
        self.write(path, text.replace(from, to).as_bytes());
    }

    /// Writes an InRelease that vouches for the index.
    fn release(&self, fields: &str, key: &SignedSecretKey) {
        let packages = fs::read(self.path("repo/dists/test/main/binary-amd64/Packages")).unwrap();
        let (hash, size) = (Digest::of(&packages).hex(), packages.len());
        let text = format!("{fields}SHA256:\n {hash} {size} main/binary-amd64/Packages\n");
        self.write("repo/dists/test/InRelease", sign(&text, key).as_bytes());
    }

    /// Makes a base of the archive's one package.
    fn make(&self) -> Result<String, BaseError> {
        let setup = Setup::new();
        let context = Context {
            store: setup.store.clone(),
            client: Client::new(wharf_http::Options::default()),
            observer: Arc::new(Unobserved),
        };
        let options = Options {
            host_root: self.folder.path().to_owned(),
            mirrors: Mirrors::default(),
            lifetime: Duration::ZERO,
            now: SystemTime::now(),
        };
        let bases = Bases::new(context, options)?;
        let table = "apt = 'host'\nvariant = 'custom'\npackages = ['a']"
            .parse::<toml::Table>()
            .unwrap();
        let settings = BaseSettings::try_from(table).unwrap();
        let platform = Platform::new("linux", "amd64", "");
        let resolution = setup
            .runtime
            .block_on(bases.resolve("test", &settings, &platform, None))?;
        let chroot = crate::chroot::Chroot {
            store: setup.store.clone(),
            folder: Path::new("/nowhere").to_owned(),
        };
        let base = setup
            .runtime
            .block_on(bases.make(&resolution, Arc::new(chroot)))?;
        let tree = setup.tree(&base);
        assert!(tree.lookup("usr/share/a", FollowLast::Yes).is_ok());
        let status = tree
            .lookup("var/lib/dpkg/status", FollowLast::Yes)
            .unwrap()
            .entry
            .clone();
        let wharf_tree::Node::File { digest, .. } = status.node else {
            panic!("{status:?}")
        };
        Ok(String::from_utf8(setup.store.read_blob(&digest, 1 << 20).unwrap()).unwrap())
    }
}

#[test]
fn an_archive_in_order_gives_a_base_without_running_anything() {
    let status = Archive::new()
        .make()
        .unwrap_or_else(|error| panic!("{}", chain(&error)));
    assert!(
        status.starts_with("Package: a\nStatus: install ok installed\n"),
        "{status}"
    );
}

#[test]
fn every_broken_link_is_an_error() {
    type Break = fn(&Archive);
    let cases: &[(&str, Break, &str)] = &[
        (
            "text",
            |archive| archive.edit("repo/dists/test/InRelease", "Origin: Test", "Origin: Evil"),
            "does not match the text",
        ),
        (
            "signer",
            |archive| archive.release(RELEASE, &key()),
            "is not among the trusted keys",
        ),
        (
            "unsigned",
            |archive| archive.write("repo/dists/test/InRelease", RELEASE.as_bytes()),
            "not an OpenPGP signed text",
        ),
        (
            "absent",
            |archive| fs::remove_file(archive.path("repo/dists/test/InRelease")).unwrap(),
            "has no suite `test`",
        ),
        (
            "suite",
            |archive| archive.release(&RELEASE.replace(": test", ": other"), &archive.key),
            "asked for suite `test`, the archive sent `other`",
        ),
        (
            "age",
            |archive| {
                let old = format!("{RELEASE}Valid-Until: Sat, 18 Jul 2020 10:16:37 UTC\n");
                archive.release(&old, &archive.key);
            },
            "expired at 2020-07-18",
        ),
        (
            "hash",
            |archive| {
                let weak = format!("{RELEASE}MD5Sum:\n d41d8cd98f00b204e9800998ecf8427e 0 main/x\n");
                archive.write("repo/dists/test/InRelease", sign(&weak, &archive.key).as_bytes());
            },
            "offers no SHA-256",
        ),
        (
            "index",
            |archive| {
                archive.edit(
                    "repo/dists/test/main/binary-amd64/Packages",
                    "Version: 1",
                    "Version: 2",
                );
            },
            "its hash is not the one in the Release file",
        ),
        (
            "package",
            |archive| {
                let mut bytes = fs::read(archive.path("repo/pool/a.deb")).unwrap();
                *bytes.last_mut().unwrap() ^= 1;
                archive.write("repo/pool/a.deb", &bytes);
            },
            "has another hash than the archive says",
        ),
        (
            "keys",
            |archive| archive.write("key.asc", b"no key"),
            "holds no archive keys",
        ),
    ];
    for (name, broken, message) in cases {
        let archive = Archive::new();
        broken(&archive);
        let error = archive.make().unwrap_err();
        assert!(chain(&error).contains(message), "{name}: {}", chain(&error));
    }
}
