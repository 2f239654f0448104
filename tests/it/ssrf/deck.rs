//! The cases: hosts of no site in every spelling, and hosts of the sites whose names lead to every address.

use std::net::IpAddr;

use super::FOREIGN;
use super::entries::{Case, Entry, REDIRECTS};
use super::spellings::{self, Private};
use crate::harness::is_long_form;

/// In the short form one spelling of so many is posted.
const POSTED_SHARE: usize = 12;

/// Cases that are played together, and where the name server puts names meanwhile.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) cases: Vec<Case>,
    pub(super) put: Option<(Vec<&'static str>, IpAddr)>,
}

/// Makes cases, each with a number of its own.
pub(super) struct Deck {
    entries: Vec<Entry>,
    number: usize,
    /// One of so many is in.
    share: usize,
}

impl Deck {
    /// Of these entries. One of so many cases is in, in the short form and in the long one.
    pub(super) fn new(entries: Vec<Entry>, shares: [usize; 2]) -> Self {
        Self {
            entries,
            number: 0,
            share: shares[usize::from(is_long_form())],
        }
    }

    /// Another share of the same entries, with numbers that go on.
    pub(super) fn then(self, shares: [usize; 2]) -> Self {
        let share = shares[usize::from(is_long_form())];
        Self { share, ..self }
    }

    /// Whether the one at this place of a row is in.
    fn draws(&self, place: usize) -> bool {
        place.is_multiple_of(self.share)
    }

    fn case(&mut self, entry: Entry, host: String, status: u16) -> Case {
        self.number += 1;
        Case {
            entry,
            host,
            number: self.number,
            status,
        }
    }

    /// A status in turn.
    fn status(&self) -> u16 {
        REDIRECTS[self.number % REDIRECTS.len()]
    }

    /// Every spelling of every address, and names that are not the site's and lead there, where somebody writes a host;
    /// behind a proxy names of no site alone, since it looks names up itself.
    pub(super) fn strangers(&mut self, is_behind_proxy: bool) -> Vec<Round> {
        let written = self.entries.iter().filter(|entry| entry.is_written());
        let written: Vec<Entry> = written.copied().collect();
        let mut cases = Vec::new();
        for (turn, entry) in written.into_iter().enumerate() {
            let domain = if is_behind_proxy {
                FOREIGN
            } else {
                entry.closed_domain()
            };
            let spelled = spellings::all().into_iter().map(|spelling| spelling.host);
            let named = spellings::addresses().into_iter();
            let named = named.map(|one| spellings::name_of(one.address, 0, domain));
            let hosts = spelled.chain(named).enumerate();
            let share = match entry {
                Entry::Posted if !is_long_form() => POSTED_SHARE,
                _ => self.share,
            };
            for (_, host) in hosts.filter(|(place, _)| (place + turn).is_multiple_of(share)) {
                cases.push(self.case(entry, host, self.status()));
            }
        }
        vec![Round { cases, put: None }]
    }

    /// Every address where a name of the site's leads there; with every status of a redirect for one address of a range.
    pub(super) fn own(&mut self) -> Vec<Round> {
        let mut rounds = Vec::new();
        // Pages move while their own host is where it should be, so they go apart.
        for is_page in [false, true] {
            for (place, private) in spellings::addresses().into_iter().enumerate() {
                rounds.extend(self.rounds_of_fixed(place, private, is_page));
            }
        }
        let mut open = Round::default();
        for (place, private) in spellings::addresses().into_iter().enumerate() {
            for (turn, entry) in self.entries.clone().into_iter().enumerate() {
                open.cases
                    .extend(self.cases_below(entry, place + turn, private));
            }
        }
        rounds.push(open);
        rounds
    }

    /// The entries whose few hosts are all put at an address. What has the same names goes one after the other, so that
    /// each case is known by the questions for its own.
    fn rounds_of_fixed(&mut self, place: usize, private: Private, is_page: bool) -> Vec<Round> {
        let mut rounds: Vec<(Vec<Case>, Vec<&'static str>)> = Vec::new();
        for (turn, entry) in self.entries.clone().into_iter().enumerate() {
            let Some(host) = entry.fixed_hosts().first() else {
                continue;
            };
            if (entry == Entry::Page) != is_page || !self.draws(place + turn) {
                continue;
            }
            for (turn, status) in self.statuses(entry, private).into_iter().enumerate() {
                let case = self.case(entry, (*host).to_owned(), status);
                if rounds.len() == turn {
                    rounds.push(Default::default());
                }
                rounds[turn].0.push(case);
                rounds[turn].1.extend_from_slice(entry.fixed_hosts());
            }
        }
        let put = |(cases, names)| Round {
            cases,
            put: Some((names, private.address)),
        };
        rounds.into_iter().map(put).collect()
    }

    /// The cases of an entry with names of their own at an address.
    fn cases_below(&mut self, entry: Entry, place: usize, private: Private) -> Vec<Case> {
        if !self.draws(place) || !self.has_room_for(entry, place, private) {
            return Vec::new();
        }
        let mut cases = Vec::new();
        for status in self.statuses(entry, private) {
            if let Some(host) = entry.host_at(private.address, self.number + 1) {
                cases.push(self.case(entry, host, status));
            }
        }
        cases
    }

    /// In the short form entries that cost much get every other address, and redirects that aren't followed one of a
    /// range.
    fn has_room_for(&self, entry: Entry, place: usize, private: Private) -> bool {
        match entry {
            _ if is_long_form() => true,
            Entry::CaptionsMove => private.is_inside,
            entry => entry.is_redirect() || self.share > 1 || place.is_multiple_of(2),
        }
    }

    fn statuses(&self, entry: Entry, private: Private) -> Vec<u16> {
        // What isn't followed needs no look at its address; in the short form one of a range will do.
        let is_each = is_long_form() || private.is_inside && entry != Entry::CaptionsMove;
        if entry.is_redirect() && is_each {
            REDIRECTS.into()
        } else {
            vec![self.status()]
        }
    }

    /// One case for each entry whose host is the site's, at its own address.
    pub(super) fn good(&mut self) -> Vec<Case> {
        let mut cases = Vec::new();
        for entry in self.entries.clone() {
            let fixed = entry.fixed_hosts().first().map(|host| (*host).to_owned());
            let host = entry.good_host(self.number + 1).or(fixed);
            if let Some(host) = host.filter(|_| entry != Entry::CaptionsMove) {
                cases.push(self.case(entry, host, 302));
            }
        }
        cases
    }
}
