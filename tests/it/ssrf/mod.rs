//! No request leaves for an address that is not public: every range, every spelling, every place where somebody else
//! names an address, and names that change their mind (reliability R5).

mod entries;
mod names;
mod spellings;
mod targets;
pub(crate) mod territory;

use std::collections::HashSet;

use futures_util::{StreamExt as _, stream};

use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::youtube::YouTube;
use crate::harness::upstream::{Media, Upstream};
use crate::harness::{Builder, is_long_form, link};
use entries::{Case, Entry, Scene};
use territory::Territory;

/// Requests that are under way together.
const AT_ONCE: usize = 8;
/// Fewer would leave something out.
const FEWEST_CASES: usize = 3000;
/// Names that change their mind.
const TURNS: usize = 1000;
/// A domain of no site.
const FOREIGN: &str = "example.com";

/// How requests leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Straight.
    Direct,
    /// By egresses: straight, and from a local address.
    Egress,
    /// By an egress that is a proxy: nothing but the host that it is told can be judged.
    Proxy,
}

impl Way {
    fn settings(self, builder: Builder, upstream: &Upstream) -> Builder {
        match self {
            Self::Direct => builder,
            Self::Egress => builder.env("EGRESS", &format!("plain=direct,bound={}", names::SITES)),
            Self::Proxy => builder.env("EGRESS", &format!("proxy={}", upstream.proxy_url())),
        }
    }

    /// In the short form each spelling is at one of so many entries.
    fn share(self) -> usize {
        match self {
            Self::Direct => 3,
            Self::Egress | Self::Proxy => 8,
        }
    }

    /// The domain of names that lead to what is not public. A proxy looks them up itself; behind it no name counts but
    /// those of the sites, which nobody else makes.
    fn domain(self, entry: Entry) -> &'static str {
        match self {
            Self::Direct | Self::Egress => entry.domain(),
            Self::Proxy => FOREIGN,
        }
    }

    /// Every spelling at every entry, with statuses of redirects in turn. In the short form each is at some entries.
    fn cases(self) -> Vec<Case> {
        let spellings = spellings::all();
        let mut addresses: Vec<_> = spellings.iter().map(|spelling| spelling.address).collect();
        addresses.dedup();
        let mut cases = Vec::new();
        for (turn, entry) in Entry::ALL.into_iter().enumerate() {
            let names = addresses
                .iter()
                .map(|address| spellings::name_of(*address, self.domain(entry)));
            let hosts = spellings.iter().map(|spelling| spelling.host.clone());
            let is_whole = is_long_form() || (entry, self) == (Entry::Posted, Self::Direct);
            let is_in = |number| is_whole || (number + turn) % self.share() == 0;
            let all = hosts.chain(names).enumerate();
            cases.extend(
                all.filter(|(number, _)| is_in(*number))
                    .map(|(_, host)| (entry, host)),
            );
        }
        let numbered = cases.into_iter().enumerate();
        numbered
            .map(|(number, (entry, host))| Case::new(entry, number, host))
            .collect()
    }

    /// Plays all cases in a territory of the calling test; returns it, and how many there were.
    async fn play(self, test: &str) -> Option<(Territory, usize)> {
        let settings = |builder: Builder, upstream: &Upstream| self.settings(builder, upstream);
        let territory = Territory::enter_with(test, settings).await?;
        territory.assert_traps_work().await;
        let cases = self.cases();
        let stage = &territory.stage;
        let youtube = YouTube::open(stage.world());
        let scene = Scene {
            stage,
            youtube: &youtube,
        };
        let scene = &scene;
        let played: Vec<Option<String>> = stream::iter(&cases)
            .map(|case| async move { case.play(scene).await })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let wrong: Vec<String> = played.into_iter().flatten().collect();
        assert!(
            wrong.is_empty(),
            "{} of {}: {:#?}",
            wrong.len(),
            cases.len(),
            &wrong[..wrong.len().min(20)]
        );
        assert_eq!(territory.trapped(), []);
        // The same way in works for what is public.
        let item = Item::video("7524919459643900001");
        let play = link(&stage.resolve(&item).await, entries::PLAY);
        assert_eq!(stage.api().get(&play).await.status, 200);
        println!("{} cases, 0 connections", cases.len());
        Some((territory, cases.len()))
    }
}

#[test]
fn spellings_are_many_and_differ() {
    let all = spellings::all();
    let hosts: HashSet<_> = all.iter().map(|spelling| &spelling.host).collect();
    assert!(hosts.len() > 1000, "{}", hosts.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_are_not_public_are_never_dialled() {
    let name = "ssrf::addresses_that_are_not_public_are_never_dialled";
    if let Some((_, count)) = Way::Direct.play(name).await {
        assert!(count >= FEWEST_CASES, "{count}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_are_not_public_are_never_dialled_by_an_egress() {
    let name = "ssrf::addresses_that_are_not_public_are_never_dialled_by_an_egress";
    Way::Egress.play(name).await;
}

/// A proxy is told of no address, and of no name but those of the sites; nothing is looked up on this side of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_is_asked_for_names_of_the_sites_alone() {
    let name = "ssrf::proxy_is_asked_for_names_of_the_sites_alone";
    let Some((territory, _)) = Way::Proxy.play(name).await else {
        return;
    };
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
    assert_eq!(territory.asked.count(""), 0, "questions for addresses");
}

fn is_word(label: &str) -> bool {
    label.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// A name that is public when it is looked at and private when it is dialled, and one that is both at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_change_their_mind_lead_nowhere() {
    let name = "ssrf::names_that_change_their_mind_lead_nowhere";
    let Some(territory) = Territory::enter(name).await else {
        return;
    };
    territory.assert_traps_work().await;
    let stage = &territory.stage;
    let statuses: Vec<u16> = stream::iter(0..TURNS)
        .map(|turn| async move {
            let kind = ["turn", "both"][turn % 2];
            let item = Item::video(&format!("75249194596{turn:08}"));
            let play = link(&stage.resolve(&item).await, entries::PLAY);
            let to = format!("https://{kind}-{turn}.tiktokcdn.com/moved/{turn}");
            stage
                .world()
                .media(&to, Media::random(3, 2000, "video/mp4"));
            stage.world().hand_out(&to);
            entries::redirect_media(stage, &item, 302, &to);
            // Twice: by then the name has turned.
            stage.api().get(&play).await;
            stage.api().get(&play).await.status.as_u16()
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    assert_eq!(territory.trapped(), []);
    // Names that are both are reached at their public address.
    let reached = statuses.iter().filter(|status| **status == 200).count();
    assert!(reached >= TURNS / 2, "{reached} of {TURNS}");
    let asked = ["turn-", "both-"].map(|prefix| territory.asked.count(prefix));
    assert!(asked.iter().all(|count| *count >= TURNS / 2), "{asked:?}");
    println!("{TURNS} names, {reached} reached at a public address, 0 connections elsewhere");
}
