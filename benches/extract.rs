//! What one page costs: finding its data, reading the post, mapping it.
//!
//! `cargo bench --bench extract`. Takes the recorded page of 506 KB when the recordings are at hand (`SERVERRS_FIXTURES`,
//! by default beside the project), else a page of that size made from the small one in `tests/fixtures`. The challenge
//! and the network are not in it.
#![expect(
    clippy::expect_used,
    reason = "a benchmark without its input has nothing to measure"
)]

use std::path::{Path, PathBuf};

use divan::Bencher;
use divan::counter::BytesCount;
use serverrs::config::Env;
use serverrs::extract::tiktok::parse_page;

fn main() {
    divan::main();
}

#[divan::bench]
fn parse_and_map_page(bencher: Bencher<'_, '_>) {
    let (html, id) = recorded().unwrap_or_else(generated);
    bencher
        .counter(BytesCount::of_slice(&html))
        .bench(|| parse_page(divan::black_box(&html), id).expect("a page with its post"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The recorded page.
fn recorded() -> Option<(Vec<u8>, &'static str)> {
    let named: Option<PathBuf> = Env::from_process().path("SERVERRS_FIXTURES");
    let folder = named.unwrap_or_else(|| root().join("../shared/fixtures"));
    let page = folder.join("tiktok/pages/video_7524919459643919624_2025-08.html");
    Some((std::fs::read(page).ok()?, "7524919459643919624"))
}

/// The small page, grown by translations as served pages are: they make up most of their data.
fn generated() -> (Vec<u8>, &'static str) {
    let small = root().join("tests/fixtures/tiktok/page_video.html");
    let small = std::fs::read_to_string(small).expect("the small page");
    let texts: Vec<String> = (0..9000)
        .map(|number| format!(r#""some_text_of_the_page_{number}":"Some \"text\" of it""#))
        .collect();
    let grown = format!(r#""webapp.i18n-translation": {{{},"#, texts.join(","));
    let html = small.replacen(r#""webapp.i18n-translation": {"#, &grown, 1);
    (html.into_bytes(), "7520000000000000001")
}
