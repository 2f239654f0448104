//! No request leaves for an address that is not public: every range, every spelling, every place where somebody else
//! names a host, and names that change their mind (reliability R5).
//!
//! Two things stand in the way, and each is proven without the other: what a host says itself, with a guard that lets
//! every address pass; and the guard of addresses, with names that pass.

mod deck;
mod entries;
mod live;
mod matrix;
mod names;
mod spellings;
mod targets;
pub(crate) mod territory;

use std::collections::HashSet;
use std::net::SocketAddr;

use futures_util::{StreamExt as _, stream};

use crate::harness::upstream::{Fault, Media, Rule, Upstream};
use crate::harness::{Builder, is_long_form};
use crate::observe::{figure, metrics};
use entries::Posts;
use matrix::{Play, Stop, Tally};
use territory::{Sites, Territory};

/// Fewer cases of a kind, in the short form and in the long one, would leave something out.
const FEWEST_STRANGERS: [usize; 2] = [1400, 20_000];
const FEWEST_OWN: [usize; 2] = [2500, 5400];
const FEWEST_BY_EGRESS: [usize; 2] = [600, 3700];
const FEWEST_BY_PROXY: [usize; 2] = [400, 1400];
/// Times that each proxy must be taken at least.
const FEWEST_BY_EACH_PROXY: f64 = 50.0;
/// Cases of an entry that must come through when the guard lets every address pass.
const FEWEST_CONTROLS: usize = 8;
/// Names that change their mind.
const TURNS: usize = 1000;
/// Names that change their mind at a time.
const TURNS_AT_ONCE: usize = 8;
/// A domain of no site.
const FOREIGN: &str = "example.com";
/// Lets every address pass.
const EVERYTHING: &str = "0.0.0.0/0,::/0";

/// Ways out by a proxy, each by one of its languages. Of SOCKS both say that it looks names up (ruling 11).
const PROXIES: [(&str, &str); 3] = [
    ("proxy", "http"),
    ("socks", "socks5"),
    ("socks-names", "socks5h"),
];

/// The entries of `EGRESS` for a proxy that the operator names, and that lies on loopback.
fn own_proxies(upstream: &Upstream) -> String {
    let url = upstream.proxy_url();
    let port = url.rsplit(':').next().expect("a port");
    let entry = |(name, scheme)| format!("{name}={scheme}://{}:{port}", names::OWN_PROXY);
    PROXIES.map(entry).join(",")
}

fn is_word(label: &str) -> bool {
    label.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Whether a name is none that the sites have: one of the test's, or what was made of an address.
fn is_strange(name: &str) -> bool {
    let is_name = name.split('.').next_back().is_some_and(is_word);
    !is_name || name.starts_with("at-") || name.ends_with(FOREIGN)
}

#[track_caller]
fn assert_enough(tally: &Tally, fewest: [usize; 2]) {
    let fewest = fewest[usize::from(is_long_form())];
    assert!(tally.count() >= fewest, "{tally}");
}

#[test]
fn spellings_are_many_and_differ() {
    let all = spellings::all();
    let hosts: HashSet<_> = all.iter().map(|spelling| &spelling.host).collect();
    assert!(hosts.len() > 1200, "{}", hosts.len());
}

/// With a guard of addresses that lets everything pass, what a host says itself is enough. The same guard shows that
/// names of the sites lead where the name server says when nothing is in the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_of_no_site_are_refused_whatever_the_guard_of_addresses_says() {
    let name = "ssrf::hosts_of_no_site_are_refused_whatever_the_guard_of_addresses_says";
    let relaxed =
        |builder: Builder, _: &Upstream| builder.env("ALLOW_PRIVATE_UPSTREAM", EVERYTHING);
    let Some(territory) = Territory::enter_as(name, Sites::Everywhere, relaxed).await else {
        return;
    };
    let arrivals = territory.assert_traps_work().await;
    let play = Play::open(&territory).await;
    let mut deck = play.deck([14, 1]);
    let tally = play.stopped(&deck.strangers(false), false).await;
    println!("{tally}");
    assert_eq!(tally.stopped_by(Stop::Address), 0, "{tally}");
    assert_enough(&tally, FEWEST_STRANGERS);
    let mut deck = deck.then([12, 4]);
    let counts = play
        .assert_only_the_guard_stops(&deck.own(), &arrivals)
        .await;
    assert_eq!(counts.len(), deck.good().len(), "{counts:?}");
    assert!(
        counts.values().all(|count| *count >= FEWEST_CONTROLS),
        "{counts:?}"
    );
    println!("what the guard of addresses stops elsewhere is reached: {counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_the_sites_that_lead_inside_are_refused_by_their_address() {
    let name = "ssrf::names_of_the_sites_that_lead_inside_are_refused_by_their_address";
    let Some(territory) = Territory::enter(name).await else {
        return;
    };
    territory.assert_traps_work().await;
    let play = Play::open(&territory).await;
    let mut deck = play.deck([1, 1]);
    let tally = play.stopped(&deck.own(), true).await;
    println!("{tally}");
    assert_enough(&tally, FEWEST_OWN);
    play.assert_good_hosts_are_asked(&mut deck).await;
}

/// By egresses: straight, and from a local address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_egress_leads_inside() {
    let name = "ssrf::no_egress_leads_inside";
    let egresses = |builder: Builder, _: &Upstream| {
        builder.env("EGRESS", &format!("plain=direct,bound={}", names::SITES))
    };
    let Some(territory) = Territory::enter_with(name, egresses).await else {
        return;
    };
    territory.assert_traps_work().await;
    let play = Play::open(&territory).await;
    let mut deck = play.deck([8, 2]);
    let mut tally = play.stopped(&deck.own(), true).await;
    let mut deck = deck.then([128, 14]);
    tally.add(play.stopped(&deck.strangers(false), false).await);
    println!("{tally}");
    assert_enough(&tally, FEWEST_BY_EGRESS);
    play.assert_good_hosts_are_asked(&mut deck).await;
}

