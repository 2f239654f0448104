//! Configuration: the environment as one value, and one struct per room parsed from it.

mod env;
mod file;
mod http;
mod secret;
mod server;
mod stamp;
mod tls;

pub use env::{ConfigError, Env, Fault};
pub use file::open_regular;
pub use http::{HttpConfig, Origins};
pub use secret::Secret;
pub use server::ServerConfig;
pub use stamp::FileStamp;
pub use tls::{TlsConfig, TlsContent};
