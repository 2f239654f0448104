//! What playlists of live items name: their lists, segments, beginnings of segments, keys, and where each of them moves. They
//! are read for broadcasts alone.

use std::net::IpAddr;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::Method;
use serde_json::{Value, json};
use url::Url;

use super::entries::REDIRECTS;
use super::names::{self, SITES};
use super::spellings::{self, Private, name_of};
use super::territory::{Arrivals, Sites, Territory};
use super::{EVERYTHING, FOREIGN, is_strange};
use crate::broadcasts::{CANARY, TOKEN, ask, get, has_ffmpeg, made, route, until};
use crate::harness::ingest::{Ingest, Manner};
use crate::harness::upstream::youtube::{Layout, Playlist, Reel, Show, State, YouTube};
use crate::harness::upstream::{Fault, Record, Rule, Upstream};
use crate::harness::{Builder, is_long_form, skip};

/// Items of a broadcast. One may take 30 s until it is silent for good, and a list in which nothing plays is given up after 45:
/// no third one would surely be tried.
const ITEMS: usize = 2;
/// Broadcasts that run together.
const AT_ONCE: usize = 8;
/// One case of so many is in, in the short form and in the long one: of spelled hosts, of names that lead inside, and of
/// those that are let through.
const STRANGERS: [usize; 2] = [140, 14];
const OWN: [usize; 2] = [21, 2];
const CONTROLS: [usize; 2] = [36, 14];
/// Fewer would leave something out.
const FEWEST_STRANGERS: [usize; 2] = [85, 850];
const FEWEST_OWN: [usize; 2] = [60, 500];
/// Domain of the hosts that pass.
const MEDIA: &str = "googlevideo.com";
/// Beginning of the paths of hosts that are named.
const NAMED: &str = "/live/";
/// Where segments and their keys lie. Nothing there is media.
const SEGMENTS: &str = "https://rr1---sn-live.googlevideo.com";
/// Beginning of a list of segments.
const HEAD: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n";

/// Who names the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The video, as the address of its list of variants.
    Variants,
    /// The list of variants, as the address of one.
    Segments,
    /// A list of segments, as the address of one.
    Segment,
    /// A list of segments, as the address of what comes before them.
    Beginning,
    /// A list of segments, as the address of their key.
    Key,
    /// The list of variants, by its redirect.
    VariantsMove,
    /// A list of segments, by its redirect.
    SegmentsMove,
    /// A segment, by its redirect.
    SegmentMove,
    /// A key, by its redirect.
    KeyMove,
}

impl Place {
    const ALL: [Self; 9] = [
        Self::Variants,
        Self::Segments,
        Self::Segment,
        Self::Beginning,
        Self::Key,
        Self::VariantsMove,
        Self::SegmentsMove,
        Self::SegmentMove,
        Self::KeyMove,
    ];

    /// What the paths begin with that move here.
    fn moving(self) -> Option<&'static str> {
        match self {
            Self::VariantsMove => Some("/api/manifest/hls_variant/"),
            Self::SegmentsMove => Some("/api/manifest/hls_playlist/"),
            Self::SegmentMove => Some("/videoplayback/"),
            Self::KeyMove => Some("/key/"),
            _ => None,
        }
    }
}

/// One host at one place.
#[derive(Debug, Clone)]
struct Case {
    place: Place,
    host: String,
    number: usize,
    status: u16,
}

impl Case {
    fn video(&self) -> String {
        format!("live{:07}", self.number)
    }

    fn address(&self) -> String {
        format!("https://{}{NAMED}{}", self.host, self.number)
    }

