//! What the product does, one struct per use case; no axum, no site names.
//!
//! [`Resolver`]: address -> extraction. [`Lister`]: address of a list -> the posts in it. [`Minter`]: extraction -> sealed
//! links. [`Choice`]: one of them. [`Playout`]: post -> the file of it that is played here, or the [`LiveStream`] that it
//! is. [`Accounts`]: those two and lists by an account of the operator's. [`Joiner`]: two tracks -> one file.
//! [`Deliverer`]: link -> bytes: passed on, joined, packed, transcoded or rendered.

mod accounts;
mod address;
mod archive;
mod captions;
mod choice;
mod config;
mod cover;
mod deliver;
mod egress;
mod feed;
mod flight;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod jobs;
mod joined;
mod lists;
mod live;
mod made;
mod offers;
mod origin;
mod piped;
mod playout;
mod remux;
mod resolve;
mod room;
mod shared;
mod slideshow;
mod sound;
mod transcode;

pub use accounts::{Account, AccountError, Accounts};
pub use archive::ArchiveError;
pub use captions::CaptionLinks;
pub use choice::Choice;
pub use config::ServicesConfig;
pub use deliver::{DeliverError, Delivered, Deliverer, Delivery, TextFile, Tools};
pub use joined::{JoinError, Joiner, Pair, PairWish, Span};
pub use lists::Lister;
pub use live::{Arrived, LiveError, LiveStream, Reading};
pub use offers::{Entry, Makes, Minter, Offers, Picks, Terms};
pub use origin::OriginError;
pub use playout::{Playable, Playout, PlayoutError, Taste};
pub use resolve::{CacheStats, ResolveError, Resolved, Resolver, Sources, Wish};
pub use room::{Held, Room};
pub use shared::Shared;
pub use slideshow::{Progress, SlideshowError, State, Step, Waiter};
