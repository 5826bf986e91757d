//! EXPOSE: `[ip:][host:]port[-port][/protocol]`.
//!
//! Address and host port mean nothing in an image and are accepted only because they always were (moby/buildkit#2173).

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A port, or a range of ports, of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExposedPorts {
    /// The container's ports.
    pub ports: RangeInclusive<u16>,
    /// `tcp`, `udp` or `sctp`, as written.
    pub protocol: String,
    /// Whether an address or a host port was given.
    pub is_mapping: bool,
}

/// A text that names no ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum PortError {
    #[error("invalid port: {0:?}: no port specified")]
    NoPort(String),
    #[error("invalid port: {port:?}: invalid proto: {protocol}")]
    UnknownProtocol { port: String, protocol: String },
    #[error("invalid IP address: {0}")]
    InvalidAddress(String),
    #[error("invalid containerPort: {0}")]
    InvalidContainerPort(String),
    #[error("invalid hostPort: {0}")]
    InvalidHostPort(String),
    #[error("invalid ranges specified for container and host Ports: {container} and {host}")]
    RangesDiffer { container: String, host: String },
}

impl ExposedPorts {
    /// The ports one by one as an image's configuration names them: `80/tcp`.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        let protocol = self.protocol.to_lowercase();
        self.ports.clone().map(move |port| format!("{port}/{protocol}"))
    }
}

impl FromStr for ExposedPorts {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        let (address, host, container) = split_mapping(text);
        let (container, protocol) = split_protocol(container, text)?;
        check_address(address)?;
        let ports = range(container).ok_or_else(|| PortError::InvalidContainerPort(container.to_owned()))?;
        if !host.is_empty() {
            check_host_ports(host, container, &ports)?;
        }
        let is_mapping = !address.is_empty() || !host.is_empty();
        Ok(Self {
            ports,
            protocol: protocol.to_owned(),
            is_mapping,
        })
    }
}

/// Address, host port and container port; what is absent is empty. The address may itself hold colons.
fn split_mapping(text: &str) -> (&str, &str, &str) {
    let Some((rest, container)) = text.rsplit_once(':') else {
        return ("", "", text);
    };
    match rest.rsplit_once(':') {
        Some((address, host)) => (address, host, container),
        None => ("", rest, container),
    }
}

fn split_protocol<'a>(port: &'a str, whole: &str) -> Result<(&'a str, &'a str), PortError> {
    let (port, protocol) = port.split_once('/').unwrap_or((port, ""));
    if port.is_empty() {
        return Err(PortError::NoPort(whole.to_owned()));
    }
    match protocol.to_lowercase().as_str() {
        "" => Ok((port, "tcp")),
        "tcp" | "udp" | "sctp" => Ok((port, protocol)),
        _ => Err(PortError::UnknownProtocol {
            port: whole.to_owned(),
            protocol: protocol.to_owned(),
        }),
    }
}

fn check_address(address: &str) -> Result<(), PortError> {
    let bare = address
        .strip_prefix('[')
        .and_then(|address| address.strip_suffix(']'))
        .unwrap_or(address);
    if bare.is_empty() || bare.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    Err(PortError::InvalidAddress(address.to_owned()))
}

/// As many host ports as container ports, or any number for one container port.
fn check_host_ports(host: &str, container: &str, ports: &RangeInclusive<u16>) -> Result<(), PortError> {
    let host_ports = range(host).ok_or_else(|| PortError::InvalidHostPort(host.to_owned()))?;
    if ports.len() == 1 || ports.len() == host_ports.len() {
        return Ok(());
    }
    Err(PortError::RangesDiffer {
        container: container.to_owned(),
        host: host.to_owned(),
    })
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (start, end) = text.split_once('-').unwrap_or((text, text));
    let (start, end) = (start.parse().ok()?, end.parse().ok()?);
    (start <= end).then_some(start..=end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&[&str], bool), &str>) {
        let found = text.parse::<ExposedPorts>();
        let found = match &found {
            Ok(ports) => Ok((ports.names().collect::<Vec<_>>(), ports.is_mapping)),
            Err(error) => Err(error.to_string()),
        };
        let expected = match expected {
            Ok((names, mapping)) => Ok((names.iter().map(ToString::to_string).collect(), mapping)),
            Err(error) => Err(error.to_owned()),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn ports() {
        check("80", Ok((&["80/tcp"], false)));
        check("80/UDP", Ok((&["80/udp"], false)));
        check("80/", Ok((&["80/tcp"], false)));
        check(
            "8000-8002/sctp",
            Ok((&["8000/sctp", "8001/sctp", "8002/sctp"], false)),
        );
        check("8080:80", Ok((&["80/tcp"], true)));
        check("127.0.0.1:8080:80/tcp", Ok((&["80/tcp"], true)));
        check("[::1]:8080:80", Ok((&["80/tcp"], true)));
        check("::1:8080:80", Ok((&["80/tcp"], true)));
        check("8000-9000:80", Ok((&["80/tcp"], true)));
        check("", Err("invalid port: \"\": no port specified"));
        check("/tcp", Err("invalid port: \"/tcp\": no port specified"));
        check("80/icmp", Err("invalid port: \"80/icmp\": invalid proto: icmp"));
        check("65536", Err("invalid containerPort: 65536"));
        check("9-8", Err("invalid containerPort: 9-8"));
        check("x:80", Err("invalid hostPort: x"));
        check("host:1:80", Err("invalid IP address: host"));
        check(
            "1-3:4-5",
            Err("invalid ranges specified for container and host Ports: 4-5 and 1-3"),
        );
    }
}
