//! Playlists on air: what is kept of broadcasts, and what may be done with them; items made alike, laid on one timeline
//! and published to an ingest, for days.
//!
//! [`Broadcasts`] is what the API asks. Stands on `services` for posts and lists; knows no site.

mod bus;
mod config;
mod error;
pub mod flv;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod id;
pub mod pacing;
mod profile;
pub mod publisher;
pub mod pump;
mod record;
mod service;
mod settings;
pub mod source;
mod state;
mod store;
mod target;

pub use bus::{Follower, Notice};
pub use config::BroadcastConfig;
pub use error::BroadcastError;
pub use profile::Profile;
pub use record::{Broadcast, Facts, LastError, Position};
pub use service::{Broadcasts, Parts};
pub use settings::{FieldFault, OnItemFailure, ServeMode, Settings, StreamSource};
pub use state::{Effect, Event, Status};
pub use store::{Item, ItemState, LogLevel, LogQuery, LogRow, LogSource, Store, StoreError};
pub use target::{Target, TargetError};
pub mod splicer;
