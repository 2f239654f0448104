//! Plays the cases, and tells what stopped each: what a host says itself, before any name is looked up, or its address
//! afterwards.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};

use super::deck::{Deck, Round};
use super::entries::{Case, Entry, Heard, Posts, REFUSED, Scene, Videos};
use super::is_strange;
use super::names::{self, SITES};
use super::territory::{Arrivals, Territory};
use crate::harness::skip;
use crate::harness::upstream::{Answer, Fault, Page, Rule, World};

/// Requests that are under way together.
const AT_ONCE: usize = 8;
/// What entries ask of hosts that are where they should be.
const NOTHING: [(&str, &str); 7] = [
    ("www.tiktok.com", "/@*/video/*"),
    ("vm.tiktok.com", "/*/"),
    ("m.tiktok.com", "/t/*/"),
    ("tiktok.com", "/@*/video/*"),
    ("www.douyin.com", "/aweme/v1/web/aweme/detail/"),
    ("www.iesdouyin.com", "/share/video/*/"),
    ("v.douyin.com", "/*/"),
];

/// What keeps a host from being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Stop {
    /// The link is refused, as the client posted it.
    Link,
    /// The site named it, and nothing of it comes to the client.
    LeftOut,
    /// It may not be asked, whatever its address.
    Host,
    /// Redirects aren't followed here.
    NotFollowed,
    /// Its name was looked up, and its address may not be asked.
    Address,
}

impl Stop {
    /// What has stopped a case, by what was seen of it; `None` when no one thing did.
    fn seen(case: &Case, heard: &Heard, is_looked_up: bool) -> Option<Self> {
        match (heard, case.entry) {
            (Heard::LeftOut, _) => (!is_looked_up).then_some(Self::LeftOut),
            (Heard::Answer(_), _) if is_looked_up => Some(Self::Address),
            (Heard::Answer(_), Entry::Posted) => Some(Self::Link),
            // Both times nothing was asked; here the redirect is known to have been served.
            (Heard::Answer(_), Entry::CaptionsMove) => Some(Self::NotFollowed),
            (Heard::Answer(_), _) => Some(Self::Host),
        }
    }

    /// What stops a host here that says itself that it isn't one of the site's.
    fn of_strangers(entry: Entry) -> Self {
        match entry {
            Entry::Posted => Self::Link,
            Entry::YouTubeMedia | Entry::Cover | Entry::Captions => Self::LeftOut,
            Entry::CaptionsMove => Self::NotFollowed,
            _ => Self::Host,
        }
    }

    /// What stops a host of the site's whose address is not public.
    fn of_own(entry: Entry) -> Self {
        match entry {
            Entry::CaptionsMove => Self::NotFollowed,
            _ => Self::Address,
        }
    }
}

/// How many cases each thing stopped, and how long they took.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<(Entry, Stop), (usize, Duration)>);

impl Tally {
    fn note(&mut self, case: &Case, stop: Stop, took: Duration) {
        let (count, time) = self.0.entry((case.entry, stop)).or_default();
        *count += 1;
        *time += took;
    }

    pub(super) fn add(&mut self, other: Self) {
        for (key, (count, time)) in other.0 {
            let sum = self.0.entry(key).or_default();
            sum.0 += count;
            sum.1 += time;
        }
    }

    /// Cases that this stopped.
    pub(super) fn stopped_by(&self, stop: Stop) -> usize {
        let meant = self.0.iter().filter(|((_, other), _)| *other == stop);
        meant.map(|(_, (count, _))| count).sum()
    }

    /// All cases.
    pub(super) fn count(&self) -> usize {
        self.0.values().map(|(count, _)| count).sum()
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for ((entry, stop), (count, time)) in &self.0 {
            let each = *time / u32::try_from(*count).unwrap_or(1);
            let entry = format!("{entry:?}");
            writeln!(
                f,
                "{entry:>14} {stop:?}: {count}, {} ms each",
                each.as_millis()
            )?;
        }
        write!(f, "{} cases", self.count())
    }
}

/// The server, the sites, and everything that was prepared there.
pub(super) struct Play<'a> {
    territory: &'a Territory,
    scene: Scene<'a>,
    /// Those that this machine has the programs for.
    entries: Vec<Entry>,
}

impl<'a> Play<'a> {
    /// Prepares posts and videos.
    pub(super) async fn open(territory: &'a Territory) -> Self {
        let stage = &territory.stage;
        // No connection to a host that moves is used twice.
        for host in Entry::ALL.into_iter().flat_map(Entry::fixed_hosts) {
            stage.world().fault(Rule::host(host, Fault::HangUp));
        }
        let content_type = "text/html";
        let refused = Rule::path_prefix(REFUSED, Fault::Html { content_type });
        stage.world().fault(refused);
        // What is found there is nothing, which is no trouble of the site's.
        for (host, path) in NOTHING {
            let missing = Answer::new(404, "text/html", "Not Found");
            stage.world().page(Page::new(host, path, vec![missing]));
        }
        let videos = Videos::open(stage, AT_ONCE).await;
        let mut entries = Entry::ALL.to_vec();
        if !videos.has_covers() {
            skip(
                "ffmpeg",
                "no ffmpeg that makes H.264: slideshows and covers",
            );
            entries.retain(|entry| !matches!(entry, Entry::Slideshow | Entry::Cover));
        }
        let scene = Scene {
            stage,
            posts: Posts::open(stage, AT_ONCE).await,
            videos,
        };
        Self {
            territory,
            scene,
            entries,
        }
    }

