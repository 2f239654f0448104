//! The way to an ingest that a broadcast names: not HTTP, to any public address, dialled directly (rulings 42, 43).

mod dial;
mod guard;
mod stream;
#[cfg(test)]
mod tests;

pub use dial::{DialError, TargetDialer};
pub use guard::{TargetConfig, TargetRefused};
pub use stream::TargetStream;
