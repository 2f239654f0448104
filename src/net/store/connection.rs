//! A connection to Redis: over our own TCP and TLS, so that the roots of the operator count.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, RedisConnectionInfo, RedisError};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::StoreConfig;
use crate::net::{NetError, tls};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error("took too long")]
    Slow,
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Tls(#[from] NetError),
    #[error("the host is no name for TLS")]
    Name,
    #[error("no TLS: {0}")]
    Handshake(std::io::Error),
    // The library's text may quote what the server sent.
    #[error("the server is no Redis, or doesn't let us in ({0:?})")]
    Redis(ErrorKind),
    #[error("the server answers a ping wrongly, or not in time")]
    Ping,
}

impl OpenError {
    /// Whether something answered that is of no use.
    pub(super) fn is_strange(&self) -> bool {
        !matches!(self, Self::Slow | Self::Io(_))
    }
}

impl From<RedisError> for OpenError {
    fn from(error: RedisError) -> Self {
        Self::Redis(error.kind())
    }
}

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// How we log in.
pub(super) fn login(config: &StoreConfig) -> RedisConnectionInfo {
    let mut login = RedisConnectionInfo::default()
        .set_db(config.database)
        .set_skip_set_lib_name();
    if let Some(user) = &config.user {
        login = login.set_username(user);
    }
    if let Some(password) = &config.password {
        login = login.set_password(password.reveal());
    }
    login
}

/// Connects and logs in; the second part is what moves the bytes, to be polled as long as the first is used.
pub(super) async fn open<'a>(
    config: &'a StoreConfig,
    login: &'a RedisConnectionInfo,
) -> Result<(MultiplexedConnection, impl Future<Output = ()> + use<'a>), OpenError> {
    let stream = stream(config).await?;
    // Each call has its own limit.
    let limits = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None);
    Ok(MultiplexedConnection::new_with_config(login, stream, limits).await?)
}

async fn stream(config: &StoreConfig) -> Result<Box<dyn Io>, OpenError> {
    let stream = TcpStream::connect((config.host.as_str(), config.port)).await?;
    stream.set_nodelay(true)?;
    let Some(roots) = &config.roots else {
        return Ok(Box::new(stream));
    };
    let client = TlsConnector::from(Arc::new(tls::client_config(roots, &[])?));
    let name = ServerName::try_from(config.host.clone()).map_err(|_| OpenError::Name)?;
    let secured = client.connect(name, stream).await;
    Ok(Box::new(secured.map_err(OpenError::Handshake)?))
}
