//! The file of one transfer: a post with one video of two mirrors.

use serde_json::{Value, json};

use super::seed::Seed;
use crate::harness::upstream::tiktok::{Gear, Item, Post};
use crate::harness::upstream::{Fault, Media, Payload, Rule, World};

/// Least size of a file; the largest is below twice that. Several reads of a connection, so that a cut lies inside.
const MIN_SIZE: u64 = 48 * 1024;
/// Hosts of the mirrors in the harness's posts.
const HOSTS: [&str; 2] = ["v16-webapp-prime.tiktok.com", "v19-webapp-prime.tiktok.com"];

/// `ETag`s of the other file that may come in place of a target's own.
const ANOTHER: &str = "\"another\"";
const ANOTHER_WEAK: &str = "W/\"another\"";

/// A post whose file can be fetched.
#[derive(Debug)]
pub(super) struct Target {
    world: World,
    item: Item,
    mirrors: Vec<String>,
    /// Path of the file, the same on both mirrors.
    path: String,
    /// The file as its transfer must bring it.
    pub(super) media: Media,
    /// Bytes of it.
    pub(super) size: u64,
}

impl Target {
    /// The post of transfer number `number`, put into the world.
    pub(super) fn new(world: &World, number: u64, seed: &mut Seed) -> Self {
        Self::on_hosts(world, number, seed, HOSTS)
    }

    /// The same with its mirrors on other hosts.
    pub(super) fn on_hosts(world: &World, number: u64, seed: &mut Seed, hosts: [&str; 2]) -> Self {
        let gear = Gear {
            name: "normal_540_0",
            codec: "h264",
            width: 576,
            height: 1024,
            bitrate: 942_113,
            size: seed.within(MIN_SIZE..2 * MIN_SIZE),
        };
        let id = (7_524_919_459_000_000_000 + number).to_string();
        let item = Item::video(&id)
            .with_gears(std::slice::from_ref(&gear))
            .without("/video/downloadAddr");
        let urls = item.json()["video"]["bitrateInfo"][0]["PlayAddr"]["UrlList"].as_array();
        let urls = urls.expect("addresses").iter().zip(HOSTS.iter().zip(hosts));
        let mirrors: Vec<String> = urls
            .map(|(url, (old, new))| url.as_str().expect("an address").replace(old, new))
            .collect();
        let item = item
            .with("/video/playAddr", json!(mirrors[0]))
            .with("/video/bitrateInfo/0/PlayAddr/UrlList", json!(mirrors));
        Post::new(&item).serve(world);
        let (_, path) = mirrors[0].split_once(".com").expect("an address");
        Self {
            path: path.split('?').next().expect("a path").to_owned(),
            media: world.media_at(&mirrors[0]),
            world: world.clone(),
            item,
            mirrors,
            size: gear.size,
        }
    }

    /// Takes the size out of the post, so that only the upstream can tell it.
    pub(super) fn forget_size(&self) {
        let pointer = "/video/bitrateInfo/0/PlayAddr/DataSize";
        Post::new(&self.item.clone().without(pointer)).serve(&self.world);
        self.put(&self.media);
    }

    /// Puts more bytes after those that the post tells of.
    pub(super) fn lengthen(&self) {
        let Payload::Random { seed, length } = self.media.payload else {
            panic!("files of posts are random");
        };
        let payload = Payload::Random {
            seed,
            length: length + 777,
        };
        self.put(&Media {
            payload,
            ..self.media.clone()
        });
    }

    /// Gives the file a weak `ETag`, and no date: it promises the same bytes only as long as it stays the same itself.
    pub(super) fn weaken(&self) {
        self.put(&Media {
            etag: format!("W/{}", self.media.etag),
            last_modified: String::new(),
            ..self.media.clone()
        });
    }

    fn put(&self, media: &Media) {
        for mirror in &self.mirrors {
            self.world.media(mirror, media.clone());
        }
    }

    /// Address of the post.
    pub(super) fn url(&self) -> String {
        Post::new(&self.item).url()
    }

    /// Address of the first mirror.
    pub(super) fn mirror(&self) -> &str {
        &self.mirrors[0]
    }

    /// Another file of the same length in place of this one.
    pub(super) fn replaced(&self) -> Fault {
        Fault::Replaced {
            etag: ANOTHER.to_owned(),
            seed: self.size,
        }
    }

    /// The same with a weak `ETag`.
    pub(super) fn replaced_weakly(&self) -> Fault {
        Fault::Replaced {
            etag: ANOTHER_WEAK.to_owned(),
            seed: self.size,
        }
    }

    /// The bytes of the file that an answer with this `ETag` is about.
    pub(super) fn payload(&self, etag: &str) -> Payload {
        if etag != ANOTHER && etag != ANOTHER_WEAK {
            return self.media.payload.clone();
        }
        Payload::Random {
            seed: self.size,
            length: self.size,
        }
    }

    /// An offset in the first quarter.
    pub(super) fn early(&self, seed: &mut Seed) -> u64 {
        seed.within(1..self.size / 4)
    }

    /// A fault of both mirrors, counted together; proofs of the tail aside.
    pub(super) fn everywhere(&self, fault: Fault) -> Rule {
        self.always(fault).besides_tail()
    }

    /// A fault of the first mirror; proofs of the tail aside.
    pub(super) fn first(&self, fault: Fault) -> Rule {
        self.first_always(fault).besides_tail()
    }

    /// A fault of both mirrors and of every request.
    pub(super) fn always(&self, fault: Fault) -> Rule {
        Rule::path_prefix(&self.path, fault)
    }

    /// A fault of the first mirror and of every request.
    pub(super) fn first_always(&self, fault: Fault) -> Rule {
        Rule::address(&self.mirrors[0], fault)
    }

    /// Requests for this file so far: `Range` of each.
    pub(super) fn asked(&self) -> Vec<String> {
        self.world.look(|traffic| {
            let records = traffic.records.iter();
            let ours = records.filter(|record| record.target.starts_with(&self.path));
            ours.map(|record| record.header("range").unwrap_or_default().to_owned())
                .collect()
        })
    }

    /// The link for this file in an answer of `/tiktok`, as a path.
    pub(super) fn link(answer: &Value, route: &str) -> String {
        let token = answer.pointer("/data/video_data/0/streamData");
        let token = token.and_then(Value::as_str).expect("a link");
        format!("{route}?data={token}")
    }
}
