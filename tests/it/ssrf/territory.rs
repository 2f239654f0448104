//! A network of the test's own (a Linux network namespace): every address that is not public exists in it, a listener
//! stands on each, and the simulated sites have a public one. So what the server dials is seen, whatever it is.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::process::Command;
use tokio::task::JoinSet;

use super::names::{self, Asked, MEDIA, SITES};
use super::spellings;
use crate::harness::upstream::{Door, Upstream};
use crate::harness::{Builder, Stage, skip};

/// Set inside the namespace.
const INSIDE: &str = "SERVERRS_OWN_NETWORK";
/// Ports that have listeners: those of the web, one beside them, and that of ingests.
const PORTS: [u16; 4] = [80, 443, 8080, INGEST];
/// Where ingests listen.
pub(super) const INGEST: u16 = 1935;
/// Where SRT targets listen, over UDP.
pub(super) const SRT: u16 = 9000;
/// Where connections are queued that nobody has accepted yet.
const BACKLOG: u32 = 1024;

/// The network from the inside, with a server that reaches the sites directly.
pub(crate) struct Territory {
    pub(crate) stage: Stage,
    pub(super) asked: Asked,
    seen: Seen,
    _tasks: JoinSet<()>,
}

/// Where a connection to each address ends, port 443: the system takes some for others.
pub(super) type Arrivals = HashMap<IpAddr, SocketAddr>;

/// Addresses that were dialled, or got a datagram.
type Dialled = Arc<Mutex<Vec<SocketAddr>>>;

/// Who came where.
#[derive(Clone, Default)]
struct Seen {
    /// To the sites' addresses.
    reached: Dialled,
    /// Anywhere else.
    trapped: Dialled,
}

impl Territory {
    /// Runs the calling test, whose full name is `test`, once more in a network of its own: there it gets the
    /// territory, here `None`.
    pub(crate) async fn enter(test: &str) -> Option<Self> {
        Self::enter_with(test, |builder, _| builder).await
    }

    /// As [`Territory::enter`], with further settings of the server.
    pub(super) async fn enter_with(
        test: &str,
        settings: impl FnOnce(Builder, &Upstream) -> Builder,
    ) -> Option<Self> {
        Self::enter_as(test, Sites::AtTheirs, settings).await
    }

    /// As [`Territory::enter_with`], the sites being where they are said to be.
    pub(super) async fn enter_as(
        test: &str,
        sites: Sites,
        settings: impl FnOnce(Builder, &Upstream) -> Builder,
    ) -> Option<Self> {
        if std::env::var_os(INSIDE).is_some() {
            return Some(Self::open(sites, settings).await);
        }
        if let Err(reason) = run_inside(test).await {
            skip("netns", &reason);
        }
        None
    }

