//! What was asked of the upstream, and what became of it.

use bytes::Bytes;

use super::wire::{Request, find_header};

/// How far an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// On its way.
    Sending,
    /// Held by a gate.
    Held,
    /// All bytes that the script wanted to send were taken, and nothing was cut.
    Complete,
    /// The script cut it.
    Cut,
    /// The client closed or reset before the end.
    ClientGone,
}

/// One request and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Which connection it came on.
    pub(crate) connection: u64,
    /// Method.
    pub(crate) method: String,
    /// Scheme, host and target as asked for.
    pub(crate) address: String,
    /// Host.
    pub(crate) host: String,
    /// Path and query.
    pub(crate) target: String,
    /// Headers in order, names as sent.
    pub(crate) headers: Vec<(String, String)>,
    /// Body.
    pub(crate) body: Bytes,
    /// Status answered; 0 when the connection was cut before the head.
    pub(crate) status: u16,
    /// Body bytes, framing included, that the socket layer took. Up to one send buffer (64 KiB) of them may not have
    /// reached the client.
    pub(crate) taken: u64,
    /// How far the answer has come.
    pub(crate) progress: Progress,
}

impl Record {
    pub(super) fn new(connection: u64, request: &Request) -> Self {
        Self {
            connection,
            method: request.method.clone(),
            address: request.address.clone(),
            host: request.host.clone(),
            target: request.target.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            status: 0,
            taken: 0,
            progress: Progress::Sending,
        }
    }

    /// The first header of this name, without regard to case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }
}

/// Everything seen so far.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Requests in the order of their heads.
    pub(crate) records: Vec<Record>,
    /// `host:port` of every CONNECT.
    pub(crate) tunnels: Vec<String>,
    /// Requests for addresses that nobody scripted; a test must end without any.
    pub(crate) unknown: Vec<String>,
    /// Requests for media that were turned away, with the reason.
    pub(crate) refused: Vec<String>,
    /// Requests for media that were served at a crawl, with the reason.
    pub(crate) throttled: Vec<String>,
    /// TCP connections that are open now.
    pub(crate) open_connections: usize,
}

impl Traffic {
    /// The requests for one address, byte for byte.
    pub(crate) fn of<'a>(&'a self, address: &'a str) -> impl Iterator<Item = &'a Record> {
        self.records
            .iter()
            .filter(move |record| record.address == address)
    }

    /// The requests to one host.
    pub(crate) fn to_host<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Record> {
        self.records
            .iter()
            .filter(move |record| record.host == host)
    }
}