    /// What is on air there.
    fn show(&self) -> Show {
        let address = self.address();
        let listing = |tags: &str, segment: &str| {
            Show::listing(format!("{HEAD}{tags}#EXTINF:2,\n{segment}\n"))
        };
        let nothing = format!("{SEGMENTS}{NAMED}none.ts");
        let locked = |key: &str| {
            let tag = format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{key}\"\n");
            listing(&tag, &nothing)
        };
        let whole = Reel {
            init: None,
            segments: vec![Bytes::from_static(b"no media"); 3],
        };
        match self.place {
            Place::Variants => Show::new(whole).lying_at(&address),
            Place::Segments => Show::offering(format!(
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{address}\n"
            )),
            Place::Segment => listing("", &address),
            Place::Beginning => listing(&format!("#EXT-X-MAP:URI=\"{address}\"\n"), &nothing),
            Place::Key => locked(&address),
            Place::KeyMove => locked(&format!("{SEGMENTS}{}", self.moving().unwrap_or_default())),
            Place::VariantsMove | Place::SegmentsMove | Place::SegmentMove => Show::new(whole),
        }
    }

    /// Beginning of the paths of what moves, if anything does.
    fn moving(&self) -> Option<String> {
        let path = self.place.moving()?;
        Some(format!("{path}id/{}.1/", self.video()))
    }

    /// What an item is skipped for whose host may not be asked.
    fn reason(&self) -> &'static str {
        let is_address = Url::parse(&self.address()).is_ok();
        match self.place {
            // What is no address at all makes a list that is none.
            Place::Segments | Place::Segment | Place::Beginning | Place::Key if !is_address => {
                "unsupported_format"
            }
            _ => "forbidden_address",
        }
    }
}

/// A server that sends broadcasts, in a network of its own.
struct Air {
    territory: Territory,
    youtube: YouTube,
    arrivals: Arrivals,
    ingest: String,
    _ingest: Ingest,
}

impl Air {
    /// `None` when this is not the network of its own, or there is no FFmpeg.
    async fn enter(test: &str, sites: Sites, allowed: &str) -> Option<Self> {
        if !has_ffmpeg().await {
            skip("ffmpeg", "ffmpeg is not installed");
            return None;
        }
        let mut ingest = None;
        let settings = |builder: Builder, _: &Upstream| {
            let own = ingest.insert(Ingest::start([Manner::Keep]));
            let target = format!("127.0.0.1:{}", own.port);
            let builder = builder
                .env("BROADCAST_API_TOKEN", TOKEN)
                .env("BROADCAST_MAX_RUNNING", "8")
                .env("BROADCAST_ALLOW_PRIVATE_TARGETS", &target)
                .env("STREAM_TEMP_DIR", "streams");
            match allowed {
                "" => builder,
                allowed => builder.env("ALLOW_PRIVATE_UPSTREAM", allowed),
            }
        };
        let territory = Territory::enter_as(test, sites, settings).await?;
        let ingest = ingest.expect("an ingest");
        let world = territory.stage.world();
        // So that nothing is worth a second look.
        let content_type = "text/html";
        world.fault(Rule::path_prefix(NAMED, Fault::Html { content_type }));
        let youtube = YouTube::open(world);
        youtube.see_visitor_at(&SITES.to_string());
        let arrivals = territory.assert_traps_work().await;
        Some(Self {
            territory,
            youtube,
            arrivals,
            ingest: ingest.url(),
            _ingest: ingest,
        })
    }

    /// Plays the cases, each as an item of a list; returns why each was skipped, or what else became of it.
    async fn reasons(&self, cases: &[Case]) -> Vec<String> {
        let lists = cases.chunks(ITEMS).map(|items| self.list(items));
        let played: Vec<Vec<String>> = stream::iter(lists).buffered(AT_ONCE).collect().await;
        played.concat()
    }

    async fn list(&self, cases: &[Case]) -> Vec<String> {
        let id = format!("PLlive{:016}", cases[0].number);
        let mut list = Playlist::new(&id, Layout::Classic, cases.len());
        for (number, case) in (1..).zip(cases) {
            list = list.with_state(number, State::Live);
            list.entries[number - 1].id = case.video();
            self.youtube.air(&case.video(), case.show());
            if let Some(prefix) = case.moving() {
                let (status, to) = (case.status, case.address());
                let redirect = Fault::Redirect { status, to };
                let world = self.territory.stage.world();
                world.replace_fault(Rule::path_prefix(&prefix, redirect));
            }
        }
        self.youtube.playlist(list);
        let items = self.broadcast(&id).await;
        // They are over, and would be looked through with every further request.
        for prefix in cases.iter().filter_map(Case::moving) {
            self.territory.stage.world().end_fault(&prefix);
        }
        assert_eq!(items.len(), cases.len());
        let outcome = |item: &Value| {
            let is_skipped = item["state"] == "skipped";
            let told = if is_skipped { "reason" } else { "state" };
            item[told].as_str().unwrap_or_default().to_owned()
        };
        items.iter().map(outcome).collect()
    }