    async fn open(sites: Sites, settings: impl FnOnce(Builder, &Upstream) -> Builder) -> Self {
        lay_out().await;
        let upstream = Upstream::start().await;
        let seen = Seen::default();
        let asked = Asked::default();
        let mut tasks = JoinSet::new();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).await;
        tasks.spawn(names::answer_all(socket.expect("port 53"), asked.clone()));
        for listener in PORTS.into_iter().flat_map(listeners) {
            let watch = Watch {
                door: upstream.door(),
                seen: seen.clone(),
                sites,
            };
            tasks.spawn(async move { watch.over(&listener).await });
        }
        for (address, dialled) in [
            (Ipv4Addr::UNSPECIFIED.into(), &seen.trapped),
            (Ipv6Addr::UNSPECIFIED.into(), &seen.trapped),
            // What is sent here goes to the closer one of two sockets.
            (IpAddr::V4(SITES), &seen.reached),
        ] {
            tasks.spawn(count_datagrams(udp(address), Arc::clone(dialled)));
        }
        let builder = Builder::offline()
            .env("EXTRA_CA_FILE", &upstream.ca_file().to_string_lossy())
            // A post that is forgotten before its link is followed has its first address alone.
            .env("CACHE_MAX_ENTRIES", "1000000");
        let server = settings(builder, &upstream).start().await;
        Self {
            stage: Stage { upstream, server },
            asked,
            seen,
            _tasks: tasks,
        }
    }

    /// Proves that the traps work: a connection to every address there is, made here, is seen. Returns where each ended;
    /// what can't be dialled at all isn't in it.
    pub(super) async fn assert_traps_work(&self) -> Arrivals {
        let (mut arrivals, mut beyond, mut dialled) = (Arrivals::new(), Vec::new(), 0);
        for private in spellings::addresses() {
            match TcpStream::connect((private.address, 443)).await {
                Ok(stream) => {
                    let peer = stream.peer_addr().expect("an address");
                    let there = SocketAddr::from((peer.ip().to_canonical(), 443));
                    arrivals.insert(private.address, there);
                    dialled += 1;
                }
                Err(_) => beyond.push(private.address),
            }
        }
        let is_undialled = |address: &IpAddr| match address.to_canonical() {
            IpAddr::V4(address) => {
                // The system takes the end of loopback for a broadcast address too.
                let is_last = address == Ipv4Addr::new(127, 255, 255, 255);
                is_last || address.is_multicast() || address.is_broadcast()
            }
            IpAddr::V6(address) => address.is_multicast() || address.is_unicast_link_local(),
        };
        assert!(beyond.iter().all(is_undialled), "{beyond:?}");
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await;
        let sent = socket.expect("a socket");
        let sent = sent.send_to(b"?", (Ipv4Addr::new(10, 0, 0, 1), SRT)).await;
        sent.expect("a datagram");
        dialled += 1;
        crate::harness::eventually("the traps see it", async || {
            (self.trapped().len() == dialled).then_some(())
        })
        .await;
        self.forget_trapped();
        arrivals
    }

    fn reached(&self) -> MutexGuard<'_, Vec<SocketAddr>> {
        self.seen.reached.lock().expect("connections")
    }

    /// Every connection to the hosts of YouTube's media so far.
    pub(crate) fn media_reached(&self) -> Vec<SocketAddr> {
        let is_media = |address: &SocketAddr| is_media(*address);
        self.reached().iter().copied().filter(is_media).collect()
    }

    /// Connections or datagrams to one of the sites' addresses so far.
    pub(super) fn reached_at(&self, address: SocketAddr) -> usize {
        let reached = self.reached();
        reached.iter().filter(|other| **other == address).count()
    }

    /// Every connection to an address that is not the sites' so far.
    pub(super) fn trapped(&self) -> Vec<SocketAddr> {
        self.seen.trapped.lock().expect("traps").clone()
    }

    /// Forgets who went there.
    pub(super) fn forget_trapped(&self) {
        self.seen.trapped.lock().expect("traps").clear();
    }
}

fn is_media(address: SocketAddr) -> bool {
    let (v4, v6) = MEDIA;
    [SocketAddr::from((v4, 443)), SocketAddr::from((v6, 443))].contains(&address)
}

/// Where the simulated sites let clients in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sites {
    /// At their own addresses.
    AtTheirs,
    /// At every address there is.
    Everywhere,
}

/// Lets the sites' clients in, and notes who comes where.
struct Watch {
    door: Door,
    seen: Seen,
    sites: Sites,
}

impl Watch {
    async fn over(&self, listener: &TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            let (tcp, _) = listener.accept().await.expect("accept");
            let address = tcp.local_addr().expect("an address");
            let is_site = address == SocketAddr::from((SITES, 443)) || is_media(address);
            // Hangs up on whoever comes, as one that is just being restarted.
            let is_ingest = address == SocketAddr::from((SITES, INGEST));
            let noted = if is_site || is_ingest {
                &self.seen.reached
            } else {
                &self.seen.trapped
            };
            noted.lock().expect("connections").push(address);
            if is_site || self.sites == Sites::Everywhere && address.port() == 443 {
                tcp.set_nodelay(true).expect("no delay");
                let door = self.door.clone();
                connections.spawn(async move { door.serve(tcp).await });
            }
        }
    }
}

