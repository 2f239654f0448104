//! The time that a server adds to the first byte, while nothing else goes on.

use std::time::Duration;

use super::{Bench, milliseconds};
use crate::Result;
use crate::cdn::{File, Scheme};
use crate::load::{Load, percentile};
use crate::report::{Goal, Row};

/// Bytes of the file.
const SIZE: u64 = 256 * 1024;

impl Bench {
    pub(super) async fn delay(&mut self) -> Result<()> {
        let ours = self.serverrs(&[]).await?;
        let nginx = self.nginx().await?;
        for scheme in [Scheme::Http, Scheme::Https] {
            let file = File {
                scheme,
                size: SIZE,
                rate: 0,
                flaw: None,
            };
            let our_path = ours.path(file).await?;
            let nginx_path = nginx.path(file).await?;
            let cdn_path = file.path();
            let (mut direct, mut through, mut through_nginx) = (vec![], vec![], vec![]);
            for _ in 0..self.plan.amount(300, 100) {
                direct.push(first_byte(self.cdn.doors.plain, &cdn_path).await?);
                through.push(first_byte(ours.port, &our_path).await?);
                through_nginx.push(first_byte(nginx.port, &nginx_path).await?);
            }
            let direct = p50(direct);
            self.report.add(Row::beside(
                format!(
                    "{} upstream: added time to first byte, p50 ms",
                    scheme.as_str()
                ),
                p50(through) - direct,
                p50(through_nginx) - direct,
                Some(Goal::AtMost(3.0)),
            ));
        }
        ours.process.stop().await?;
        nginx.process.stop().await
    }
}

fn p50(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    milliseconds(percentile(&times, 50))
}

async fn first_byte(port: u16, path: &str) -> Result<Duration> {
    let load = Load {
        port,
        path: path.to_owned(),
        streams: 1,
        size: SIZE,
        rate: None,
        is_crowded: false,
        ramp: Duration::ZERO,
        patience: Duration::from_secs(10),
    };
    let outcome = load.run().await;
    match outcome.first_bytes.first() {
        Some(time) => Ok(*time),
        None => Err(format!("port {port}: {:?}", outcome.failures).into()),
    }
}
