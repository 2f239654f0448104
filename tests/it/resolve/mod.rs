//! `POST /tiktok` and `POST /resolve`: what a posted address becomes.

mod addresses;
mod body;
mod cache;
mod photo;
mod recorded;
mod requests;
mod short_links;
mod video;
