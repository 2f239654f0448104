//! What the product does, one struct per use case; no axum, no site names.
//!
//! [`Resolver`]: address -> extraction. [`Lister`]: address of a list -> the posts in it. [`Minter`]: extraction -> sealed
//! links. [`Choice`]: one of them. [`Joiner`]: two tracks -> one file. [`Deliverer`]: link -> bytes.

mod address;
mod captions;
mod choice;
mod config;
mod deliver;
mod flight;
mod joined;
mod lists;
mod offers;
mod origin;
mod resolve;

pub use captions::CaptionLinks;
pub use choice::Choice;
pub use config::ServicesConfig;
pub use deliver::{DeliverError, Delivered, Deliverer, Delivery, TextFile};
pub use joined::{JoinError, Joiner, Pair, Span};
pub use lists::Lister;
pub use offers::{Entry, Minter, Offers, Picks, Terms};
pub use origin::OriginError;
pub use resolve::{CacheStats, ResolveError, Resolved, Resolver, Wish};
