//! The state of the simulated sites: what exists, what was handed out, what goes wrong, what was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use super::answer::{Answer, Reply};
use super::cdn::{Cdn, Ruling};
use super::fault::{Fault, Rule, TunnelFault};
use super::media::{Media, Need, Payload};
use super::page::{Page, Pages};
use super::plan::{Plan, is_suffix};
use super::record::{Record, Traffic};
use super::wire::Request;

/// How long a test waits for something that should happen at once; generous, because machines are busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A handle to the shared state; clones are the same world.
#[derive(Debug, Clone, Default)]
pub(crate) struct World(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    pages: Pages,
    cdns: Vec<Cdn>,
    media: HashMap<String, Media>,
    /// Address -> values of the cookie set beside it.
    handed_out: HashMap<String, Vec<String>>,
    rules: Vec<Rule>,
    tunnels: HashMap<String, TunnelFault>,
    traffic: Traffic,
    connections_made: u64,
}

impl World {
    /// An empty world, in which every address is unknown.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("world")
    }

    /// Adds a page; it hides an older one for the same requests.
    pub(crate) fn page(&self, page: Page) {
        self.state().pages.push(page);
    }

    /// Adds a file under the exact address. It can be fetched once a page that contains the address was served.
    pub(crate) fn media(&self, address: &str, media: Media) {
        self.state().media.insert(address.to_owned(), media);
    }

    /// Adds a CDN that has rules of its own.
    pub(crate) fn cdn(&self, cdn: Cdn) {
        self.state().cdns.push(cdn);
    }

    /// The file under an address.
    ///
    /// # Panics
    /// There is none.
    pub(crate) fn media_at(&self, address: &str) -> Media {
        let state = self.state();
        let media = state.media.get(address);
        media
            .unwrap_or_else(|| panic!("no media at {address}"))
            .clone()
    }

    /// Makes an address good without any page.
    pub(crate) fn hand_out(&self, address: &str) {
        self.state()
            .handed_out
            .entry(address.to_owned())
            .or_default();
    }

    /// Lets something go wrong.
    pub(crate) fn fault(&self, rule: Rule) {
        self.state().rules.push(rule);
    }

    /// As [`World::fault`], in place of what went wrong with the same requests.
    pub(crate) fn replace_fault(&self, rule: Rule) {
        let rules = &mut self.state().rules;
        rules.retain(|other| !other.is_for_same(&rule));
        rules.push(rule);
    }

    /// Ends what goes wrong with paths that begin so.
    pub(crate) fn end_fault(&self, prefix: &str) {
        let rules = &mut self.state().rules;
        rules.retain(|rule| !rule.is_for_prefix(prefix));
    }

    /// Ends all faults of answers.
    pub(crate) fn clear_faults(&self) {
        self.state().rules.clear();
    }

    /// Lets something go wrong with every tunnel to a host from now on.
    pub(crate) fn tunnel_fault(&self, host: &str, fault: TunnelFault) {
        self.state().tunnels.insert(host.to_owned(), fault);
    }

    /// Looks at what was asked so far.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&Traffic) -> T) -> T {
        at(&self.state().traffic)
    }

    /// All requests so far.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.look(|traffic| traffic.records.clone())
    }

    /// Number of requests so far for an address.
    pub(crate) fn count(&self, address: &str) -> usize {
        self.look(|traffic| traffic.of(address).count())
    }

    /// Returns when `is_so` holds.
    ///
    /// # Panics
    /// It doesn't hold in time.
    pub(crate) async fn wait_for(&self, what: &str, is_so: impl Fn(&Traffic) -> bool) {
        let wait = async {
            loop {
                let changed = self.0.changed.notified();
                if self.look(&is_so) {
                    return;
                }
                changed.await;
            }
        };
        let is_in_time = tokio::time::timeout(PATIENCE, wait).await.is_ok();
        assert!(
            is_in_time,
            "not within {PATIENCE:?}: {what}; {:#?}",
            self.state().traffic
        );
    }

    /// Fails if anything unscripted was asked for.
    pub(crate) fn assert_no_unknown(&self) {
        let unknown = self.look(|traffic| traffic.unknown.clone());
        assert!(
            unknown.is_empty(),
            "unknown addresses were asked for: {unknown:#?}"
        );
    }

    /// Changes the traffic and wakes those who wait.
    pub(super) fn update<T>(&self, change: impl FnOnce(&mut Traffic) -> T) -> T {
        let result = change(&mut self.state().traffic);
        self.0.changed.notify_waiters();
        result
    }

    /// Counts a connection in; returns its number.
    pub(super) fn connected(&self) -> u64 {
        self.update(|traffic| traffic.open_connections += 1);
        let mut state = self.state();
        state.connections_made += 1;
        state.connections_made
    }

    /// Notes a CONNECT and says what goes wrong with it.
    pub(super) fn tunnelled(&self, authority: &str, host: &str) -> Option<TunnelFault> {
        self.update(|traffic| traffic.tunnels.push(authority.to_owned()));
        self.state().tunnels.get(host).cloned()
    }

    /// Notes a request; returns the number of its record.
    pub(super) fn asked(&self, connection: u64, request: &Request) -> usize {
        self.update(|traffic| {
            traffic.records.push(Record::new(connection, request));
            traffic.records.len() - 1
        })
    }

    /// Decides what a request is answered, faults included.
    pub(super) fn decide(&self, request: &Request) -> Plan {
        let faults = self.strike(request);
        let mut plan = match self.find_page(request) {
            Some(answer) => self.page_plan(request, &answer, &faults),
            None => match self.ruling(request) {
                Some(ruling) => self.ruled_plan(request, ruling, &faults),
                None => Plan::new(request, self.media_reply(request, &faults)),
            },
        };
        for fault in &faults {
            plan.apply(fault);
        }
        plan
    }

    fn page_plan(&self, request: &Request, answer: &Answer, faults: &[Fault]) -> Plan {
        if request.method != "HEAD" && !faults.iter().any(Fault::hides_body) {
            self.note_handed_out(answer);
        }
        if let Some(complaint) = &answer.complaint {
            self.note_unknown(complaint, request);
        }
        let mut plan = Plan::new(request, answer.reply(request));
        plan.hold.clone_from(&answer.gate);
        plan
    }

    fn ruling(&self, request: &Request) -> Option<Ruling> {
        let cdn = {
            let state = self.state();
            state.cdns.iter().find(|cdn| cdn.has(request))?.clone()
        };
        Some(cdn.rule(request))
    }

    fn ruled_plan(&self, request: &Request, ruling: Ruling, faults: &[Fault]) -> Plan {
        match ruling {
            Ruling::Serve(served) => {
                if let Some(reason) = &served.crawl {
                    let note = format!("{reason}: {} {}", request.method, request.address);
                    self.update(|traffic| traffic.throttled.push(note));
                }
                let media = faulty(served.media.clone(), faults);
                let reply = served.reply(&media, request, ignores_range(faults, request));
                let mut plan = Plan::new(request, reply);
                plan.rate = served.rate();
                plan
            }
            Ruling::Move(to) => {
                let mut reply = Reply::html(302, "moved");
                reply.set("Location", to);
                Plan::new(request, reply)
            }
            Ruling::Refuse(reason) => Plan::new(request, self.refuse(&reason, request)),
            Ruling::Wrong(complaint) => {
                self.note_unknown(&complaint, request);
                Plan::new(request, Reply::html(400, "Bad Request"))
            }
        }
    }

    fn note_unknown(&self, complaint: &str, request: &Request) {
        let note = format!("{complaint}: {} {}", request.method, request.address);
        self.update(|traffic| traffic.unknown.push(note));
    }

    fn refuse(&self, reason: &str, request: &Request) -> Reply {
        let note = format!("{reason}: {} {}", request.method, request.address);
        self.update(|traffic| traffic.refused.push(note));
        Reply::html(403, "Access Denied")
    }

    fn strike(&self, request: &Request) -> Vec<Fault> {
        let rules = &mut self.state().rules;
        rules
            .iter_mut()
            .filter_map(|rule| rule.strike(request))
            .collect()
    }

    fn find_page(&self, request: &Request) -> Option<Answer> {
        let (respond, nth) = {
            let mut state = self.state();
            state.pages.find(request)?.next()
        };
        Some(respond(request, nth))
    }

    fn note_handed_out(&self, answer: &Answer) {
        let mut state = self.state();
        for address in answer.hands_out.iter() {
            let cookies = state.handed_out.entry(address.clone()).or_default();
            cookies.extend(answer.page_cookie.clone());
        }
    }

    fn media_reply(&self, request: &Request, faults: &[Fault]) -> Reply {
        let state = self.state();
        let Some(media) = state.media.get(&request.address) else {
            drop(state);
            self.update(|traffic| {
                traffic
                    .unknown
                    .push(format!("{} {}", request.method, request.address));
            });
            return Reply::html(599, "the simulated upstream knows nothing of this address");
        };
        let refusal = match state.handed_out.get(&request.address) {
            None => Some("no page handed this address out"),
            Some(cookies) => media
                .needs
                .iter()
                .find_map(|need| refusal(need, cookies, request)),
        };
        let media = media.clone();
        drop(state);
        if let Some(reason) = refusal {
            return self.refuse(reason, request);
        }
        faulty(media, faults).reply(request, ignores_range(faults, request))
    }
}

