//! serverrs turns a TikTok link into facts and working download links, and streams the bytes without storing them.
//!
//! The flow: address -> [`extract::Source`] -> [`extract::Extraction`] -> [`extract::Format`] -> [`links::Link`] ->
//! [`transfer`] -> body. The rooms, and who may know whom:
//!
//! `{http, cli} -> broadcast -> services -> {extract, links, transfer, media} -> {net, temp} -> config`
//!
//! Downwards only; siblings don't import each other. `tests/it/layers.rs` guards it.

pub mod app;
pub mod broadcast;
pub mod cli;
pub mod clock;
pub mod config;
pub mod extract;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod http;
pub mod lifecycle;
pub mod links;
pub mod media;
pub mod net;
pub mod observe;
pub mod process;
pub mod protect;
pub mod server;
pub mod services;
pub mod task;
pub mod telemetry;
pub mod temp;
pub mod transfer;
