//! Sending. A trait, so that the chain of clients is tested with recorded answers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{Method, StatusCode};
use url::Url;

use super::Call;
use crate::extract::youtube::SITE;
use crate::net::{Client, GuestCookie, HostList, Jar, NetError, OperatorCookies, PageRequest};

/// An answer as it came.
#[derive(Debug, Clone)]
pub(in crate::extract::youtube) struct Answer {
    pub(in crate::extract::youtube) status: StatusCode,
    /// The site's own `Retry-After`, when it is a number of seconds.
    pub(in crate::extract::youtube) retry_after: Option<Duration>,
    pub(in crate::extract::youtube) body: Bytes,
}

/// Something that sends requests.
pub(in crate::extract::youtube) trait Ask: Sync {
    /// Sends a request and waits for the answer.
    fn ask(&self, call: Call) -> BoxFuture<'_, Result<Answer, NetError>>;

    /// Name of the way out, when there are several; what the site gives to one is of no use to another.
    fn egress(&self) -> Option<&str> {
        None
    }

    /// Whether the host of this address may be asked again because it failed.
    fn take_retry(&self, _url: &Url) -> bool {
        true
    }

    /// Counts what came of asking as a client.
    fn note(&self, _client: &str, _result: &'static str) {}
}

/// The network.
#[derive(Debug)]
pub(in crate::extract::youtube) struct NetTransport<'a> {
    pub(in crate::extract::youtube) client: &'a Client,
    pub(in crate::extract::youtube) hosts: &'a HostList,
    /// Cookies that are set before anything is asked.
    pub(in crate::extract::youtube) cookies: &'a [(String, String)],
    pub(in crate::extract::youtube) operator: Option<Arc<OperatorCookies>>,
    pub(in crate::extract::youtube) max_bytes: usize,
}

impl NetTransport<'_> {
    /// The cookies of one request. Each has a jar of its own: what the interface sets is not needed again, and
    /// requests run side by side.
    fn jar(&self, takes_cookies: bool) -> Jar {
        if !takes_cookies {
            return Jar::new(None);
        }
        let mut jar = Jar::new(self.operator.clone());
        for (name, value) in self.cookies {
            jar.insert(GuestCookie {
                name: name.clone(),
                value: value.clone(),
                domain: "youtube.com".to_owned(),
                is_host_only: false,
                path: "/".to_owned(),
            });
        }
        jar
    }

    async fn send(&self, call: Call) -> Result<Answer, NetError> {
        let mut jar = self.jar(call.takes_cookies);
        let request = PageRequest {
            method: if call.body.is_some() {
                Method::POST
            } else {
                Method::GET
            },
            url: &call.url,
            headers: call.headers,
            body: call.body,
            hosts: self.hosts,
            max_bytes: self.max_bytes,
            timeout: call.timeout,
        };
        let page = self.client.fetch(request, &mut jar).await?;
        let retry_after = page
            .headers
            .get(http::header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        Ok(Answer {
            status: page.status,
            retry_after,
            body: page.body,
        })
    }
}

impl Ask for NetTransport<'_> {
    fn ask(&self, call: Call) -> BoxFuture<'_, Result<Answer, NetError>> {
        self.send(call).boxed()
    }

    fn egress(&self) -> Option<&str> {
        self.client.egress()
    }

    fn take_retry(&self, url: &Url) -> bool {
        self.client.take_retry(url.host_str().unwrap_or_default())
    }

    fn note(&self, client: &str, result: &'static str) {
        self.client.extractions().attempt(SITE, client, result);
    }
}
