//! `/stream` and `/download`: the bytes of a link, and the head in front of them.

mod conditions;
mod cookies;
mod failover;
mod files;
mod hints;
mod names;
mod places;
mod ranges;
mod redirects;
