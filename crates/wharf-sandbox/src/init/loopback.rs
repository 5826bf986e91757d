//! The network of a namespace of its own, as far as it is made inside.

use std::io::Write;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::target::Inner;
use crate::{SetupError, error::Doing, kernel};

/// Brings up the loopback device.
pub(super) fn bring_up() -> Result<(), SetupError> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
    let socket = socket.doing("make a socket", "")?;
    kernel::bring_up(socket, "lo").doing("bring up the loopback device", "")
}

/// Lets every user listen on low ports and use ping, as Docker does in a network of its own.
pub(super) fn open_ports(inner: &Inner) {
    for (setting, value) in [
        ("ip_unprivileged_port_start", "0"),
        ("ping_group_range", "0 2147483647"),
    ] {
        let path = format!("/proc/sys/net/ipv4/{setting}");
        // A convenience: a kernel that refuses leaves the ports to root, and a namespace with few ids has a smaller range.
        if let Ok(mut file) = inner.open_to_write(path.as_ref()) {
            let _ = file.write_all(value.as_bytes());
        }
    }
}
