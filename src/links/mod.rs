//! Links: what a media address of ours says, and how it is sealed.
//!
//! Pure apart from the random nonce. `services` mints and opens links; nobody else sees a key.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

mod claims;
mod config;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod keys;
mod link;
mod token;

pub use config::LinksConfig;
pub use link::{Hint, Kind, Link, Purpose};
pub use token::{LinkError, Sealer};
