//! Networks of processes.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use wharf_sandbox::{Exit, Io, Network, Private, Publish, SandboxError};

use crate::{Case, rig::Rig};

pub(crate) const CASES: &[Case] = &[
    ("the_hosts_network", the_hosts_network),
    ("no_network", no_network),
    ("published_ports", published_ports),
    ("a_taken_port", a_taken_port),
    ("a_way_out_or_a_note", a_way_out_or_a_note),
];

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn the_hosts_network(rig: &Rig) {
    let listener = TcpListener::bind(local(0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || listener.accept().unwrap().0.write_all(b"host\n").unwrap());
    assert_eq!(rig.sh(&format!("nc 127.0.0.1 {port}")), "host\n");
    server.join().unwrap();
}

fn no_network(rig: &Rig) {
    let listener = TcpListener::bind(local(0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut spec = rig.script(&format!(
        "ls /sys/class/net; nc -w 1 127.0.0.1 {port} || echo alone; (echo hi | nc -l -p 80 &) ; sleep 0.2; nc 127.0.0.1 80"
    ));
    spec.network = Network::None;
    assert_eq!(
        rig.run(&spec).output,
        "lo\nnc: can't connect to remote host (127.0.0.1): Connection refused\nalone\nhi\n"
    );
}

fn published_ports(rig: &Rig) {
    let mut spec = rig.script("while :; do nc -l -p 80 -e cat; done");
    let publish = vec![Publish {
        host: local(0),
        container: 80,
    }];
    spec.network = Network::Private(Private {
        publish,
        egress: false,
    });
    let mut running = rig.sandbox.start(&spec, Io::null().unwrap()).unwrap();
    let address = running.published()[0];
    running.ready().unwrap();
    let killer = running.killer();
    let waiter = thread::spawn(move || running.wait());
    for text in ["first", "second"] {
        assert_eq!(echo(address, text), text);
    }
    killer.kill();
    assert_eq!(waiter.join().unwrap().unwrap(), Exit::Signal(9));
    assert!(
        TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_err(),
        "nobody listens any more"
    );
}

/// Asks until the server, which serves one after another, is there.
fn echo(address: SocketAddr, text: &str) -> String {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(20) {
        let mut answer = String::new();
        let asked = TcpStream::connect(address).and_then(|mut stream| {
            stream.write_all(text.as_bytes())?;
            stream.shutdown(std::net::Shutdown::Write)?;
            stream.read_to_string(&mut answer)
        });
        if asked.is_ok() && !answer.is_empty() {
            return answer;
        }
        thread::sleep(Duration::from_millis(30));
    }
    "no answer".to_owned()
}

fn a_taken_port(rig: &Rig) {
    let listener = TcpListener::bind(local(0)).unwrap();
    let host = listener.local_addr().unwrap();
    let mut spec = rig.script("true");
    spec.network = Network::Private(Private {
        publish: vec![Publish { host, container: 80 }],
        egress: false,
    });
    let error = rig.sandbox.start(&spec, Io::null().unwrap()).unwrap_err();
    assert!(
        matches!(&error, SandboxError::Publish { address, .. } if *address == host),
        "{error}"
    );
}

/// Where a tap device can be had there is a second device; elsewhere it is said why not, and the process runs.
fn a_way_out_or_a_note(rig: &Rig) {
    let mut spec = rig.script("ls /sys/class/net | wc -l; cat /proc/sys/net/ipv4/ip_unprivileged_port_start");
    spec.network = Network::Private(Private {
        publish: vec![],
        egress: true,
    });
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut running = rig
        .sandbox
        .start(&spec, Io::output_to(writer.into()).unwrap())
        .unwrap();
    let notes = running.ready().unwrap().notes;
    let mut output = String::new();
    reader.read_to_string(&mut output).unwrap();
    assert_eq!(running.wait().unwrap(), Exit::Code(0));
    let devices = if notes.is_empty() { 2 } else { 1 };
    assert_eq!(output, format!("{devices}\n0\n"), "{notes:?}");
    assert!(
        notes
            .iter()
            .all(|note| note.starts_with("no way out of the network: `pasta`")),
        "{notes:?}"
    );
    assert!(!fs::read_to_string("/proc/mounts").unwrap().contains("pasta"));
}
