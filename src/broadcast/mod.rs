//! Playlists on air: what is kept of broadcasts, and what may be done with them; items made alike, laid on one timeline
//! and published to an ingest, for days.
//!
//! [`Broadcasts`] is what the API asks. Stands on `services` for posts and lists; knows no site.

mod bus;
mod config;
mod context;
mod encoding;
mod error;
mod feed;
mod files;
pub mod flv;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod id;
mod list;
mod normaliser;
mod order;
pub mod pacing;
mod profile;
pub mod publisher;
pub mod pump;
mod record;
mod redact;
mod run;
mod schedule;
mod service;
mod settings;
mod shelf;
pub mod source;
pub mod splicer;
mod state;
mod steady;
mod store;
mod tuner;

pub use bus::{Follower, Notice};
pub use config::BroadcastConfig;
pub use context::Parts;
pub use encoding::{EncoderConfig, SlateImage};
pub use error::BroadcastError;
pub use profile::Profile;
pub use record::{Broadcast, Facts, LastError, Position};
pub use run::Tally;
pub use schedule::{Day, Prefetch, Schedule, TimeOfDay, Window};
pub use service::{Broadcasts, Figures, Start};
pub use settings::{
    FieldFault, OnItemFailure, Resume, ServeMode, Settings, StreamSource, VideoMode,
};
pub use state::{Effect, Event, Status};
pub use store::{Item, ItemState, LogLevel, LogQuery, LogRow, LogSource, Store, StoreError};
