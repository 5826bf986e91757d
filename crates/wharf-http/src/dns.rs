//! Host names → addresses, without `getaddrinfo`: loopback names, then `/etc/hosts`, then the name servers of
//! `/etc/resolv.conf`.
//!
//! A name that `/etc/hosts` knows is never asked of a name server, not even for its other address family: a machine
//! without a working name server must reach its own registry without waiting for one. Without `resolv.conf` the name
//! server is loopback's, as resolv.conf(5) says; a public one is never made up.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, OnceLock},
};

use hickory_resolver::{
    TokioResolver,
    config::{LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The name server says that this host does not exist.
#[derive(Debug)]
pub(crate) struct NoSuchHost(String);

impl fmt::Display for NoSuchHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no address is known for `{}`", self.0)
    }
}

impl std::error::Error for NoSuchHost {}

/// The resolver of a client. The name servers are read at the first name that needs them.
#[derive(Clone, Default)]
pub(crate) struct Resolver {
    servers: Arc<OnceLock<TokioResolver>>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.addresses(name.as_str()).await?;
            let sockets = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(sockets) as Addrs)
        })
    }
}

impl Resolver {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, crate::error::Source> {
        let local = local_addresses(host, &read_hosts().await);
        if !local.is_empty() {
            return Ok(local);
        }
        match self.servers()?.lookup_ip(host).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) if error.is_nx_domain() || error.is_no_records_found() => {
                Err(Box::new(NoSuchHost(host.to_owned())))
            }
            Err(error) => Err(Box::new(error)),
        }
    }

    fn servers(&self) -> Result<&TokioResolver, NetError> {
        if let Some(servers) = self.servers.get() {
            return Ok(servers);
        }
        let servers = name_servers()?;
        Ok(self.servers.get_or_init(|| servers))
    }
}

fn name_servers() -> Result<TokioResolver, NetError> {
    let mut builder = TokioResolver::builder_tokio().unwrap_or_else(|_| {
        let loopback = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![loopback]);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    });
    let options = builder.options_mut();
    // Both families, so that a connection can fall back from one to the other.
    options.ip_strategy = LookupIpStrategy::Ipv6AndIpv4;
    options.use_hosts_file = ResolveHosts::Never;
    builder.build()
}

/// The text of `/etc/hosts`; a machine without one has no entries.
async fn read_hosts() -> String {
    let read: io::Result<Vec<u8>> = tokio::task::spawn_blocking(|| std::fs::read("/etc/hosts"))
        .await
        .unwrap_or_else(|_| Ok(Vec::new()));
    String::from_utf8_lossy(&read.unwrap_or_default()).into_owned()
}

/// The addresses that this machine itself knows for `host`: hosts(5), then RFC 6761 for `localhost` and below it.
fn local_addresses(host: &str, hosts: &str) -> Vec<IpAddr> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let listed: Vec<IpAddr> = hosts.lines().filter_map(|line| address_of(line, host)).collect();
    let loopback = host
        .rsplit('.')
        .next()
        .is_some_and(|last| last.eq_ignore_ascii_case("localhost"));
    if listed.is_empty() && loopback {
        return vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    }
    listed
}

/// The address of a line of hosts(5) that names `host`.
fn address_of(line: &str, host: &str) -> Option<IpAddr> {
    let entry = line.split('#').next().unwrap_or_default();
    let mut words = entry.split_whitespace();
    let address = words.next()?.parse().ok()?;
    words
        .any(|name| name.eq_ignore_ascii_case(host))
        .then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: &str = "\
127.0.0.1 localhost
::1 localhost ip6-localhost # loopback
10.1.2.3\tregistry.example.test Registry
# 10.9.9.9 gone
not-an-address other
";

    fn local(host: &str) -> Vec<String> {
        local_addresses(host, HOSTS)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn hosts_file_names_and_aliases() {
        assert_eq!(local("registry.example.test"), ["10.1.2.3"]);
        assert_eq!(local("registry"), ["10.1.2.3"]);
        assert_eq!(local("registry.example.test."), ["10.1.2.3"]);
        assert_eq!(local("localhost"), ["127.0.0.1", "::1"]);
        assert!(local("gone").is_empty());
        assert!(local("other").is_empty());
        assert!(local("loopback").is_empty());
    }

    #[test]
    fn localhost_needs_no_hosts_file() {
        let names = ["localhost", "LOCALHOST", "web.localhost"];
        for name in names {
            assert_eq!(local_addresses(name, "").len(), 2, "{name}");
        }
        assert!(local_addresses("localhost.example.test", "").is_empty());
    }

    #[tokio::test]
    async fn this_machine_resolves_localhost() {
        let addresses = Resolver::default().addresses("localhost").await.unwrap();
        assert!(
            addresses.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)),
            "{addresses:?}"
        );
    }
}
