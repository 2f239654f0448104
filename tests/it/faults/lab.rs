//! One upstream, one server, two clients, and the transfers between them.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use http::Method;
use serde_json::json;

use super::seed::Seed;
use super::target::Target;
use super::trial::{Case, Expected, Verdict, Wanted};
use crate::harness::upstream::Upstream;
use crate::harness::{Builder, Fetched, TestServer, eventually, plain_client, try_fetch};

/// Transfers that run at once: enough to wait out stalls beside each other.
const AT_ONCE: usize = 48;

/// How a client asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    is_h2: bool,
    route: &'static str,
    is_partial: bool,
}

/// Every protocol × route × kind of range.
const MANNERS: [Manner; 8] = {
    const fn manner(is_h2: bool, route: &'static str, is_partial: bool) -> Manner {
        Manner {
            is_h2,
            route,
            is_partial,
        }
    }
    [
        manner(false, "/stream", false),
        manner(false, "/stream", true),
        manner(false, "/download", false),
        manner(false, "/download", true),
        manner(true, "/stream", false),
        manner(true, "/stream", true),
        manner(true, "/download", false),
        manner(true, "/download", true),
    ]
};

/// Everything that a table needs to be run.
pub(super) struct Lab {
    /// The upstream.
    pub(super) upstream: Upstream,
    /// The server.
    pub(super) server: TestServer,
    h1: reqwest::Client,
    h2: reqwest::Client,
}

impl Lab {
    /// A lab whose server gives an upstream one second between two pieces.
    pub(super) async fn new() -> Self {
        Self::with(|server| server).await
    }

    /// The same with other settings.
    pub(super) async fn with(change: impl FnOnce(Builder) -> Builder) -> Self {
        let upstream = Upstream::start().await;
        let server = Builder::new(&upstream)
            .env("STREAM_IDLE_TIMEOUT", "1")
            .env("MAX_WORKERS", "100")
            .env("LOG_FORMAT", "json");
        let server = change(server).start().await;
        let client = || plain_client().tcp_nodelay(true);
        Self {
            upstream,
            server,
            h1: client().http1_only().build().expect("client"),
            h2: client().http2_prior_knowledge().build().expect("client"),
        }
    }

    /// Runs every case in every manner with `seeds` seeds each, and returns the number of transfers.
    ///
    /// # Panics
    /// Any of them lies, or doesn't come to what its case calls for.
    pub(super) async fn run(&self, cases: &[Case], seeds: u64) -> usize {
        let trials = cases.iter().enumerate().flat_map(|(index, case)| {
            let manners = MANNERS.iter().enumerate();
            manners.flat_map(move |(manner_index, manner)| {
                (0..seeds).map(move |seed| {
                    let number = ((index * MANNERS.len() + manner_index) as u64) * seeds + seed;
                    self.trial(case, *manner, number)
                })
            })
        });
        // Boxed for the compiler's sake: the type of the stream would name every future in it.
        let trials: Vec<_> = trials.map(Box::pin).collect();
        let count = trials.len();
        let faults: Vec<String> = stream::iter(trials)
            .buffer_unordered(AT_ONCE)
            .filter_map(|fault| async { fault })
            .collect()
            .await;
        assert!(
            faults.is_empty(),
            "{} of {count}:\n{}",
            faults.len(),
            faults.join("\n")
        );
        self.upstream.world.assert_no_unknown();
        count
    }