/// A proxy, whichever language it speaks, is told of no address, and of no name but those of the sites; nothing is looked up on this side of it but the
/// proxy itself, which may be anywhere since the operator names it: here on loopback.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_is_asked_for_names_of_the_sites_alone() {
    let name = "ssrf::proxy_is_asked_for_names_of_the_sites_alone";
    let proxied =
        |builder: Builder, upstream: &Upstream| builder.env("EGRESS", &own_proxies(upstream));
    let Some(territory) = Territory::enter_with(name, proxied).await else {
        return;
    };
    territory.assert_traps_work().await;
    let play = Play::open(&territory).await;
    let mut deck = play.deck([64, 14]);
    let tally = play.stopped(&deck.strangers(true), false).await;
    println!("{tally}");
    assert_enough(&tally, FEWEST_BY_PROXY);
    play.assert_good_hosts_are_asked(&mut deck).await;
    let told: HashSet<String> = territory.stage.world().look(|traffic| {
        let asked = traffic.records.iter().map(|record| record.host.clone());
        asked.chain(traffic.tunnels.iter().cloned()).collect()
    });
    assert!(!told.is_empty(), "it is asked for what is public");
    for host in told {
        let host = host.trim_end_matches(":443");
        let is_name = host.split('.').next_back().is_some_and(is_word);
        assert!(is_name && !host.ends_with(FOREIGN), "{host}");
    }
    assert_eq!(territory.asked.all(), [names::OWN_PROXY]);
    let page = metrics(territory.stage.api()).await;
    for (name, _) in PROXIES {
        let uses = format!("serverrs_egress_uses_total{{egress=\"{name}\"}}");
        let uses = figure(&page, &uses);
        println!("`{name}` was taken {uses} times");
        assert!(uses >= FEWEST_BY_EACH_PROXY, "`{name}`: {uses}");
    }
}

/// A name that is public when it is looked at and private when it is dialled, and one that is both at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_change_their_mind_lead_nowhere() {
    let name = "ssrf::names_that_change_their_mind_lead_nowhere";
    let Some(territory) = Territory::enter(name).await else {
        return;
    };
    territory.assert_traps_work().await;
    let posts = Posts::open(&territory.stage, TURNS_AT_ONCE).await;
    let site = SocketAddr::from((names::SITES, 443));
    let before = territory.reached_at(site);
    let wrong: Vec<String> = stream::iter(0..TURNS)
        .map(|turn| turned(&territory, &posts, turn))
        .buffer_unordered(TURNS_AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    assert!(
        wrong.is_empty(),
        "{} names: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(20)]
    );
    assert_eq!(territory.trapped(), []);
    let reached = territory.reached_at(site) - before;
    let asked = KINDS.map(|kind| territory.asked.count(kind));
    println!(
        "{TURNS} names, {asked:?} questions, {reached} connections to their public address, 0 elsewhere"
    );
}

/// How names change their mind: when they were asked for; with every question; not at all, being both.
const KINDS: [&str; 3] = ["turn", "flip", "both"];

/// Asks twice for what a name leads to; says what is wrong with the answers.
async fn turned(territory: &Territory, posts: &Posts, turn: usize) -> Option<String> {
    let stage = &territory.stage;
    let kind = KINDS[turn % 3];
    let host = format!("{kind}-{turn}.tiktokcdn.com");
    let to = format!("https://{host}/moved/{turn}");
    let media = Media::random(3, 2000, "video/mp4");
    stage.world().media(&to, media);
    stage.world().hand_out(&to);
    // No connection is used twice.
    stage.world().fault(Rule::host(&host, Fault::HangUp));
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let answer = posts.move_to(stage, (turn, 302), &to).await;
        statuses.push(answer.status.as_u16());
        if kind == "turn" {
            territory.asked.turn(&host);
        }
    }
    let asked = territory.asked.count_of(&host);
    let came = stage.world().look(|traffic| traffic.to_host(&host).count());
    let is_right = match kind {
        // The question after the turn was asked.
        "turn" => statuses == [200, 502] && came > 0 && asked > came,
        "flip" => true,
        _ => statuses == [200, 200] && asked >= came,
    };
    let is_right = is_right && asked >= 2;
    (!is_right).then(|| format!("{host}: {statuses:?}, {asked} questions, {came} requests"))
}
