//! What came of asking the sites.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use super::Page;

/// Upper bounds in seconds: from an answer of one page to the deadline of an extraction and more.
const SECONDS: [f64; 11] = [0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0];

type Labels<const N: usize> = [(&'static str, String); N];

/// Counts of extractions; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Extractions {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    attempts: Family<Labels<3>, Counter>,
    seconds: Family<Labels<2>, Histogram, fn() -> Histogram>,
    last: Mutex<BTreeMap<&'static str, Last>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Last {
    good: Option<Instant>,
    failed: Option<Instant>,
}

/// What an extraction says of its site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It can be used.
    Good,
    /// It can't be reached, turns us away, or has changed.
    Failed,
    /// Nothing: the post isn't there, or not for us.
    Neither,
}

/// When a site was last asked, and what came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SiteState {
    /// Since the last extraction that gave something; `None` when none has yet.
    pub good_age: Option<Duration>,
    /// Since the last that failed; `None` when none has yet.
    pub failure_age: Option<Duration>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            attempts: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            last: Mutex::default(),
        }
    }
}

impl Extractions {
    /// Counts that a site was asked as `client`, with the word for what came of it.
    pub fn attempt(&self, site: &'static str, client: &str, result: &'static str) {
        let labels = [
            ("site", site.to_owned()),
            ("client", client.to_owned()),
            ("result", result.to_owned()),
        ];
        self.inner.attempts.get_or_create(&labels).inc();
    }

    /// Counts a whole extraction, with the word for what came of it.
    pub fn done(&self, site: &'static str, result: &'static str, verdict: Verdict, took: Duration) {
        let labels = [("site", site.to_owned()), ("result", result.to_owned())];
        let seconds = self.inner.seconds.get_or_create(&labels);
        seconds.observe(took.as_secs_f64());
        let mut last = self.last();
        let last = last.entry(site).or_default();
        let now = Some(Instant::now());
        match verdict {
            Verdict::Good => last.good = now,
            Verdict::Failed => last.failed = now,
            Verdict::Neither => {}
        }
    }

    /// When `site` was last asked.
    pub fn state(&self, site: &str) -> SiteState {
        let last = self.last().get(site).copied().unwrap_or_default();
        let age = |at: Option<Instant>| at.map(|at| at.elapsed());
        SiteState {
            good_age: age(last.good),
            failure_age: age(last.failed),
        }
    }

    /// Writes the counts.
    pub fn write(&self, page: &mut Page) {
        page.metric(
            "extractions",
            "Extractions by the client as which a site was asked, and what came of it",
            self.inner.attempts.clone(),
        );
        page.metric(
            "extraction_seconds",
            "Time that whole extractions took, with every client that was tried",
            self.inner.seconds.clone(),
        );
    }

    fn last(&self) -> MutexGuard<'_, BTreeMap<&'static str, Last>> {
        let last = self.inner.last.lock();
        last.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_tells_good_from_failed() {
        let extractions = Extractions::default();
        assert_eq!(extractions.state("a"), SiteState::default());
        extractions.done("a", "ok", Verdict::Good, Duration::ZERO);
        extractions.done("a", "unavailable", Verdict::Neither, Duration::ZERO);
        extractions.done("b", "blocked", Verdict::Failed, Duration::ZERO);
        let (a, b) = (extractions.state("a"), extractions.state("b"));
        assert!(a.good_age.is_some() && a.failure_age.is_none());
        assert!(b.good_age.is_none() && b.failure_age.is_some());
    }

    #[test]
    fn counts_are_written_by_site_client_and_result() {
        let extractions = Extractions::default();
        extractions.attempt("a", "web", "ok");
        extractions.attempt("a", "web", "ok");
        extractions.done("a", "ok", Verdict::Good, Duration::from_millis(300));
        let mut page = Page::new();
        extractions.write(&mut page);
        let text = page.finish();
        for line in [
            "serverrs_extractions_total{site=\"a\",client=\"web\",result=\"ok\"} 2\n",
            "serverrs_extraction_seconds_bucket{le=\"0.25\",site=\"a\",result=\"ok\"} 0\n",
            "serverrs_extraction_seconds_bucket{le=\"0.5\",site=\"a\",result=\"ok\"} 1\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