    /// Sends a list in which nothing plays; returns its items as they are then.
    async fn broadcast(&self, list: &str) -> Vec<Value> {
        let server = &self.territory.stage.server;
        let fields = json!({
            "playlist_id": list,
            "stream_source": "playlist_direct",
            "target_url": self.ingest,
            "stream_key": CANARY,
            "allow_live": true,
            "profile": {"width": 320, "height": 180, "fps": 30, "video_kbps": 300, "audio_kbps": 64,
                "preset": "ultrafast", "gop_s": 1},
        });
        let record = made(server, fields).await;
        let start = format!("{}/start", route(&record));
        let answer = ask(server, Method::POST, &start, None).await;
        assert_eq!(answer.status, 202, "{}", answer.json());
        let failed = until(server, &record, "the end", |status| {
            status["status"] == "failed"
        })
        .await;
        assert_eq!(
            failed["last_error"]["code"], "no_playable_items",
            "{failed:#}"
        );
        let items = get(server, &format!("{}/items", route(&record))).await;
        items["items"].as_array().expect("items").clone()
    }

    /// Plays cases that must be refused, and makes sure that each got as far as its host.
    async fn assert_refused(&self, cases: &[Case]) {
        let reasons = self.reasons(cases).await;
        assert_eq!(self.territory.trapped(), []);
        let wrong = cases.iter().zip(&reasons);
        let wrong: Vec<_> = wrong
            .filter(|(case, reason)| case.reason() != *reason)
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        self.assert_moved(cases);
    }

    /// Plays names of the site's that lead inside with an open guard: each is asked, at the very address. Returns how many.
    async fn assert_let_through(&self) -> usize {
        let controls = own(CONTROLS).into_iter().zip(1_000_000..);
        let controls = controls.map(|(control, number)| Case { number, ..control });
        let there = |case: &Case| self.arrivals.get(&names::address_of(&case.host)).copied();
        let controls: Vec<Case> = controls.filter(|case| there(case).is_some()).collect();
        for place in Place::ALL {
            let is_meant = |case: &Case| case.place == place;
            assert!(controls.iter().any(is_meant), "{place:?} isn't tried");
        }
        self.territory.forget_trapped();
        self.reasons(&controls).await;
        let trapped = self.territory.trapped();
        for case in &controls {
            let there = there(case).expect("it was dialled before");
            assert!(trapped.contains(&there), "{case:?}: not at {there}");
            self.assert_asked(case);
        }
        controls.len()
    }

    /// A request has come to the host of a case.
    fn assert_asked(&self, case: &Case) {
        let world = self.territory.stage.world();
        let asked = world.look(|traffic| traffic.to_host(&case.host).count());
        assert!(asked >= 1, "{case:?}: not asked");
    }

    /// Every redirect was served.
    fn assert_moved(&self, cases: &[Case]) {
        for case in cases {
            let Some(prefix) = case.moving() else {
                continue;
            };
            let is_move = |record: &Record| {
                record.status == case.status && record.target.starts_with(&prefix)
            };
            let world = self.territory.stage.world();
            let is_served = world.look(|traffic| traffic.records.iter().any(is_move));
            assert!(is_served, "{case:?}: no redirect was served");
        }
    }
}

/// One of so many.
fn share(shares: [usize; 2]) -> usize {
    shares[usize::from(is_long_form())]
}

