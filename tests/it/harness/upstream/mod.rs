//! The simulated upstream: a forward proxy on 127.0.0.1 that opens CONNECT with its own CA and plays the sites and
//! their CDNs, so that the shipped binary is tested unmodified, through the variables a user would set.
//!
//! [`Upstream`] runs it; [`World`] is what it plays (pages, files, faults) and what it has seen. Addresses that nobody
//! scripted are answered 599 and fail the test. A file can be fetched only at an address that a served page contained,
//! byte for byte.

mod answer;
mod ca;
mod cdn;
mod connection;
mod fault;
mod gate;
mod media;
mod page;
mod plan;
mod proxy;
mod record;
pub(crate) mod recorded;
mod socks;
pub(crate) mod tiktok;
mod wire;
mod world;
pub(crate) mod youtube;

pub(crate) use answer::Answer;
pub(crate) use fault::{Fault, Rule, TunnelFault};
pub(crate) use gate::Gate;
pub(crate) use media::{Media, Need, Payload, sha256_hex};
pub(crate) use page::Page;
pub(crate) use proxy::{Door, Upstream};
pub(crate) use record::{Progress, Record, Traffic};
pub(crate) use wire::Request;
pub(crate) use world::World;
