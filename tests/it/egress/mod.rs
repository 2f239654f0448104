//! Several ways out, each to an internet of its own: what one is given is of no use at another.

mod gluetun;
mod ways;

use crate::harness::upstream::Upstream;
use crate::harness::upstream::tiktok::{Item, Post, WWW, captcha};
use crate::harness::upstream::{Fault, Page, Rule};
use crate::harness::{Api, Builder, TestServer};

/// Some simulated upstreams, each behind its own proxy.
pub(crate) struct Internet {
    pub(crate) upstreams: Vec<(&'static str, Upstream)>,
}

impl Internet {
    pub(crate) async fn new(names: &[&'static str]) -> Self {
        let mut upstreams = Vec::new();
        for name in names {
            upstreams.push((*name, Upstream::start().await));
        }
        Self { upstreams }
    }

    pub(crate) fn get(&self, name: &str) -> &Upstream {
        let mut upstreams = self.upstreams.iter();
        let found = upstreams.find(|(other, _)| *other == name);
        &found.unwrap_or_else(|| panic!("no way {name}")).1
    }

    /// Value of `EGRESS`.
    pub(crate) fn egress(&self) -> String {
        let ways = self.upstreams.iter();
        let ways: Vec<String> = ways
            .map(|(name, upstream)| format!("{name}={}", upstream.proxy_url()))
            .collect();
        ways.join(",")
    }

    /// Settings of a server that trusts all of them.
    pub(crate) fn builder(&self) -> Builder {
        let files = self.upstreams.iter().map(|(_, upstream)| {
            std::fs::read_to_string(upstream.ca_file()).expect("a certificate")
        });
        let roots: String = files.collect();
        Builder::offline()
            .file("roots.pem", &roots)
            .env("EXTRA_CA_FILE", "roots.pem")
            .env("EGRESS", &self.egress())
    }

    async fn server(&self) -> TestServer {
        self.builder().start().await
    }

    /// Puts a post on the site, wherever it is seen from.
    fn serve(&self, item: &Item) -> String {
        for (_, upstream) in &self.upstreams {
            Post::new(item).serve(&upstream.world);
        }
        Post::new(item).url()
    }

    /// Turns away whoever comes this way.
    fn block(&self, name: &str) {
        let wall = Page::new(WWW, "/*/*/*", vec![captcha()]);
        self.get(name).world.page(wall);
    }

    /// How often the site was asked this way for pages.
    fn pages(&self, name: &str) -> usize {
        self.get(name)
            .world
            .look(|traffic| traffic.to_host(WWW).count())
    }

    /// How often this way was taken for anything but pages.
    fn files(&self, name: &str) -> usize {
        self.get(name).world.look(|traffic| {
            let records = traffic.records.iter();
            records.filter(|record| record.host != WWW).count()
        })
    }

    /// Nothing was asked for that isn't there, and nothing by another way than the one it was given to.
    pub(crate) fn assert_well(&self) {
        for (name, upstream) in &self.upstreams {
            upstream.world.assert_no_unknown();
            let refused = upstream.world.look(|traffic| traffic.refused.clone());
            assert!(refused.is_empty(), "{name}: {refused:#?}");
        }
    }
}

fn item(number: u64) -> Item {
    Item::video(&(7_524_919_459_643_950_000 + number).to_string())
}

/// Downloads what a body offers first; returns its checksum.
async fn download(api: &Api, body: &serde_json::Value) -> String {
    let link = crate::harness::text(body, "/download_link/no_watermark_hd");
    let fetched = api.get(&link).await;
    assert_eq!(fetched.status, 200, "{:?}", fetched.body);
    assert!(fetched.is_whole);
    fetched.sha256()
}

/// Makes every host fail at once for whoever comes this way.
fn cut(upstream: &Upstream) {
    upstream
        .world
        .fault(Rule::path_prefix("/", Fault::CloseBeforeHead));
}