/// Notes every datagram that a socket gets.
async fn count_datagrams(socket: UdpSocket, dialled: Dialled) {
    let address = socket.local_addr().expect("an address");
    while socket.recv_from(&mut [0; 2048]).await.is_ok() {
        dialled.lock().expect("datagrams").push(address);
    }
}

/// Runs this test binary in new namespaces of network and mounts.
async fn run_inside(test: &str) -> Result<(), String> {
    // Where users may have namespaces, root isn't needed.
    let unshare = ["--map-root-user", "--user", "--net", "--mount"];
    let mut refused = String::new();
    for unshare in [&unshare[..], &unshare[2..]] {
        let probe = output(Command::new("unshare").args(unshare).args(["ip", "link"])).await;
        match probe {
            Ok(output) if output.status.success() => {
                run_under(unshare, test).await;
                return Ok(());
            }
            Ok(output) => refused = String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => refused = error.to_string(),
        }
    }
    Err(refused)
}

async fn run_under(unshare: &[&str], test: &str) {
    let program = std::env::current_exe().expect("the test binary");
    let mut command = Command::new("unshare");
    command
        .args(unshare)
        .arg(program)
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, "1");
    let output = output(&mut command).await.expect("unshare");
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{test} in a network of its own: {}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn output(command: &mut Command) -> std::io::Result<Output> {
    command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
}

/// Makes every address local, and this network's name server ours.
async fn lay_out() {
    ip(&["link", "set", "lo", "up"]).await;
    for site in [SITES, MEDIA.0] {
        ip(&["route", "add", "local", &format!("{site}/32"), "dev", "lo"]).await;
    }
    for range in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/8",
        "198.0.0.0/8",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    ] {
        ip(&["route", "add", "local", range, "dev", "lo"]).await;
    }
    ip(&["-6", "route", "add", "local", "::/0", "dev", "lo"]).await;
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "nameserver 127.0.0.1\noptions attempts:1").expect("a file");
    let from = file.path().to_string_lossy().into_owned();
    let mount = ["--bind", &from, "/etc/resolv.conf"];
    run("mount", &mount).await;
}

async fn ip(arguments: &[&str]) {
    run("ip", arguments).await;
}

async fn run(program: &str, arguments: &[&str]) {
    let ended = output(Command::new(program).args(arguments)).await;
    let ended = ended.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        ended.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&ended.stderr)
    );
}

/// A socket for what is sent to SRT targets.
fn udp(address: IpAddr) -> UdpSocket {
    let address = SocketAddr::from((address, SRT));
    let kind = socket2::Type::DGRAM;
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), kind, None);
    let socket = socket.expect("a socket");
    // One of several on the same port.
    socket.set_reuse_address(true).expect("an option");
    if address.is_ipv6() {
        socket.set_only_v6(true).expect("IPv6 alone");
    }
    socket.set_nonblocking(true).expect("non-blocking");
    socket.bind(&address.into()).expect("bind");
    UdpSocket::from_std(socket.into()).expect("a socket")
}

/// On every address of this network, of either family.
fn listeners(port: u16) -> [TcpListener; 2] {
    let v4 = TcpSocket::new_v4().expect("a socket");
    v4.bind((Ipv4Addr::UNSPECIFIED, port).into()).expect("bind");
    let v6 = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None);
    let v6 = v6.expect("a socket");
    v6.set_only_v6(true).expect("IPv6 alone");
    v6.set_nonblocking(true).expect("non-blocking");
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    v6.bind(&any.into()).expect("bind");
    v6.listen(i32::try_from(BACKLOG).expect("a small number"))
        .expect("listen");
    [
        v4.listen(BACKLOG).expect("listen"),
        TcpListener::from_std(v6.into()).expect("a listener"),
    ]
}
