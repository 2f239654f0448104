//! The listener: a forward proxy on a loopback port that the system picks.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio_util::task::AbortOnDropHandle;

use super::ca::Ca;
use super::connection::{Site, serve, serve_direct};
use super::world::World;

/// Bytes that the kernel takes ahead of a client that doesn't read; small, so that backpressure can be seen.
const SEND_BUFFER: u32 = 64 * 1024;

/// The simulated upstream, running. It ends when dropped.
pub(crate) struct Upstream {
    /// What it plays and what it has seen.
    pub(crate) world: World,
    address: SocketAddr,
    root: CertificateDer<'static>,
    ca_file: PathBuf,
    site: Arc<Site>,
    _dir: TempDir,
    _task: AbortOnDropHandle<()>,
}

impl Upstream {
    /// Starts an upstream that knows nothing yet.
    pub(crate) async fn start() -> Self {
        let world = World::new();
        let ca = Ca::new();
        let dir = TempDir::new().expect("temporary directory");
        let ca_file = dir.path().join("upstream-ca.pem");
        tokio::fs::write(&ca_file, ca.pem()).await.expect("CA file");
        let listener = listen().expect("loopback listener");
        let address = listener.local_addr().expect("listening address");
        let root = ca.root();
        let site = Arc::new(Site {
            world: world.clone(),
            ca,
            other_ca: Ca::new(),
        });
        let task = super::super::task::spawn(accept_all(listener, Arc::clone(&site)));
        Self {
            world,
            address,
            root,
            ca_file,
            site,
            _dir: dir,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// Value of `PROXY`.
    pub(crate) fn proxy_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Value of `EXTRA_CA_FILE`.
    pub(crate) fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The root certificate, for a client built in a test.
    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.root.clone()
    }

    /// The way in for clients that use no proxy.
    pub(crate) fn door(&self) -> Door {
        Door(Arc::clone(&self.site))
    }
}

/// Takes connections that came without a proxy.
#[derive(Clone)]
pub(crate) struct Door(Arc<Site>);

impl Door {
    /// Serves a connection until one side ends it.
    pub(crate) async fn serve(&self, tcp: TcpStream) {
        // As with the proxy: an I/O error is the client's business.
        let _ended = serve_direct(&self.0, tcp).await;
    }
}

fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    socket.listen(4096)
}

async fn accept_all(listener: TcpListener, site: Arc<Site>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (tcp, _) = accepted.expect("accept");
                // Head and body are written apart; neither may wait for an acknowledgement of the other.
                tcp.set_nodelay(true).expect("no delay");
                let site = Arc::clone(&site);
                connections.spawn(async move { serve(&site, tcp).await });
            }
            Some(ended) = connections.join_next() => note_panic(&site.world, ended),
        }
    }
}

/// A connection that ends in an I/O error is the client's business; one that panics is a fault of the harness and must
/// fail the test.
fn note_panic(world: &World, ended: Result<io::Result<()>, JoinError>) {
    if let Err(error) = ended {
        world.update(|traffic| traffic.unknown.push(format!("harness: {error}")));
    }
}