    /// One transfer; returns what is wrong with it.
    async fn trial(&self, case: &Case, manner: Manner, number: u64) -> Option<String> {
        let mut seed = Seed::new(number);
        let target = Target::new(&self.upstream.world, number, &mut seed);
        for rule in (case.script)(&target, &mut seed) {
            self.upstream.world.fault(rule);
        }
        let wanted = if manner.is_partial {
            Wanted::part(target.size, &mut seed, case.is_to_the_end)
        } else {
            Wanted::Whole
        };
        let verdict = match self.fetch(&target, manner, wanted).await {
            Ok(fetched) => Verdict::of(&fetched, &target, wanted),
            // A reset of an HTTP/2 stream overtakes what of it still waits, its head included.
            Err(error) if error.is_request() && !error.is_timeout() && !error.is_connect() => {
                Ok(Verdict::Broken)
            }
            Err(error) => Err(format!("no answer: {error:?}")),
        };
        match verdict {
            Ok(verdict) if verdict.is(case.expected) => None,
            verdict => Some(format!(
                "{}, {manner:?}, {wanted:?}, number {number}: {verdict:?}, not {:?}",
                case.name, case.expected
            )),
        }
    }

    /// Resolves the post and fetches its file.
    async fn fetch(
        &self,
        target: &Target,
        manner: Manner,
        wanted: Wanted,
    ) -> reqwest::Result<Fetched> {
        let answer = self.server.api().resolve(&target.url()).await;
        let client = if manner.is_h2 { &self.h2 } else { &self.h1 };
        let link = Target::link(&answer, manner.route);
        let mut request = client.request(Method::GET, format!("{}{link}", self.server.base()));
        if let Some(range) = wanted.header() {
            request = request.header("range", range);
        }
        try_fetch(request).await
    }

    /// One transfer of a target by HTTP/1.1, whole.
    pub(super) async fn verdict(&self, target: &Target) -> Verdict {
        let fetched = self.fetch(target, MANNERS[0], Wanted::Whole).await;
        let fetched = fetched.expect("an answer");
        Verdict::of(&fetched, target, Wanted::Whole).unwrap_or_else(|lie| panic!("{lie}"))
    }

    /// The counters of `/health` that are not zero, by outcome.
    pub(super) async fn counted(&self) -> BTreeMap<String, usize> {
        let health = self.server.api().get("/health").await.json();
        let ended = health["transfers"]["ended"].as_object().expect("counters");
        let counts = ended.iter().map(|(outcome, count)| {
            let count = count.as_u64().expect("a number");
            (outcome.clone(), usize::try_from(count).expect("small"))
        });
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Ends the server and counts the ends of transfers in its log by outcome.
    ///
    /// # Panics
    /// The server doesn't end well, a line lacks its figures, or `/health` counted otherwise.
    pub(super) async fn outcomes(self) -> BTreeMap<String, usize> {
        // A client may have the last byte before the server has seen to it.
        eventually("all transfers ended", async || {
            let health = self.server.api().get("/health").await.json();
            (health["streams"]["active"] == json!(0)).then_some(())
        })
        .await;
        let counted = self.counted().await;
        let (status, logs) = self.server.stop().await;
        assert!(status.success(), "{status}");
        let mut outcomes = BTreeMap::new();
        for line in logs.lines().filter(|line| line.contains("transfer ended")) {
            let line: serde_json::Value = serde_json::from_str(line).expect("a JSON line");
            let fields = &line["fields"];
            for figure in ["bytes", "elapsed_ms", "resumes"] {
                assert!(fields[figure].is_u64(), "{figure} in {line}");
            }
            assert_ne!(line["span"]["request_id"], json!(null), "{line}");
            let outcome = fields["outcome"].as_str().expect("an outcome");
            *outcomes.entry(outcome.to_owned()).or_default() += 1;
        }
        assert_eq!(counted, outcomes);
        outcomes
    }
}

/// Ends in a log of a table in which every transfer must come to the same.
pub(super) fn assert_all_complete(outcomes: &BTreeMap<String, usize>, transfers: usize) {
    let expected = BTreeMap::from([("complete".to_owned(), transfers)]);
    assert_eq!(*outcomes, expected);
}

/// A case of a table.
pub(super) fn case(
    name: &'static str,
    expected: Expected,
    script: fn(&Target, &mut Seed) -> Vec<crate::harness::upstream::Rule>,
) -> Case {
    Case {
        name,
        script,
        expected,
        is_to_the_end: false,
    }
}
