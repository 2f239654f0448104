//! One connection: tunnel, requests in turn, and the answers exactly as planned.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use rustls::server::Acceptor;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use super::ca::{Ca, Leaf};
use super::fault::TunnelFault;
use super::media::Payload;
use super::plan::{Cut, Framing, Opening, Plan};
use super::record::{Progress, Record};
use super::socks::{self, Reply};
use super::wire::{Head, Request, Socket, Wire, find_header};
use super::world::World;

/// Largest piece written at once.
const PIECE: u64 = 16 * 1024;
/// Bytes of a chunk that is cut; its size says more.
const HALF_CHUNK: u64 = 15;
/// Pieces per second of a body whose rate is limited.
const PIECES_PER_SECOND: u64 = 20;

/// What every connection needs to know.
pub(super) struct Site {
    pub(super) world: World,
    pub(super) ca: Ca,
    /// Signs what no client trusts.
    pub(super) other_ca: Ca,
}

/// Counts a connection out when its task ends, however it ends.
struct Counted<'a>(&'a World);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.update(|traffic| traffic.open_connections -= 1);
    }
}

/// Serves a client of the proxy until one side ends it.
pub(super) async fn serve(site: &Site, tcp: TcpStream) -> io::Result<()> {
    if socks::is_spoken(&tcp).await? {
        return serve_socks(site, tcp).await;
    }
    let connection = site.world.connected();
    let _counted = Counted(&site.world);
    let mut wire = Wire::new(Socket::Plain(tcp));
    let Some(head) = wire.read_head().await? else {
        return Ok(());
    };
    if head.method == "CONNECT" {
        let Some((wire, host)) = open_tunnel(site, wire, &head.target).await? else {
            return Ok(());
        };
        return serve_requests(site, connection, wire, None, Some(&host)).await;
    }
    serve_requests(site, connection, wire, Some(head), None).await
}

/// Serves a client that speaks SOCKS with the proxy. It knows no faults of tunnels.
async fn serve_socks(site: &Site, mut tcp: TcpStream) -> io::Result<()> {
    let (host, port) = socks::asked(&mut tcp).await?;
    let authority = format!("{host}:{port}");
    let is_faulty = site.world.tunnelled(&authority, &host).is_some();
    if is_faulty || !is_known(&host, port) {
        site.world
            .update(|traffic| traffic.unknown.push(format!("SOCKS {authority}")));
        return socks::answer(&mut tcp, Reply::Refused).await;
    }
    socks::answer(&mut tcp, Reply::Granted).await?;
    serve_direct(site, tcp).await
}

/// Whether tunnels may lead there: to names, where they speak TLS.
fn is_known(host: &str, port: u16) -> bool {
    port == 443 && host.parse::<IpAddr>().is_err()
}

/// Serves a client that came without a proxy: TLS from its first byte, the host by the name that it asks for.
pub(super) async fn serve_direct(site: &Site, tcp: TcpStream) -> io::Result<()> {
    let connection = site.world.connected();
    let _counted = Counted(&site.world);
    let start = LazyConfigAcceptor::new(Acceptor::default(), tcp).await?;
    let host = start.client_hello().server_name().map(str::to_owned);
    let host = host.ok_or_else(|| io::Error::other("no server name"))?;
    let config = site.ca.server_config(&host, Leaf::Good);
    let tls = start.into_stream(config).await?;
    let wire = Wire::new(Socket::Tls(Box::new(tls)));
    serve_requests(site, connection, wire, None, Some(&host)).await
}

