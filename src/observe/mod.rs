//! What is counted while the server runs, and how figures are written for Prometheus.
//!
//! Counting costs an atomic addition behind a look-up; what other rooms count already (transfers, places, cache) is not
//! counted again but read when somebody asks, by `http`. Labels take few values: names of sites, clients and routes,
//! and words for results. The only room that knows `prometheus_client`.

mod extractions;
mod page;
mod requests;

pub use extractions::{Extractions, SiteState, Verdict};
pub use page::{CONTENT_TYPE, Page};
pub use requests::{Refusal, RequestLabels, Requests};
