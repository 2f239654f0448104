//! The way out: the one HTTP client with its address guard, cookies, proxy and limits.
//!
//! Knows no site: extractors bring their hosts ([`HostList`]), headers and cookie files. Nothing else in the house
//! opens a connection to an upstream.

mod budget;
mod circuit;
mod client;
mod config;
mod cookies;
mod egress;
mod error;
mod failure;
mod family;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod guard;
mod media;
mod page;
mod proxy;
mod reach;
mod service;
mod store;
mod target;
mod tls;
mod wire;

pub use client::Client;
pub use config::ClientConfig;
pub use cookies::{CookieFile, GuestCookie, Jar, MediaSession, OperatorCookies};
pub use egress::{
    Egress, EgressConfig, EgressStatus, Egresses, NoEgress, Reconnects, Turn, TurnEnd, VpnState,
    VpnStatus,
};
pub use error::{NetError, Phase};
pub use family::IpFamily;
pub use guard::{GuardError, HostList};
pub use media::{MediaRequest, MediaResponse, RangeAsk};
pub use page::{Page, PageRequest};
pub use reqwest::Body;
pub use service::{OwnService, ServiceRequest};
pub use store::{Lock, Paced, Store, StoreConfig, StoreError, StoreStats, StoreStatus};
pub use target::{DialError, TargetConfig, TargetDialer, TargetRefused, TargetStream};
