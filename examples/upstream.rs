//! The simulated upstream of the tests, to be looked at by hand: `cargo run --example upstream`.
//!
//! It plays TikTok and YouTube with their CDNs for a few made-up posts and, when the folder with recordings is there, for
//! every recorded one. It prints how to point serverrs, curl or yt-dlp at it and runs until Ctrl-C.

#[path = "../tests/it/harness/task.rs"]
mod task;
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
use upstream::youtube::{Layout, Mix, PAGE, Playlist, Video, YouTube, recordings};
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
    writeln!(out, "\nVideos and lists:")?;
    for address in serve_youtube(&upstream) {
        writeln!(out, "  {address}")?;
    }
    writeln!(out, "\nCtrl-C ends it.")?;
    tokio::signal::ctrl_c().await
}

/// Puts videos and lists into a simulated YouTube; returns their addresses.
fn serve_youtube(upstream: &Upstream) -> Vec<String> {
    let youtube = YouTube::open(&upstream.world);
    let mut videos = vec![Video::new("harbour0001")];
    if let Some(folder) = recorded::folder() {
        let found = recordings(&folder).into_iter();
        videos.extend(found.map(|recording| recording.video));
    }
    let lists = [
        Playlist::new("PLharbourClassic0000000", Layout::Classic, 2 * PAGE + 30),
        Playlist::new("PLharbourLockup00000000", Layout::Lockup, 2 * PAGE + 30),
    ];
    let mix = Mix::new("harbour0001");
    let addresses = videos.iter().map(Video::url);
    let addresses = addresses.chain(lists.iter().map(Playlist::url));
    let addresses = addresses.chain([mix.url()]).collect();
    for video in videos {
        youtube.video(video);
    }
    for list in lists {
        youtube.playlist(list);
    }
    youtube.mix(mix);
    addresses
}

fn write_manual(out: &mut impl Write, upstream: &Upstream, post: &str) -> io::Result<()> {
    let proxy = upstream.proxy_url();
    let ca = upstream.ca_file().display();
    writeln!(
        out,
        "Simulated sites are up.\n\
         \x20 proxy    {proxy}\n\
         \x20 CA file  {ca}\n\n\
         serverrs:  PROXY={proxy} EXTRA_CA_FILE={ca} cargo run\n\
         curl:      curl --proxy {proxy} --cacert {ca} '{post}'\n\
         yt-dlp:    SSL_CERT_FILE={ca} yt-dlp --proxy {proxy} -F '{post}'"
    )
}
