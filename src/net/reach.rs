//! Whether a host can be reached at all: for a person who looks for what is wrong.

use std::net::{IpAddr, SocketAddr};

use url::Url;

use super::NetError;
use super::client::Client;
use super::failure::message;

impl Client {
    /// The way that requests to `url` take, without credentials: the proxies in use, or `None` for a direct one.
    pub fn proxy_for(&self, url: &Url) -> Option<String> {
        let proxies = self.proxies();
        proxies.route(url)?;
        Some(proxies.to_string())
    }

    /// The addresses of a host that may be dialled.
    ///
    /// # Errors
    /// [`NetError::Connect`]: it has none, or none that may be dialled.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, NetError> {
        match self.resolver().lookup(host).await {
            Ok(addresses) => Ok(addresses.iter().map(SocketAddr::ip).collect()),
            Err(error) => Err(NetError::Connect {
                host: host.to_owned(),
                message: message(&*error),
            }),
        }
    }

    /// Connects to the host of `url`, which is one of a site's, TLS included, and hangs up without a request.
    ///
    /// # Errors
    /// Guard, connection, time-out.
    pub async fn reach(&self, url: &Url) -> Result<(), NetError> {
        self.any_media().reach(url).await
    }
}
