//! The simulated upstream of the tests, to be looked at by hand: `cargo run --example upstream`.
//!
//! It plays TikTok and its CDN for a few made-up posts and, when the folder with recordings is there, for every recorded
//! one. It prints how to point serverrs, curl or yt-dlp at it and runs until Ctrl-C.

#[path = "../tests/it/harness/upstream/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    clippy::expect_used,
    clippy::panic,
    reason = "test code, of which a look by hand needs a part"
)]
mod upstream;

use std::io::{self, Write};

use upstream::tiktok::{Post, samples, serve_short_link};
use upstream::{Upstream, recorded};

#[tokio::main]
async fn main() -> io::Result<()> {
    let upstream = Upstream::start().await;
    let mut posts: Vec<(String, Post)> = samples()
        .iter()
        .map(|item| ("made up".to_owned(), Post::new(item)))
        .collect();
    if let Some(folder) = recorded::folder() {
        let found = recorded::posts(&folder).into_iter();
        posts.extend(found.map(|recorded| (recorded.name, recorded.post)));
    }
    let first = posts
        .first()
        .map(|(_, post)| post.url())
        .unwrap_or_default();
    let short = "https://vm.tiktok.com/ZMsample/";
    serve_short_link(&upstream.world, &[short, &first]);

    let mut out = io::stdout().lock();
    write_manual(&mut out, &upstream, &first)?;
    writeln!(out, "\nPosts:\n  {short}  (leads to the first one)")?;
    for (name, post) in posts {
        let kind = if post.is_photo() { "photos" } else { "video" };
        writeln!(out, "  {}  ({kind}, {name})", post.url())?;
        post.serve(&upstream.world);
    }
    writeln!(out, "\nCtrl-C ends it.")?;
    tokio::signal::ctrl_c().await
}

fn write_manual(out: &mut impl Write, upstream: &Upstream, post: &str) -> io::Result<()> {
    let proxy = upstream.proxy_url();
    let ca = upstream.ca_file().display();
    writeln!(
        out,
        "A simulated TikTok is up.\n\
         \x20 proxy    {proxy}\n\
         \x20 CA file  {ca}\n\n\
         serverrs:  PROXY={proxy} EXTRA_CA_FILE={ca} cargo run\n\
         curl:      curl --proxy {proxy} --cacert {ca} '{post}'\n\
         yt-dlp:    SSL_CERT_FILE={ca} yt-dlp --proxy {proxy} -F '{post}'"
    )
}
