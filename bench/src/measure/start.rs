//! Start and idle: how soon the first answer is there, and what the process holds then.

use std::time::Duration;

use super::{Bench, MIB, median, milliseconds};
use crate::Result;
use crate::report::{Goal, Row};

/// After this time at rest the memory is looked at again: the key is derived by then.
const REST: Duration = Duration::from_secs(2);

impl Bench {
    pub(super) async fn start(&mut self) -> Result<()> {
        let (mut ready, mut at_once, mut resting, mut peak) = (vec![], vec![], vec![], 0.0_f64);
        for _ in 0..self.plan.amount(7, 3) {
            let subject = self.serverrs(&[]).await?;
            ready.push(milliseconds(subject.ready));
            at_once.push(subject.process.resident() as f64 / MIB);
            tokio::time::sleep(REST).await;
            resting.push(subject.process.resident() as f64 / MIB);
            peak = peak.max(subject.process.peak() as f64 / MIB);
            subject.process.stop().await?;
        }
        let figures = [
            (
                "ready after exec, ms",
                median(ready),
                Some(Goal::AtMost(150.0)),
            ),
            (
                "RSS right after the first /health, MiB",
                median(at_once),
                None,
            ),
            (
                "RSS 2 s later, idle, MiB",
                median(resting),
                Some(Goal::AtMost(15.0)),
            ),
            ("highest RSS until then (key derivation), MiB", peak, None),
        ];
        for (figure, value, goal) in figures {
            self.report.add(Row::own(figure, value, goal));
        }
        Ok(())
    }
}
