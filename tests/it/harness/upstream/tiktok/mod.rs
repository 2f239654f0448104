//! TikTok as seen from outside: post pages with their cookies, the CDN with its demands, and everything that a page can
//! be instead of a page.

mod api;
mod challenge;
mod files;
mod item;
mod pages;
mod post;

pub(crate) use api::{AppApi, DouyinDetail, serve_douyin_share};
pub(crate) use challenge::Challenge;
pub(crate) use item::{Gear, Item, samples};
pub(crate) use pages::{
    captcha, gzip_bomb, login_redirect, maintenance, oversize, serve_short_link, status_page,
};
pub(crate) use post::Post;

/// Host of the pages.
pub(crate) const WWW: &str = "www.tiktok.com";
/// Parts of how addresses are signed: of videos, of sound, of pictures.
pub(crate) const SIGNATURES: [&str; 3] = [
    "7d1c0ffee",
    "3e938360fd99ddee919a61e3ca772e0b",
    "0D2u5pggU94jpPKBgSBvSC",
];
/// Part of the value of every cookie that a page sets.
pub(crate) const COOKIE: &str = "c4naryOfAPage";
/// The guest cookie that the CDN wants back.
pub(crate) const CHAIN_TOKEN: &str = "tt_chain_token";
