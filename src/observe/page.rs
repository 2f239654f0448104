//! One page of figures in the `OpenMetrics` text format, which Prometheus reads.

use std::time::Duration;

use prometheus_client::encoding::EncodeMetric;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

/// Media type of the page.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Before the names of our own figures; those of the process have the names that Prometheus's own libraries use.
const PREFIX: &str = "serverrs";

type Label = [(&'static str, String); 1];

/// A page that is being written, anew each time it is asked for.
#[derive(Debug)]
pub struct Page {
    process: Registry,
    own: Registry,
}

impl Default for Page {
    fn default() -> Self {
        Self::new()
    }
}

impl Page {
    /// An empty page.
    pub fn new() -> Self {
        Self {
            process: Registry::with_prefix("process"),
            own: Registry::with_prefix(PREFIX),
        }
    }

    /// A figure of the process that goes up and down.
    pub fn process_gauge(&mut self, name: &str, help: &str, value: f64) {
        self.process.register(name, help, ConstGauge::new(value));
    }

    /// A figure that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.own.register(name, help, ConstGauge::new(value));
    }

    /// A figure that only goes up; `_total` is added to its name.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.own.register(name, help, ConstCounter::new(value));
    }

    /// A time that only grows, in seconds; `_total` is added to its name.
    pub fn seconds(&mut self, name: &str, help: &str, time: Duration) {
        self.own
            .register(name, help, ConstCounter::new(time.as_secs_f64()));
    }

    /// Figures that go up and down, one for each value of a label.
    pub fn gauges(
        &mut self,
        (name, help): (&str, &str),
        label: &'static str,
        values: impl IntoIterator<Item = (impl Into<String>, f64)>,
    ) {
        let family = Family::<Label, Gauge<f64, std::sync::atomic::AtomicU64>>::default();
        for (value, figure) in values {
            let labels = [(label, value.into())];
            family.get_or_create(&labels).set(figure);
        }
        self.metric(name, help, family);
    }

    /// Figures that only go up, one for each value of a label.
    pub fn counters(
        &mut self,
        (name, help): (&str, &str),
        label: &'static str,
        values: impl IntoIterator<Item = (impl Into<String>, u64)>,
    ) {
        let family = Family::<Label, Counter>::default();
        for (value, figure) in values {
            let labels = [(label, value.into())];
            family.get_or_create(&labels).inc_by(figure);
        }
        self.metric(name, help, family);
    }

    /// Figures that are counted all the time.
    pub(super) fn metric(
        &mut self,
        name: &str,
        help: &str,
        metric: impl EncodeMetric + Send + Sync + std::fmt::Debug + 'static,
    ) {
        self.own.register(name, help, metric);
    }

    /// The text.
    pub fn finish(self) -> String {
        let mut text = String::new();
        // Writing to a text never fails.
        let _ = encode_registry(&mut text, &self.process);
        let _ = encode_registry(&mut text, &self.own);
        let _ = encode_eof(&mut text);
        text
    }
}
