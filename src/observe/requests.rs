//! What came of requests.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use std::time::Duration;

use super::Page;

/// Upper bounds in seconds: an answer from memory takes less than a millisecond, one of a site seconds.
const SECONDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];

/// Classes of requests that may be turned away: their counts are shown before the first is.
const CLASSES: [&str; 2] = ["resolve", "media"];

type RouteLabel = [(&'static str, &'static str); 1];
type RefusalLabels = [(&'static str, &'static str); 2];

fn of_refusal(class: &'static str, refusal: Refusal) -> RefusalLabels {
    [("class", class), ("reason", refusal.as_str())]
}

/// What tells requests apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// Template of the route; `none` for what is no route.
    pub route: &'static str,
    /// Method; `other` for one that no route knows.
    pub method: &'static str,
    /// Status of the answer.
    pub status: u16,
}

/// Why a client was turned away before anything was done for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No API key, or none that counts.
    Unauthorized,
    /// A key that isn't for this route.
    Forbidden,
    /// More requests than its limit.
    RateLimited,
}

impl Refusal {
    const ALL: [Self; 3] = [Self::Unauthorized, Self::Forbidden, Self::RateLimited];

    /// The word for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::RateLimited => "rate_limited",
        }
    }
}

/// Counts of requests.
#[derive(Debug)]
pub struct Requests {
    total: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabel, Histogram, fn() -> Histogram>,
    refused: Family<RefusalLabels, Counter>,
    panics: Counter,
}

impl Default for Requests {
    fn default() -> Self {
        let refused = Family::default();
        for class in CLASSES {
            for refusal in Refusal::ALL {
                drop(refused.get_or_create(&of_refusal(class, refusal)));
            }
        }
        Self {
            total: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            refused,
            panics: Counter::default(),
        }
    }
}

impl Requests {
    /// Counts an answer whose head was ready after `took`.
    pub fn answered(&self, labels: RequestLabels, took: Duration) {
        self.total.get_or_create(&labels).inc();
        let seconds = self.seconds.get_or_create(&[("route", labels.route)]);
        seconds.observe(took.as_secs_f64());
    }

    /// Counts a client of `class` that was turned away.
    pub fn refused(&self, class: &'static str, refusal: Refusal) {
        self.refused
            .get_or_create(&of_refusal(class, refusal))
            .inc();
    }

    /// Counts a handler that panicked.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// Writes the counts.
    pub fn write(&self, page: &mut Page) {
        page.metric(
            "http_requests",
            "Requests by route, method and status",
            self.total.clone(),
        );
        page.metric(
            "http_response_seconds",
            "Time until the head of an answer was ready",
            self.seconds.clone(),
        );
        page.metric(
            "http_refused",
            "Requests turned away for want of a key or by a rate limit",
            self.refused.clone(),
        );
        page.metric("http_panics", "Handlers that panicked", self.panics.clone());
    }
}