fn refusal(need: &Need, cookies: &[String], request: &Request) -> Option<&'static str> {
    match need {
        Need::PageCookie(name) => match request.cookie(name) {
            None => Some("the page's cookie is missing"),
            Some(value) if cookies.iter().any(|known| known == value) => None,
            Some(_) => Some("the cookie is of another page"),
        },
        Need::RefererHost(host) => {
            let referer = request.header("referer").unwrap_or_default();
            let rest = referer.strip_prefix("https://").unwrap_or_default();
            let named = rest.split('/').next().unwrap_or_default();
            let is_there = named == *host || named.ends_with(&format!(".{host}"));
            (!is_there).then_some("the referer is missing or of another site")
        }
    }
}

/// The file as it is after those faults that replace it.
fn faulty(mut media: Media, faults: &[Fault]) -> Media {
    for fault in faults {
        if let Fault::Replaced { etag, seed } = fault {
            media.etag.clone_from(etag);
            media.payload = Payload::Random {
                seed: *seed,
                length: media.payload.len(),
            };
        }
    }
    media
}

fn ignores_range(faults: &[Fault], request: &Request) -> bool {
    faults.iter().any(|fault| match fault {
        Fault::IgnoreRange => true,
        Fault::SuffixIgnored => is_suffix(request),
        _ => false,
    })
}
