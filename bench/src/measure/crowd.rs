//! Thousands of streams at the pace of a player: failures, memory, first bytes, and what is left afterwards.

use std::time::Duration;

use super::{Bench, MIB, milliseconds};
use crate::Result;
use crate::cdn::{File, Scheme};
use crate::load::{Load, Outcome};
use crate::report::{Goal, Row, progress};
use crate::subjects::Subject;

/// After the load, until memory is looked at again.
const REST: Duration = Duration::from_secs(30);
/// Idle memory counts from here.
const SETTLE: Duration = Duration::from_secs(2);
/// Streams of a crowd begin at this rate per second.
const BEGIN_PER_SECOND: f64 = 1000.0;
/// Streams that fit into the 20,000 descriptors of one process, two each.
const LARGE_CROWD: usize = 9000;

/// Who sets the pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// The CDN: little waits anywhere.
    Cdn,
    /// The client, while the CDN sends as fast as it can: everything in between fills up.
    Client,
}

/// A crowd.
#[derive(Debug, Clone, Copy)]
struct Crowd {
    scheme: Scheme,
    pace: Pace,
    streams: usize,
    size: u64,
    rate: u64,
    most_mib: f64,
}

impl Crowd {
    /// 5 MiB at 2 Mbit/s for 2,000.
    fn usual(scheme: Scheme, pace: Pace, streams: usize) -> Self {
        Self {
            scheme,
            pace,
            streams,
            size: 5 << 20,
            rate: 250_000,
            most_mib: 110.0,
        }
    }

    /// As many bytes per second in all: more would measure the cores that CDN and clients share.
    fn large(pace: Pace) -> Self {
        Self {
            scheme: Scheme::Http,
            pace,
            streams: LARGE_CROWD,
            size: 5 << 18,
            rate: 55_000,
            most_mib: 420.0,
        }
    }

    fn file(&self) -> File {
        File {
            scheme: self.scheme,
            size: self.size,
            rate: match self.pace {
                Pace::Cdn => self.rate,
                Pace::Client => 0,
            },
            flaw: None,
        }
    }

    fn name(&self) -> String {
        format!(
            "{} streams, {:.2} MiB at {} kbit/s set by the {}, {} upstream",
            self.streams,
            self.size as f64 / MIB,
            self.rate * 8 / 1000,
            match self.pace {
                Pace::Cdn => "CDN",
                Pace::Client => "client",
            },
            self.scheme.as_str()
        )
    }
}

/// What a crowd did to a server.
struct Seen {
    outcome: Outcome,
    idle: f64,
    peak: f64,
    after: f64,
}

impl Bench {
    pub(super) async fn crowd(&mut self) -> Result<()> {
        let streams = self.plan.amount(2000, 500);
        let usual = |scheme, pace| Crowd::usual(scheme, pace, streams);
        let mut crowds = vec![
            usual(Scheme::Http, Pace::Cdn),
            usual(Scheme::Http, Pace::Client),
            usual(Scheme::Https, Pace::Cdn),
            usual(Scheme::Https, Pace::Client),
            Crowd::large(Pace::Cdn),
            Crowd::large(Pace::Client),
        ];
        if self.plan.is_quick {
            crowds.truncate(4);
        }
        for crowd in crowds {
            self.compare_crowd(crowd).await?;
        }
        Ok(())
    }

    async fn compare_crowd(&mut self, crowd: Crowd) -> Result<()> {
        // The default serves 2,000 at once.
        let max_streams = crowd.streams.max(2000).to_string();
        let settings = [("MAX_STREAMS", max_streams.as_str())];
        let rest = self.plan.amount(REST, Duration::from_secs(10));
        let ours = see(self.serverrs(&settings).await?, crowd, rest).await?;
        let nginx = see(self.nginx().await?, crowd, Duration::ZERO).await?;
        let name = crowd.name();
        for (who, seen) in [("serverrs", &ours), ("nginx", &nginx)] {
            if seen.outcome.failed() > 0 {
                let failures = &seen.outcome.failures;
                self.report
                    .note(format!("{name}: {who} failed: {failures:?}"));
            }
        }
        let p99 = |seen: &Seen| milliseconds(seen.outcome.first_byte(99));
        let failed = |seen: &Seen| seen.outcome.failed() as f64;
        let returned = Goal::AtMost(1.3 * ours.idle + 20.0);
        let rows = [
            (
                "failures",
                failed(&ours),
                Some(failed(&nginx)),
                Some(Goal::AtMost(0.0)),
            ),
            (
                "highest RSS, MiB",
                ours.peak,
                Some(nginx.peak),
                Some(Goal::AtMost(crowd.most_mib)),
            ),
            (
                "first byte, p99 ms",
                p99(&ours),
                Some(p99(&nginx)),
                Some(Goal::RatioAtMost(1.0)),
            ),
            ("RSS afterwards, MiB", ours.after, None, Some(returned)),
        ];
        for (figure, ours, nginx, goal) in rows {
            self.report.add(Row {
                figure: format!("{name}: {figure}"),
                ours,
                nginx,
                goal,
            });
        }
        Ok(())
    }
}

async fn see(subject: Subject, crowd: Crowd, rest: Duration) -> Result<Seen> {
    progress(&format!("{}: {}", subject.name, crowd.name()));
    tokio::time::sleep(SETTLE).await;
    let path = subject.path(crowd.file()).await?;
    let idle = subject.process.resident() as f64 / MIB;
    let watch = subject.process.watch();
    let load = Load {
        port: subject.port,
        path,
        streams: crowd.streams,
        size: crowd.size,
        rate: (crowd.pace == Pace::Client).then_some(crowd.rate),
        is_crowded: true,
        ramp: Duration::from_secs_f64(crowd.streams as f64 / BEGIN_PER_SECOND),
        patience: Duration::from_secs(90),
    };
    let outcome = load.run().await;
    let peak = watch.peak() as f64 / MIB;
    tokio::time::sleep(rest).await;
    let after = subject.process.resident() as f64 / MIB;
    subject.process.stop().await?;
    Ok(Seen {
        outcome,
        idle,
        peak,
        after,
    })
}
