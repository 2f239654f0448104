//! Tests of the harness itself: a test that stands on it is worth what it is worth.

mod cdn;
mod connections;
mod faults;
mod pages;
mod tools;
mod youtube;

use reqwest::RequestBuilder;

use super::api::{Fetched, client_with_roots, fetch};
use super::upstream::Upstream;
use super::upstream::tiktok::{Item, Post};

const ID: &str = "7524919459643919001";

const REFERER: &str = "https://www.tiktok.com/";

/// A client that goes through the upstream and trusts only its CA; it keeps no cookies and decompresses nothing.
fn client(upstream: &Upstream) -> reqwest::Client {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(upstream.root()).expect("root");
    client_with_roots(roots)
        .proxy(reqwest::Proxy::all(upstream.proxy_url()).expect("proxy"))
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .build()
        .expect("client")
}

fn get(upstream: &Upstream, address: &str) -> RequestBuilder {
    client(upstream).get(address)
}

/// The value that a page's `Set-Cookie` gives to `name`.
fn set_cookie(page: &Fetched, name: &str) -> String {
    let start = format!("{name}=");
    page.headers
        .get_all("set-cookie")
        .iter()
        .find_map(|cookie| {
            cookie
                .to_str()
                .ok()?
                .strip_prefix(&start)?
                .split(';')
                .next()
        })
        .unwrap_or_else(|| panic!("no {name} in {:?}", page.headers))
        .to_owned()
}

fn play_address(item: &Item) -> String {
    item.json()["video"]["playAddr"]
        .as_str()
        .expect("address")
        .to_owned()
}

fn text(page: &Fetched) -> String {
    String::from_utf8_lossy(&page.body).into_owned()
}

async fn fetch_page(upstream: &Upstream, post: Post) -> Fetched {
    let url = post.url();
    post.serve(&upstream.world);
    fetch(get(upstream, &url)).await
}