/// Hosts at places, numbered, one of so many of each place.
fn deal(
    hosts: &[(String, bool)],
    shares: [usize; 2],
    makes: impl Fn(&str, Place, usize) -> String,
) -> Vec<Case> {
    let share = share(shares);
    let mut cases: Vec<Case> = Vec::new();
    for (turn, place) in Place::ALL.into_iter().enumerate() {
        for (at, (host, is_each)) in hosts.iter().enumerate() {
            if !(at + turn * share / Place::ALL.len()).is_multiple_of(share) {
                continue;
            }
            let moves = place.moving().is_some();
            let statuses = if moves && *is_each && is_long_form() {
                REDIRECTS.to_vec()
            } else {
                vec![REDIRECTS[cases.len() % REDIRECTS.len()]]
            };
            for status in statuses {
                let number = cases.len() + 1;
                let host = makes(host, place, number);
                cases.push(Case {
                    place,
                    host,
                    number,
                    status,
                });
            }
        }
    }
    cases
}

/// Every spelling, and a name of another's that leads to each address. The video itself is asked for its lists at hosts of
/// the site's alone, or it isn't on air: that is said in another way, and shown for a few.
fn strangers() -> Vec<Case> {
    let spelled = spellings::all().into_iter().map(|spelling| spelling.host);
    let named = spellings::addresses().into_iter();
    let named = named.map(|one| name_of(one.address, 0, FOREIGN));
    let hosts: Vec<_> = spelled.chain(named).map(|host| (host, false)).collect();
    let mut cases = deal(&hosts, STRANGERS, |host, _, _| host.to_owned());
    cases.retain(|case| case.place != Place::Variants);
    cases
}

/// Names of the site's that lead to every address.
fn own(shares: [usize; 2]) -> Vec<Case> {
    let hosts = spellings::addresses().into_iter();
    let hosts: Vec<_> = hosts
        .map(|Private { address, is_inside }| (address.to_string(), is_inside))
        .collect();
    deal(&hosts, shares, |address, _, number| {
        let address: IpAddr = address.parse().expect("an address");
        name_of(address, number, MEDIA)
    })
}

#[track_caller]
fn assert_enough(cases: &[Case], fewest: [usize; 2]) {
    let fewest = fewest[usize::from(is_long_form())];
    assert!(cases.len() >= fewest, "{}", cases.len());
}

/// As in the matrix: the guard of addresses is open, and hosts that are no site's are not asked all the same. Then the same
/// guard lets names of the site's through to the very address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn playlists_lead_to_no_host_that_is_not_the_sites() {
    let name = "ssrf::live::playlists_lead_to_no_host_that_is_not_the_sites";
    let Some(air) = Air::enter(name, Sites::Everywhere, EVERYTHING).await else {
        return;
    };
    let cases = strangers();
    air.assert_refused(&cases).await;
    let asked = air.territory.asked.all().into_iter();
    let strange: Vec<String> = asked.filter(|name| is_strange(name)).collect();
    assert!(strange.is_empty(), "{strange:?} were looked up");
    assert_enough(&cases, FEWEST_STRANGERS);
    let reached = air.assert_let_through().await;
    println!(
        "{} hosts, 0 connections; {reached} that are let through arrive",
        cases.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn playlists_lead_to_no_address_that_is_not_public() {
    let name = "ssrf::live::playlists_lead_to_no_address_that_is_not_public";
    let Some(air) = Air::enter(name, Sites::AtTheirs, "").await else {
        return;
    };
    let cases = own(OWN);
    air.assert_refused(&cases).await;
    for case in &cases {
        let asked = air.territory.asked.count_of(&case.host);
        assert!(asked >= 1, "{case:?}: not looked up");
    }
    assert_enough(&cases, FEWEST_OWN);
    // At the same places hosts that are public are asked.
    let good: Vec<Case> = (Place::ALL.into_iter().zip(2_000_000..))
        .map(|(place, number)| Case {
            place,
            host: format!("good-{number}.{MEDIA}"),
            number,
            status: 302,
        })
        .collect();
    air.reasons(&good).await;
    for case in &good {
        air.assert_asked(case);
    }
    assert_eq!(air.territory.trapped(), []);
    println!(
        "{} names, 0 connections; {} good ones are asked",
        cases.len(),
        good.len()
    );
}
