//! Bytes: CPU per GiB and throughput, one transfer and sixteen, in the clear and by TLS.

use std::time::Duration;

use super::{Bench, GIB, MIB, median};
use crate::Result;
use crate::cdn::{File, Scheme};
use crate::load::Load;
use crate::report::{Goal, Row};
use crate::subjects::Subject;

/// Longest time for one download.
const PATIENCE: Duration = Duration::from_secs(60);

/// Downloads at once, each of so many bytes.
#[derive(Debug, Clone, Copy)]
struct Shape {
    streams: usize,
    size: u64,
}

/// What a round took.
struct Round {
    cpu_s_per_gib: f64,
    mib_per_s: f64,
}

impl Bench {
    pub(super) async fn bytes(&mut self) -> Result<()> {
        let ours = self.serverrs(&[]).await?;
        let nginx = self.nginx().await?;
        for (scheme, cpu_goal) in [(Scheme::Http, 1.0), (Scheme::Https, 1.1)] {
            let single = Shape {
                streams: 1,
                size: self.plan.amount(1 << 30, 1 << 28),
            };
            self.compare(&ours, &nginx, scheme, single, (cpu_goal, 0.9))
                .await?;
            let parallel = Shape {
                streams: 16,
                size: self.plan.amount(1 << 27, 1 << 24),
            };
            self.compare(&ours, &nginx, scheme, parallel, (cpu_goal, 0.95))
                .await?;
        }
        ours.process.stop().await?;
        nginx.process.stop().await
    }

    /// Rounds in turn, so that both meet the same machine.
    async fn compare(
        &mut self,
        ours: &Subject,
        nginx: &Subject,
        scheme: Scheme,
        shape: Shape,
        (cpu_goal, speed_goal): (f64, f64),
    ) -> Result<()> {
        let (mut our_rounds, mut nginx_rounds) = (vec![], vec![]);
        for _ in 0..self.plan.amount(5, 3) {
            our_rounds.push(round(ours, scheme, shape).await?);
            nginx_rounds.push(round(nginx, scheme, shape).await?);
        }
        let name = format!(
            "{} upstream, {} × {} MiB",
            scheme.as_str(),
            shape.streams,
            shape.size / MIB as u64
        );
        let middle = |rounds: &[Round], figure: fn(&Round) -> f64| {
            median(rounds.iter().map(figure).collect())
        };
        let beside = |unit: &str, figure: fn(&Round) -> f64, goal| {
            let (ours, theirs) = (middle(&our_rounds, figure), middle(&nginx_rounds, figure));
            Row::beside(format!("{name}: {unit}"), ours, theirs, Some(goal))
        };
        let cpu = beside(
            "CPU s per GiB",
            |round| round.cpu_s_per_gib,
            Goal::RatioAtMost(cpu_goal),
        );
        let speed = beside(
            "MiB/s",
            |round| round.mib_per_s,
            Goal::RatioAtLeast(speed_goal),
        );
        self.report.add(cpu);
        self.report.add(speed);
        Ok(())
    }
}

async fn round(subject: &Subject, scheme: Scheme, shape: Shape) -> Result<Round> {
    let file = File {
        scheme,
        size: shape.size,
        rate: 0,
        flaw: None,
    };
    let load = Load {
        port: subject.port,
        path: subject.path(file).await?,
        streams: shape.streams,
        size: shape.size,
        rate: None,
        is_crowded: false,
        ramp: Duration::ZERO,
        patience: PATIENCE,
    };
    let cpu = subject.process.cpu();
    let outcome = load.run().await;
    if outcome.failed() > 0 {
        return Err(format!("{}: {:?}", subject.name, outcome.failures).into());
    }
    let bytes = shape.size as f64 * shape.streams as f64;
    Ok(Round {
        cpu_s_per_gib: (subject.process.cpu() - cpu).as_secs_f64() / (bytes / GIB),
        mib_per_s: bytes / MIB / outcome.elapsed.as_secs_f64(),
    })
}
