//! Contexts with what one does not expect in them.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net::UnixListener,
    },
};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::context::TestContext;

#[test]
fn thousands_of_files() {
    let context = TestContext::new();
    for number in 0..1500 {
        context.write(format!("many/{}/{number}", number % 30), &number.to_string());
    }
    context.write("Dockerfile", "FROM scratch\nCOPY many /many\n");
    let output = format!("type=local,dest={}", context.out("files").display());
    context.wharf(["build", "-o", &output, "."]).success();
    let copied = context.out("files/many/17/1487");
    assert_eq!(fs::read_to_string(copied).expect("the last of them"), "1487");
    context.write("many/3/3", "changed");
    context.wharf(["build", "-o", &output, "."]).success();
    assert_eq!(
        fs::read_to_string(context.out("files/many/3/3")).expect("still there"),
        "changed"
    );
}

#[test]
fn names_that_are_not_utf8() {
    let context = TestContext::new();
    let name = OsStr::from_bytes(b"caf\xe9 \xff");
    context.write("Dockerfile", "FROM scratch\nCOPY names /names\n");
    fs::create_dir(context.path("names")).expect("a new directory");
    fs::write(context.path("names").join(name), "x").expect("any name will do");
    for output in ["type=local,dest=../out/files", "type=oci,dest=../out/oci.tar"] {
        context.wharf(["build", "-o", output, "."]).success();
    }
    assert_eq!(
        fs::read(context.out("files/names").join(name)).expect("the name is kept"),
        b"x"
    );
}

#[test]
fn sockets_are_left_out_and_fifos_copied() {
    let context = TestContext::new();
    let _socket = UnixListener::bind(context.path("socket")).expect("a short path");
    mknodat(CWD, context.path("fifo"), FileType::Fifo, Mode::from(0o640), 0).expect("anybody makes fifos");
    fs::set_permissions(context.path("fifo"), fs::Permissions::from_mode(0o640)).expect("it is ours");
    context.write("Dockerfile", "FROM scratch\nCOPY . /all\n");
    context
        .wharf(["build", "-o", "type=local,dest=../out/files", "."])
        .success();
    let fifo = fs::symlink_metadata(context.out("files/all/fifo")).expect("the fifo is copied");
    assert!(fifo.file_type().is_fifo() && fifo.mode() & 0o777 == 0o640);
    assert!(!context.out("files/all/socket").exists());
}

#[test]
fn hard_links_and_long_names() {
    let context = TestContext::new();
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(255));
    context.write(&long, "x");
    fs::hard_link(context.path(&long), context.path("other")).expect("a new name");
    context.write("Dockerfile", "FROM scratch\nCOPY . /\n");
    let outputs = [
        "-o",
        "type=local,dest=../out/files",
        "-o",
        "type=oci,dest=../out/oci.tar",
    ];
    context
        .wharf(["build"].iter().chain(&outputs).chain(&["."]))
        .success();
    assert_eq!(
        fs::read(context.out("files").join(&long)).expect("the long name"),
        b"x"
    );
    assert_eq!(
        fs::read(context.out("files/other")).expect("the other name"),
        b"x"
    );
}

#[test]
fn a_symlink_out_of_the_context_is_copied_as_a_link() {
    let context = TestContext::new();
    std::os::unix::fs::symlink("/etc/hostname", context.path("away")).expect("a new name");
    context.write("dir/file", "x");
    std::os::unix::fs::symlink("../..", context.path("dir/up")).expect("a new name");
    context.write("Dockerfile", "FROM scratch\nCOPY dir /dir\nCOPY . /all\n");
    context
        .wharf(["build", "-o", "type=local,dest=../out/files", "."])
        .success();
    assert_eq!(
        fs::read_link(context.out("files/all/away"))
            .expect("a link")
            .as_os_str(),
        "/etc/hostname"
    );
    assert_eq!(
        fs::read_link(context.out("files/dir/up"))
            .expect("a link")
            .as_os_str(),
        "../.."
    );
    context.write("Dockerfile", "FROM scratch\nCOPY dir/up/etc /etc\n");
    context.wharf(["build", "."]).exits(2);
}

#[test]
fn an_unreadable_file_matters_only_when_it_is_taken() {
    let Some(user) = crate::user::User::with_one_id() else {
        return;
    };
    let context = TestContext::of(Some(user));
    let closed = context.write("closed", "x");
    context.write("open", "x");
    context.write("Dockerfile", "FROM scratch\nCOPY open /\n");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o0)).expect("it is ours");
    context.wharf(["build", "."]).success();
    context.write("Dockerfile", "FROM scratch\nCOPY . /\n");
    let failed = context.wharf(["build", "."]).exits(3);
    failed.says("closed");
}
