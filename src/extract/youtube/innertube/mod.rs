//! YouTube's own interface: what a request looks like, how it is sent, and what an answer is before it is read.

mod build;
mod session;
mod transport;

pub(super) use build::{Call, PageCall};
pub(super) use session::{Asked, AskedPlayer, Session};
pub(super) use transport::{Answer, Ask, NetTransport};
