//! The way to an ingest that a broadcast names: not HTTP, to any public address, dialled directly or
//! by a way out that is named (rulings 42, 43).

mod dial;
mod guard;
mod stream;
#[cfg(test)]
mod tests;

pub(in crate::net) use dial::Via;
pub use dial::{DialError, TargetDialer};
pub use guard::{TargetConfig, TargetRefused};
pub use stream::TargetStream;
