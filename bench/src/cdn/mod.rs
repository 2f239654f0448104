//! A site and its CDN, as fast as this machine allows: pages that hand out media addresses, and media from memory.
//!
//! Two doors. The plain one is a forward proxy (absolute form for http, CONNECT for https) and a plain CDN for who
//! asks it directly; the other speaks TLS at once, as nginx wants it. HTTP/1.1 only.

mod dash;
mod exchange;
mod interface;
mod page;
mod photo;
mod tls;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::Result;
pub(crate) use dash::{TRACKS, folder as track_folder, video as joined_video};
use exchange::{Next, serve};
use interface::Interface;
pub(crate) use interface::video;
use page::Pages;
pub(crate) use page::{File, Flaw, LATE, Scheme, recorded_post, slow_post};
pub(crate) use photo::{
    folder as photo_folder, numbered as numbered_photo_post, post as photo_post,
};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;

/// Where a CDN listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doors {
    /// Forward proxy and plain CDN.
    pub(crate) plain: u16,
    /// CDN behind TLS.
    pub(crate) tls: u16,
}

/// What is served: recorded where it is named, else made up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recordings {
    /// The recorded page.
    pub(crate) page: Option<PathBuf>,
    /// Folder of the recorded answers of players.
    pub(crate) players: Option<PathBuf>,
}

/// Serves until standard input ends, that is with the process that started it. `folder` gets `ca.pem`.
pub(crate) async fn run(folder: &Path, recordings: &Recordings) -> Result<()> {
    let cdn = Arc::new(Cdn {
        pages: Pages::new(recordings.page.as_deref(), folder)?,
        interface: Interface::new(recordings.players.as_deref(), folder)?,
        acceptor: tls::acceptor(&folder.join("ca.pem"))?,
    });
    let (plain, tls) = (listen()?, listen()?);
    let ports = format!(
        "{} {}\n",
        plain.local_addr()?.port(),
        tls.local_addr()?.port()
    );
    tokio::io::stdout().write_all(ports.as_bytes()).await?;
    tokio::io::stdout().flush().await?;
    tokio::spawn(accept(plain, Arc::clone(&cdn), false));
    tokio::spawn(accept(tls, cdn, true));
    let mut ignored = Vec::new();
    tokio::io::stdin().read_to_end(&mut ignored).await?;
    Ok(())
}

fn listen() -> Result<TcpListener> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    Ok(socket.listen(BACKLOG)?)
}

struct Cdn {
    pages: Pages,
    interface: Interface,
    acceptor: TlsAcceptor,
}

async fn accept(listener: TcpListener, cdn: Arc<Cdn>, is_tls: bool) {
    while let Ok((stream, _)) = listener.accept().await {
        let cdn = Arc::clone(&cdn);
        tokio::spawn(async move {
            // A client that goes away is no failure of the CDN.
            let _ = cdn.connection(stream, is_tls).await;
        });
    }
}

impl Cdn {
    async fn connection(&self, mut stream: TcpStream, is_tls: bool) -> Result<()> {
        stream.set_nodelay(true)?;
        if !is_tls && serve(&mut stream, &self.pages, &self.interface).await? == Next::Close {
            return Ok(());
        }
        let mut stream = self.acceptor.accept(stream).await?;
        serve(&mut stream, &self.pages, &self.interface).await?;
        Ok(())
    }
}
