//! A root that this program serves: a directory of the machine, read-only, as small as a FUSE server can be.

use std::{
    ffi::OsStr,
    fs, io,
    os::fd::{AsRawFd, OwnedFd},
    os::unix::{
        ffi::OsStrExt,
        fs::{FileExt, MetadataExt},
    },
    path::PathBuf,
    sync::Mutex,
    thread,
    time::{Duration, UNIX_EPOCH},
};

use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation, INodeNo, LockOwner, OpenFlags,
    ReplyAttr, ReplyData, ReplyDirectory, ReplyEntry, Request, Session, SessionACL,
};
use wharf_sandbox::{Exit, Fuse, Io, Large, Mount, Root, SandboxError, Spec, SyntheticFile};

use crate::{Case, rig::Rig};

pub(crate) const CASES: &[Case] = &[
    ("a_served_root", a_served_root),
    ("a_server_that_gives_up", a_server_that_gives_up),
    ("a_layer_that_is_refused", a_layer_that_is_refused),
    ("a_root_made_ahead", a_root_made_ahead),
    ("a_root_made_ahead_for_nobody", a_root_made_ahead_for_nobody),
];

fn a_served_root(rig: &Rig) {
    let (upper, work) = rig.fresh_upper();
    let mut spec = rig.script("cat /etc/motd; echo new > /etc/new; ls /etc; grep -c fuse /proc/mounts; awk '$2 == \"/\" {print $3}' /proc/mounts");
    fs::write(rig.root().join("etc/motd"), "served\n").unwrap();
    spec.root = Root::FuseOverlay {
        upper: upper.clone(),
        work,
        large: None,
    };
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut running = rig
        .sandbox
        .start(&spec, Io::output_to(writer.into()).unwrap())
        .unwrap();
    let Fuse {
        connection,
        large,
        processes,
    } = running.fuse().unwrap();
    assert!(large.is_none());
    let server = serve(rig, connection);
    assert_eq!(processes.is_none(), rig.sandbox.shares_processes());
    if let Some(processes) = &processes {
        let name = fs::read_to_string(format!("/proc/self/fd/{}/1/comm", processes.as_raw_fd()));
        assert_eq!(name.unwrap(), "wharf-init\n", "the sandbox's own first process");
    }
    running.served().unwrap();
    let mut output = String::new();
    std::io::Read::read_to_string(&mut reader, &mut output).unwrap();
    assert_eq!(running.wait().unwrap(), Exit::Code(0), "{output}");
    // The lower file system is not to be seen.
    assert_eq!(output, "served\nhosts\nmotd\nnew\nresolv.conf\n0\noverlay\n");
    server.join().unwrap().unwrap();
    assert_eq!(
        fs::read_dir(upper).unwrap().count(),
        1,
        "the upper directory holds /etc and no mount point"
    );
}

/// What runs in it comes later than its mounts, and goes earlier, with what it leaves running.
fn a_root_made_ahead(rig: &Rig) {
    let (upper, work) = rig.fresh_upper();
    fs::write(rig.root().join("etc/motd"), "served\n").unwrap();
    let root = Root::FuseOverlay {
        upper: upper.clone(),
        work,
        large: None,
    };
    let directory = |target: &str, text: &str| Mount::Directory {
        target: target.into(),
        files: vec![SyntheticFile::public("text", text.repeat(5000).into_bytes())],
    };
    let mut like = Spec::new(root.clone(), Vec::new());
    like.mounts = vec![directory("/none", "not there\n"), directory("/none", "there\n")];
    let mut ahead = rig.sandbox.start_ahead(&like).unwrap();
    let server = serve(rig, ahead.running().fuse().unwrap().connection);
    ahead.running().served().unwrap();

    let mut spec =
        rig.script("cat /etc/motd; hostname; head -n 1 /mnt/dir/text /run/wharf/ca/text; wc -l < /run/wharf/ca/text; (sleep 1000; echo late > /etc/late) & echo new > /etc/new");
    "other".clone_into(&mut spec.hostname);
    spec.root = root;
    spec.mounts = vec![
        directory("/run/wharf/ca", "there\n"),
        directory("/mnt/dir", "new\n"),
    ];
    assert!(!ahead.fits(&spec));
    "wharf".clone_into(&mut spec.hostname);
    assert!(ahead.fits(&spec));
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut running = rig
        .sandbox
        .start_in(ahead, &spec, Io::output_to(writer.into()).unwrap())
        .unwrap();
    running.ready().unwrap();
    assert_eq!(running.ended().unwrap(), Exit::Code(0));
    let mut output = String::new();
    // It ends, for nobody is left who could write.
    std::io::Read::read_to_string(&mut reader, &mut output).unwrap();
    assert_eq!(
        output,
        "served\nwharf\n==> /mnt/dir/text <==\nnew\n\n==> /run/wharf/ca/text <==\nthere\n5000\n"
    );
    assert!(!server.is_finished(), "it is mounted");
    assert!(upper.join("etc/new").exists());
    assert_eq!(running.wait().unwrap(), Exit::Code(0));
    server.join().unwrap().unwrap();
}

