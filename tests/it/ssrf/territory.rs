//! A network of the test's own (a Linux network namespace): every address that is not public exists in it, a listener
//! stands on each, and the simulated sites have a public one. So what the server dials is seen, whatever it is.

use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::process::Command;
use tokio::task::JoinSet;

use super::names::{self, Asked, MEDIA, SITES};
use super::spellings::V4;
use crate::harness::upstream::{Door, Upstream};
use crate::harness::{Builder, Stage, skip};

/// Set inside the namespace.
const INSIDE: &str = "SERVERRS_OWN_NETWORK";
/// Ports that have listeners: those of the web, one beside them, and that of ingests.
const PORTS: [u16; 4] = [80, 443, 8080, INGEST];
/// Where ingests listen.
const INGEST: u16 = 1935;
/// Where connections are queued that nobody has accepted yet.
const BACKLOG: u32 = 1024;

/// The network from the inside, with a server that reaches the sites directly.
pub(crate) struct Territory {
    pub(crate) stage: Stage,
    pub(super) asked: Asked,
    reached: Dialled,
    trapped: Dialled,
    _tasks: JoinSet<()>,
}

type Dialled = Arc<Mutex<Vec<SocketAddr>>>;

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
        if std::env::var_os(INSIDE).is_some() {
            return Some(Self::open(settings).await);
        }
        if let Err(reason) = run_inside(test).await {
            skip("netns", &reason);
        }
        None
    }

    async fn open(settings: impl FnOnce(Builder, &Upstream) -> Builder) -> Self {
        lay_out().await;
        let upstream = Upstream::start().await;
        let (reached, trapped) = (Dialled::default(), Dialled::default());
        let asked = Asked::default();
        let mut tasks = JoinSet::new();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).await;
        tasks.spawn(names::answer_all(socket.expect("port 53"), asked.clone()));
        for listener in PORTS.into_iter().flat_map(listeners) {
            let watch = Watch {
                door: upstream.door(),
                reached: Arc::clone(&reached),
                trapped: Arc::clone(&trapped),
            };
            tasks.spawn(async move { watch.over(&listener).await });
        }
        let builder = Builder::offline()
            .env("EXTRA_CA_FILE", &upstream.ca_file().to_string_lossy())
            .env("RUST_LOG", "info");
        let server = settings(builder, &upstream).start().await;
        Self {
            stage: Stage { upstream, server },
            asked,
            reached,
            trapped,
            _tasks: tasks,
        }
    }

    /// Proves that the traps work: a connection to each range, made here, is seen.
    pub(super) async fn assert_traps_work(&self) {
        let mut dialled = 0;
        for (_, last) in V4 {
            let last: Ipv4Addr = last.parse().expect("an address");
            // The last one of a range may be a broadcast address; the one before never is.
            let target = SocketAddr::from((Ipv4Addr::from_bits(last.to_bits() - 1), 80));
            let is_multicast = last.is_multicast();
            match TcpStream::connect(target).await {
                Ok(_) => dialled += 1,
                Err(error) => assert!(is_multicast, "{target}: {error}"),
            }
        }
        for address in ["::1", "::5", "64:ff9b::a00:1", "2002:a00:1::", "fc00::1"] {
            let address: Ipv6Addr = address.parse().expect("an address");
            let connected = TcpStream::connect(SocketAddr::from((address, 443))).await;
            connected.unwrap_or_else(|error| panic!("{address}: {error}"));
            dialled += 1;
        }
        let trapped = Arc::clone(&self.trapped);
        crate::harness::eventually("the traps see it", async || {
            (trapped.lock().expect("traps").len() == dialled).then_some(())
        })
        .await;
        self.trapped.lock().expect("traps").clear();
    }

    /// Every connection to the hosts of YouTube's media so far.
    pub(crate) fn media_reached(&self) -> Vec<SocketAddr> {
        let is_media = |address: &SocketAddr| is_media(*address);
        let reached = self.reached.lock().expect("connections");
        reached.iter().copied().filter(is_media).collect()
    }

    /// Every connection to an ingest at a public address so far.
    pub(super) fn ingest_reached(&self) -> usize {
        let reached = self.reached.lock().expect("connections");
        let ingests = reached.iter().filter(|address| address.port() == INGEST);
        ingests.count()
    }

    /// Every connection to an address that is not the sites' so far.
    pub(super) fn trapped(&self) -> Vec<SocketAddr> {
        self.trapped.lock().expect("traps").clone()
    }
}

fn is_media(address: SocketAddr) -> bool {
    let (v4, v6) = MEDIA;
    [SocketAddr::from((v4, 443)), SocketAddr::from((v6, 443))].contains(&address)
}

/// Lets the sites' clients in, and notes who comes where.
struct Watch {
    door: Door,
    reached: Dialled,
    trapped: Dialled,
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
                &self.reached
            } else {
                &self.trapped
            };
            noted.lock().expect("connections").push(address);
            if is_site {
                let door = self.door.clone();
                connections.spawn(async move { door.serve(tcp).await });
            }
        }
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
