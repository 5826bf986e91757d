//! System calls that the safe wrappers lack or rightly leave unsafe. All but [`lower_dumpable`] are for processes of one thread.

use std::{
    ffi::{CStr, CString},
    io,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    ptr,
};

use rustix::{mount::MountAttrFlags, process::Pid, thread::UnshareFlags};

/// Which side of a fork this is.
pub(crate) enum Fork {
    Parent(Pid),
    Child,
}

/// Makes a copy of this process, which must have one thread only.
#[allow(unsafe_code)]
pub(crate) fn fork() -> io::Result<Fork> {
    // SAFETY: the sandbox's first processes start no thread, so the copy is whole.
    let pid = unsafe { libc::fork() };
    match Pid::from_raw(check(pid.into())? as i32) {
        Some(pid) => Ok(Fork::Parent(pid)),
        None => Ok(Fork::Child),
    }
}

/// The same, with the copy as the first process of a new pid namespace; other children of this process stay outside of it.
#[allow(unsafe_code)]
pub(crate) fn fork_as_first() -> io::Result<Fork> {
    let flags = libc::CLONE_NEWPID | libc::SIGCHLD;
    // SAFETY: as for fork; glibc's own record of the thread's number stays the parent's, which nothing here asks for, and is
    // set right by the next fork.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::c_long::from(flags), 0, 0, 0, 0) };
    match Pid::from_raw(check(pid)? as i32) {
        Some(pid) => Ok(Fork::Parent(pid)),
        None => Ok(Fork::Child),
    }
}

/// Moves this process into new namespaces.
#[allow(unsafe_code)]
pub(crate) fn unshare(namespaces: UnshareFlags) -> io::Result<()> {
    // SAFETY: only namespaces are asked for; file tables stay shared as they are.
    unsafe { rustix::thread::unshare_unsafe(namespaces) }.map_err(Into::into)
}

/// Adds restrictions to a mount, or to it and all below it.
#[allow(unsafe_code)]
pub(crate) fn restrict(mount: impl AsFd, attributes: MountAttrFlags, recursive: bool) -> io::Result<()> {
    let set = libc::mount_attr {
        attr_set: u64::from(attributes.bits()),
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    let fd = mount.as_fd().as_raw_fd();
    // SAFETY: path and structure live through the call, and the size is the structure's.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd,
            c"".as_ptr(),
            flags,
            &raw const set,
            size_of_val(&set),
        )
    };
    check(done).map(drop)
}

/// Installs a filter of `struct sock_filter`s for this process and what it starts.
#[allow(unsafe_code)]
pub(crate) fn install_filter(program: &[u8]) -> io::Result<()> {
    let mut instructions: Vec<libc::sock_filter> = program.chunks_exact(8).map(instruction).collect();
    let program = libc::sock_fprog {
        len: instructions.len() as u16,
        filter: instructions.as_mut_ptr(),
    };
    let install = |flags: libc::c_ulong| {
        // SAFETY: the program and its instructions live through the call; the kernel copies them.
        let done = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &raw const program,
            )
        };
        check(done).map(drop)
    };
    // As runc does: filtered programs are not slowed down by store-bypass mitigation.
    install(libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW).or_else(|_| install(0))
}

fn instruction(bytes: &[u8]) -> libc::sock_filter {
    libc::sock_filter {
        code: u16::from_ne_bytes([bytes[0], bytes[1]]),
        jt: bytes[2],
        jf: bytes[3],
        k: u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
    }
}

/// Closes every descriptor but the three streams: what the caller did not mark as its own.
#[allow(unsafe_code)]
pub(crate) fn close_others() {
    // SAFETY: called before anything is opened, so that no owner loses what it has. A kernel without the call keeps them open.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
}

/// Lets no descriptor but the three streams survive an exec.
#[allow(unsafe_code)]
pub(crate) fn close_others_on_exec() -> io::Result<()> {
    let flag = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: descriptors are marked, none is closed under its owner.
    check(unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, flag) }).map(drop)
}

/// Becomes another program; returns only the reason why not.
#[allow(unsafe_code)]
pub(crate) fn execute(program: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error {
    let list = |texts: &[CString]| -> Vec<*const libc::c_char> {
        texts
            .iter()
            .map(|text| text.as_ptr())
            .chain([ptr::null()])
            .collect()
    };
    let (arguments, environment) = (list(arguments), list(environment));
    // SAFETY: all strings end in a nul, both lists in a null, and live through the call.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// Gives this process an empty session keyring, so that it cannot reach the caller's.
#[allow(unsafe_code)]
pub(crate) fn leave_keyring() {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_ulong = 1;
    // SAFETY: no memory is passed. A kernel without keyrings has nothing to leave.
    unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0) };
}

/// Holds back the signal of ended children; they are read from the descriptor instead.
#[allow(unsafe_code)]
pub(crate) fn ended_children() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised before use, and the new descriptor belongs to nobody else.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        check(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()).into())?;
        let fd = check(libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC).into())?;
        Ok(OwnedFd::from_raw_fd(fd as i32))
    }
}

/// Gives every signal its default meaning and lets all through.
#[allow(unsafe_code)]
pub(crate) fn reset_signals() {
    // Four words of zeros are the kernel's own structure for "default", on every architecture; glibc's call would pass over
    // the signals that it uses itself, which a caller may have ignored all the same.
    let default = [0_u64; 4];
    // SAFETY: no handler is installed; signals that cannot be reset answer with an error that changes nothing.
    unsafe {
        for signal in 1..=64 {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                ptr::null::<u64>(),
                8,
            );
        }
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
    }
}

/// Sets the flags of a network device of this process's namespace.
#[allow(unsafe_code)]
pub(crate) fn bring_up(socket: impl AsFd, device: &str) -> io::Result<()> {
    // SAFETY: the structure is plain data, its name shorter than its field, and it lives through the call.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name[..libc::IFNAMSIZ - 1]
            .iter_mut()
            .zip(device.bytes())
        {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        let fd = socket.as_fd().as_raw_fd();
        check(libc::ioctl(fd, libc::SIOCSIFFLAGS, &raw const request).into()).map(drop)
    }
}

/// Hides this process's memory and environment from others of the same user.
pub(crate) fn lower_dumpable() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    // The kernel knows this since 2.3; a refusal would leave things as they are on any system.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
