//! Everything that reads bytes of others, each behind a function that takes any bytes: nothing panics, nothing is
//! believed that can't be. For the fuzzer in `fuzz/`, and for the runs that are part of the tests.
//!
//! Only in tests and with the feature `fuzz`.

mod mutator;
#[cfg(test)]
mod tests;

pub use mutator::Mutator;

use crate::{broadcast, extract, http, links, media, net, services, transfer};

/// A reader of foreign bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder below `fuzz/corpus`.
    pub name: &'static str,
    /// Reads any bytes.
    ///
    /// # Panics
    /// A promise of the reader doesn't hold.
    pub run: fn(&[u8]),
}

macro_rules! targets {
    ($($name:ident = $run:path),* $(,)?) => {
        &[$(Target { name: stringify!($name), run: $run }),*]
    };
}

/// All of them.
pub const TARGETS: &[Target] = targets![
    address = extract::fuzz::address,
    app_answer = extract::fuzz::app_answer,
    boxes = media::fuzz::boxes,
    challenge = extract::fuzz::challenge,
    chunks = net::fuzz::chunks,
    content_range = transfer::fuzz::content_range,
    cookie_file = net::fuzz::cookie_file,
    disposition = http::fuzz::disposition,
    ebml = media::fuzz::ebml,
    egress = net::fuzz::egress,
    entity_tag = transfer::fuzz::entity_tag,
    fields = http::fuzz::fields,
    flv = broadcast::fuzz::flv,
    guard = net::fuzz::guard,
    head = net::fuzz::head,
    hls = media::fuzz::hls,
    link = links::fuzz::link,
    movie = media::fuzz::movie,
    picture = media::fuzz::picture,
    player_answer = extract::fuzz::player_answer,
    player_script = extract::fuzz::player_script,
    playlist = extract::fuzz::playlist,
    post_page = extract::fuzz::post_page,
    proxy = net::fuzz::proxy,
    range = transfer::fuzz::range,
    redis_reply = net::fuzz::redis_reply,
    rtmp_chunks = broadcast::fuzz::rtmp_chunks,
    rtmp_reply = broadcast::fuzz::rtmp_reply,
    said = media::fuzz::said,
    selector = extract::fuzz::selector,
    set_cookie = net::fuzz::set_cookie,
    shared = services::fuzz::shared,
    srt_key = broadcast::fuzz::srt_key,
    target = broadcast::fuzz::target,
    token_answer = extract::fuzz::token_answer,
    twin_answer = extract::fuzz::twin_answer,
    vpn_answer = net::fuzz::vpn_answer,
    watch_page = extract::fuzz::watch_page,
    webp = media::fuzz::webp,
];