/// Answers CONNECT and terminates TLS; `None` when the script ends it here.
async fn open_tunnel(
    site: &Site,
    mut wire: Wire,
    authority: &str,
) -> io::Result<Option<(Wire, String)>> {
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    let fault = site.world.tunnelled(authority, host);
    if let Some(TunnelFault::Through(address)) = fault {
        wire.write(b"HTTP/1.1 200 Tunnel\r\n\r\n", &mut 0).await?;
        let Socket::Plain(mut tcp) = wire.socket else {
            return Err(io::Error::other("a tunnel inside a tunnel"));
        };
        let mut far = TcpStream::connect(address).await?;
        tokio::io::copy_bidirectional(&mut tcp, &mut far).await?;
        return Ok(None);
    }
    let is_known = is_known(host, port.parse().unwrap_or_default());
    let status = match &fault {
        _ if !is_known => {
            site.world
                .update(|traffic| traffic.unknown.push(format!("CONNECT {authority}")));
            502
        }
        Some(TunnelFault::Refused(status)) => *status,
        _ => 200,
    };
    let answer = format!("HTTP/1.1 {status} Tunnel\r\n\r\n");
    wire.write(answer.as_bytes(), &mut 0).await?;
    if status != 200 || matches!(fault, Some(TunnelFault::Closed)) {
        wire.socket.shutdown().await?;
        return Ok(None);
    }
    if let Some(TunnelFault::Silent(gate)) = &fault {
        wire.wait(gate.passed()).await?;
        return Ok(None);
    }
    let Socket::Plain(tcp) = wire.socket else {
        return Err(io::Error::other("a tunnel inside a tunnel"));
    };
    let (ca, leaf) = match fault {
        Some(TunnelFault::UnknownCa) => (&site.other_ca, Leaf::Good),
        Some(TunnelFault::WrongName) => (&site.ca, Leaf::WrongName),
        Some(TunnelFault::Expired) => (&site.ca, Leaf::Expired),
        _ => (&site.ca, Leaf::Good),
    };
    let acceptor = TlsAcceptor::from(ca.server_config(host, leaf));
    let tls = acceptor.accept(tcp).await?;
    Ok(Some((
        Wire::new(Socket::Tls(Box::new(tls))),
        host.to_owned(),
    )))
}

async fn serve_requests(
    site: &Site,
    connection: u64,
    mut wire: Wire,
    mut first: Option<Head>,
    tunnel_host: Option<&str>,
) -> io::Result<()> {
    loop {
        let head = match first.take() {
            Some(head) => Some(head),
            None => wire.read_head().await?,
        };
        let Some(head) = head else {
            return Ok(());
        };
        let body = wire.read_body(&head.headers).await?;
        let request = Request {
            body,
            ..request_of(head, tunnel_host)
        };
        let record = site.world.asked(connection, &request);
        let plan = site.world.decide(&request);
        let mut sending = Sending {
            world: &site.world,
            record,
            wire: &mut wire,
            taken: 0,
        };
        if !sending.run(plan).await {
            return Ok(());
        }
    }
}

/// Names what a request line asks for; a request that is neither inside a tunnel nor absolute is for the proxy itself.
fn request_of(head: Head, tunnel_host: Option<&str>) -> Request {
    let (address, host, target) = if let Some(host) = tunnel_host {
        let named = find_header(&head.headers, "host").unwrap_or_default();
        let address = format!("https://{named}{}", head.target);
        (address, host.to_owned(), head.target)
    } else {
        let rest = head.target.strip_prefix("http://").unwrap_or_default();
        let (host, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, target) = (host.to_owned(), target.to_owned());
        (head.target, host, target)
    };
    Request {
        method: head.method,
        address,
        host,
        target,
        headers: head.headers,
        body: bytes::Bytes::new(),
    }
}

/// How sending ended, when it did not end in an error.
enum Ended {
    /// As planned, to the end.
    Whole,
    /// As planned, by a cut.
    Cut,
}

/// One answer on its way.
struct Sending<'a> {
    world: &'a World,
    record: usize,
    wire: &'a mut Wire,
    taken: u64,
}