/// Nothing is left of a root in which nothing ever ran.
fn a_root_made_ahead_for_nobody(rig: &Rig) {
    let (upper, work) = rig.fresh_upper();
    let root = Root::FuseOverlay {
        upper,
        work,
        large: None,
    };
    let mut ahead = rig.sandbox.start_ahead(&Spec::new(root, Vec::new())).unwrap();
    let server = serve(rig, ahead.running().fuse().unwrap().connection);
    ahead.running().served().unwrap();
    drop(ahead);
    server.join().unwrap().unwrap();
}

fn serve(rig: &Rig, connection: OwnedFd) -> thread::JoinHandle<io::Result<()>> {
    let root = rig.root();
    thread::spawn(move || {
        let mut config = Config::default();
        config.acl = SessionACL::All;
        let session = Session::from_fd(Served::new(root), connection, SessionACL::All, config).unwrap();
        session.run()
    })
}

/// Without the directories that it wants, as with a kernel that knows no such layer, the root is that of the first connection.
fn a_layer_that_is_refused(rig: &Rig) {
    let (upper, work) = rig.fresh_upper();
    let mut spec = rig.script("cat /etc/motd");
    fs::write(rig.root().join("etc/motd"), "served\n").unwrap();
    spec.root = Root::FuseOverlay {
        upper,
        work,
        large: Some(Large {
            layer: "none".to_owned(),
            data: "none".to_owned(),
            contents: rig.root(),
        }),
    };
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut running = rig
        .sandbox
        .start(&spec, Io::output_to(writer.into()).unwrap())
        .unwrap();
    let fuse = running.fuse().unwrap();
    let first = serve(rig, fuse.connection);
    let second = serve(rig, fuse.large.unwrap());
    let mut refused = false;
    running.served_in_layers(|| refused = true).unwrap();
    assert!(refused);
    let mut output = String::new();
    std::io::Read::read_to_string(&mut reader, &mut output).unwrap();
    assert_eq!(running.wait().unwrap(), Exit::Code(0), "{output}");
    assert_eq!(output, "served\n");
    for server in [first, second] {
        server.join().unwrap().unwrap();
    }
}

fn a_server_that_gives_up(rig: &Rig) {
    let (upper, work) = rig.fresh_upper();
    let mut spec = rig.script("true");
    spec.root = Root::FuseOverlay {
        upper,
        work,
        large: None,
    };
    let mut running = rig.sandbox.start(&spec, Io::null().unwrap()).unwrap();
    drop(running.fuse().unwrap());
    assert!(matches!(running.served(), Err(SandboxError::Setup(_))));
    assert!(running.wait().is_err());
}

/// Paths by inode number: the root is number 1, the others in the order in which they were asked for.
struct Served(Mutex<Vec<PathBuf>>);

const FOREVER: Duration = Duration::from_hours(1);

impl Served {
    fn new(root: PathBuf) -> Self {
        Self(Mutex::new(vec![root]))
    }

    fn path(&self, inode: INodeNo) -> PathBuf {
        self.0.lock().unwrap()[inode.0 as usize - 1].clone()
    }

    fn number(&self, path: PathBuf) -> u64 {
        let mut paths = self.0.lock().unwrap();
        let known = paths.iter().position(|other| *other == path);
        known.unwrap_or_else(|| {
            paths.push(path);
            paths.len() - 1
        }) as u64
            + 1
    }

    fn attributes(&self, path: PathBuf) -> Option<FileAttr> {
        let found = fs::symlink_metadata(&path).ok()?;
        Some(FileAttr {
            ino: INodeNo(self.number(path)),
            size: found.size(),
            blocks: found.blocks(),
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: kind(found.file_type()),
            perm: found.mode() as u16 & 0o7777,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }
}

fn kind(kind: fs::FileType) -> FileType {
    match (kind.is_dir(), kind.is_symlink()) {
        (true, _) => FileType::Directory,
        (_, true) => FileType::Symlink,
        _ => FileType::RegularFile,
    }
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.attributes(self.path(parent).join(name)) {
            Some(attributes) => reply.entry(&FOREVER, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(self.path(inode)) {
            Some(attributes) => reply.attr(&FOREVER, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn readlink(&self, _: &Request, inode: INodeNo, reply: ReplyData) {
        match fs::read_link(self.path(inode)) {
            Ok(target) => reply.data(target.as_os_str().as_bytes()),
            Err(_) => reply.error(Errno::EIO),
        }
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut buffer = vec![0; size as usize];
        match fs::File::open(self.path(inode)).and_then(|file| file.read_at(&mut buffer, offset)) {
            Ok(length) => reply.data(&buffer[..length]),
            Err(_) => reply.error(Errno::EIO),
        }
    }

    fn readdir(&self, _: &Request, inode: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let folder = self.path(inode);
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        for (place, entry) in entries.enumerate().skip(offset as usize) {
            let number = INodeNo(self.number(entry.path()));
            let kind = entry.file_type().map_or(FileType::RegularFile, kind);
            if reply.add(number, place as u64 + 1, kind, entry.file_name()) {
                break;
            }
        }
        reply.ok();
    }
}