    /// Cases at all entries, this share of them.
    pub(super) fn deck(&self, shares: [usize; 2]) -> Deck {
        Deck::new(self.entries.clone(), shares)
    }

    /// Plays rounds of hosts that must all be stopped, in the one way that is right for their entry.
    pub(super) async fn stopped(&self, rounds: &[Round], is_own: bool) -> Tally {
        let (mut tally, mut wrong) = (Tally::default(), Vec::new());
        let before: HashSet<String> = self.asked().collect();
        for round in rounds {
            match self.round(round, is_own).await {
                Ok(part) => tally.add(part),
                Err(faults) => wrong.extend(faults),
            }
        }
        let shown = &wrong[..wrong.len().min(20)];
        assert!(wrong.is_empty(), "{} cases: {shown:#?}", wrong.len());
        assert_eq!(self.territory.trapped(), []);
        // However a spelling was read, no name came of it.
        let is_strange = |name: &String| !before.contains(name) && is_strange(name);
        let strange: Vec<String> = self.asked().filter(is_strange).collect();
        assert!(is_own || strange.is_empty(), "{strange:?} were looked up");
        tally
    }

    fn asked(&self) -> impl Iterator<Item = String> {
        self.territory.asked.all().into_iter()
    }

    async fn round(&self, round: &Round, is_own: bool) -> Result<Tally, Vec<String>> {
        self.put(round);
        let names = || round.cases.iter().flat_map(looked_up);
        // Of hosts that are to be looked up each has names of its own, so that it is known to have been.
        let differing: HashSet<String> = names().collect();
        assert!(!is_own || differing.len() == names().count());
        let before: HashMap<String, usize> = differing
            .into_iter()
            .map(|name| (name.clone(), self.territory.asked.count_of(&name)))
            .collect();
        let played: Vec<_> = stream::iter(&round.cases)
            .map(|case| async move {
                let began = Instant::now();
                (case, case.play(&self.scene).await, began.elapsed())
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let is_looked_up = |case: &Case| {
            let is_new = |name: &String| self.territory.asked.count_of(name) > before[name];
            looked_up(case).iter().any(is_new)
        };
        let (mut tally, mut wrong) = (Tally::default(), Vec::new());
        for (case, heard, took) in played {
            let heard = match heard {
                Ok(heard) => heard,
                Err(fault) => {
                    wrong.push(fault);
                    continue;
                }
            };
            let seen = Stop::seen(case, &heard, is_looked_up(case));
            if let Some(seen) = seen {
                tally.note(case, seen, took);
            }
            if seen != Some(expected(case.entry, is_own)) {
                wrong.push(format!("{case:?} after {took:?}: {seen:?}, {heard}"));
            }
        }
        if wrong.is_empty() {
            Ok(tally)
        } else {
            Err(wrong)
        }
    }

    fn put(&self, round: &Round) {
        match &round.put {
            Some((names, address)) => self.territory.asked.put(names, *address),
            None => self.territory.asked.put(&[], SITES.into()),
        }
    }

    /// The same entries work for hosts of the site's at public addresses: each is looked up, connected to and asked.
    pub(super) async fn assert_good_hosts_are_asked(&self, deck: &mut Deck) {
        self.territory.asked.put(&[], SITES.into());
        let good = deck.good();
        for case in &good {
            self.assert_asked(case).await;
        }
        assert_eq!(self.territory.trapped(), []);
        println!("{} entries let good hosts pass", good.len());
    }

    /// Plays a case, which ends in a request to its host.
    async fn assert_asked(&self, case: &Case) {
        let world = self.scene.stage.world();
        let before = requests_to(world, case);
        let heard = case.meet(&self.scene).await;
        assert!(requests_to(world, case) > before, "{case:?}: {heard}");
    }

    /// The same cases with a guard that lets every address pass: each ends in a connection to its address, so that nothing
    /// but the guard stopped it. Returns how many there were at each entry.
    pub(super) async fn assert_only_the_guard_stops(
        &self,
        rounds: &[Round],
        arrivals: &Arrivals,
    ) -> BTreeMap<Entry, usize> {
        let mut counts = BTreeMap::new();
        for round in rounds {
            self.put(round);
            let put = round.put.as_ref().map(|(_, address)| *address);
            for case in &round.cases {
                let address = put.unwrap_or_else(|| names::address_of(&case.host));
                let Some(there) = arrivals.get(&address) else {
                    continue;
                };
                if expected(case.entry, true) != Stop::Address {
                    continue;
                }
                self.territory.forget_trapped();
                self.assert_asked(case).await;
                let trapped = self.territory.trapped();
                assert!(trapped.contains(there), "{case:?}: {trapped:?}");
                *counts.entry(case.entry).or_default() += 1;
            }
        }
        counts
    }
}

/// What is right for a host of the site's, or for another.
fn expected(entry: Entry, is_own: bool) -> Stop {
    if is_own {
        Stop::of_own(entry)
    } else {
        Stop::of_strangers(entry)
    }
}

/// The names of which a case asks one at least, if any.
fn looked_up(case: &Case) -> Vec<String> {
    match case.entry.fixed_hosts() {
        hosts if hosts.contains(&&*case.host) => {
            hosts.iter().map(|host| (*host).to_owned()).collect()
        }
        _ => vec![case.host.clone()],
    }
}

fn requests_to(world: &World, case: &Case) -> usize {
    let hosts = looked_up(case);
    world.look(|traffic| {
        let records = traffic.records.iter();
        records
            .filter(|record| hosts.contains(&record.host))
            .count()
    })
}