impl Sending<'_> {
    /// Sends the answer; says whether the connection lives on.
    async fn run(&mut self, plan: Plan) -> bool {
        let keeps_alive = plan.keeps_alive();
        let (progress, lives) = match self.send(plan).await {
            Ok(Ended::Whole) if keeps_alive => (Progress::Complete, true),
            Ok(Ended::Whole) => match self.wire.socket.shutdown().await {
                Ok(()) => (Progress::Complete, false),
                Err(_) => (Progress::ClientGone, false),
            },
            Ok(Ended::Cut) => (Progress::Cut, false),
            Err(_) => (Progress::ClientGone, false),
        };
        self.note(|record| record.progress = progress);
        lives
    }

    fn note(&self, change: impl FnOnce(&mut Record)) {
        self.world
            .update(|traffic| change(&mut traffic.records[self.record]));
    }

    async fn send(&mut self, plan: Plan) -> io::Result<Ended> {
        if let Some(gate) = &plan.hold {
            self.note(|record| record.progress = Progress::Held);
            self.wire.wait(gate.passed()).await?;
            self.note(|record| record.progress = Progress::Sending);
        }
        match plan.opening {
            Opening::Head => {}
            Opening::Close => return self.end().await,
            Opening::Reset => return self.reset(),
            Opening::Garbage => {
                self.wire
                    .write(b"\x16\x03 not HTTP\r\n\r\n", &mut 0)
                    .await?;
                return self.end().await;
            }
        }
        self.note(|record| record.status = plan.reply.status);
        self.wire.write(&plan.head(), &mut 0).await?;
        if plan.is_head {
            return Ok(Ended::Whole);
        }
        self.send_body(plan).await
    }

    async fn send_body(&mut self, mut plan: Plan) -> io::Result<Ended> {
        let length = plan.reply.len();
        let mut at = 0;
        loop {
            if let Some((_, cut)) = plan.cut.take_if(|(cut_at, _)| *cut_at == at) {
                let rest = plan.reply.range.start + at..plan.reply.range.end;
                if let Some(ended) = self.cut(cut, &plan.reply.payload, rest).await? {
                    return Ok(ended);
                }
                continue;
            }
            if at == length {
                break;
            }
            let cut_at = plan.cut.as_ref().map_or(u64::MAX, |(cut_at, _)| *cut_at);
            let end = (at + piece_size(plan.rate)).min(length).min(cut_at);
            self.send_piece(&plan, at..end).await?;
            at = end;
        }
        if plan.framing == Framing::Chunked {
            self.write(b"0\r\n\r\n").await?;
        }
        Ok(Ended::Whole)
    }

    async fn send_piece(&mut self, plan: &Plan, range: std::ops::Range<u64>) -> io::Result<()> {
        let offset = plan.reply.range.start;
        let piece = plan
            .reply
            .payload
            .slice(offset + range.start..offset + range.end);
        if plan.framing == Framing::Chunked {
            let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
            chunk.extend_from_slice(&piece);
            chunk.extend_from_slice(b"\r\n");
            self.write(&chunk).await?;
        } else {
            self.write(&piece).await?;
        }
        if plan.rate.is_some() {
            let pause = Duration::from_secs(1) / u32::try_from(PIECES_PER_SECOND).expect("small");
            self.wire.wait(tokio::time::sleep(pause)).await?;
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.wire.write(bytes, &mut self.taken).await;
        let taken = self.taken;
        self.note(|record| record.taken = taken);
        written
    }

    /// Cuts before these bytes of the payload.
    async fn cut(
        &mut self,
        cut: Cut,
        payload: &Payload,
        rest: std::ops::Range<u64>,
    ) -> io::Result<Option<Ended>> {
        match cut {
            Cut::Pause(gate) => {
                self.note(|record| record.progress = Progress::Held);
                self.wire.wait(gate.passed()).await?;
                self.note(|record| record.progress = Progress::Sending);
                Ok(None)
            }
            Cut::Reset => self.reset().map(Some),
            Cut::End => self.end().await.map(Some),
            Cut::HalfChunk => {
                let few = rest.end.min(rest.start + HALF_CHUNK);
                self.write(b"1000\r\n").await?;
                self.write(&payload.slice(rest.start..few)).await?;
                self.end().await.map(Some)
            }
            Cut::Raw(bytes) => {
                self.write(bytes).await?;
                self.end().await.map(Some)
            }
        }
    }

    async fn end(&mut self) -> io::Result<Ended> {
        self.wire.socket.shutdown().await?;
        Ok(Ended::Cut)
    }

    fn reset(&mut self) -> io::Result<Ended> {
        self.wire.socket.reset_on_close()?;
        Ok(Ended::Cut)
    }
}

fn piece_size(rate: Option<u64>) -> u64 {
    rate.map_or(PIECE, |rate| (rate / PIECES_PER_SECOND).clamp(1, PIECE))
}
