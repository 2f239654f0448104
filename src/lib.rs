//! serverrs turns a TikTok link into facts and working download links, and streams the bytes without storing them.

pub mod clock;
pub mod config;
pub mod extract;
pub mod lifecycle;
pub mod links;
pub mod net;
pub mod process;
pub mod server;
pub mod services;
pub mod telemetry;
pub mod transfer;
