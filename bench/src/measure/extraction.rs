//! Extractions: CPU of a fresh one, how many per second, and what a cached one takes.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Bench, milliseconds};
use crate::cdn::{recorded_post, video};
use crate::client::{connect, post};
use crate::report::{Goal, Row};
use crate::subjects::Subject;
use crate::{Result, load};

/// Posts at once where posts per second are counted.
const CLIENTS: usize = 8;
/// Posts before anything is counted.
const WARM_UP: usize = 30;

impl Bench {
    pub(super) async fn extraction(&mut self) -> Result<()> {
        if self.plan.recordings.page.is_none() {
            self.report.note(
                "the page of the extraction figures is a made-up one of the recorded one's size"
                    .to_owned(),
            );
        }
        if self.plan.recordings.players.is_none() {
            let note = "the video of the extraction figures is a made-up one with eight formats";
            self.report.note(note.to_owned());
        }
        let subject = self.serverrs(&[]).await?;
        let count = self.plan.amount(400, 100);
        one_after_another(&subject, recorded_post, WARM_UP, true).await?;
        let fresh = one_after_another(&subject, recorded_post, count, true).await?;
        let repeated = self.plan.amount(4000, 1000);
        let cached = one_after_another(&subject, recorded_post, repeated, false).await?;
        one_after_another(&subject, video, WARM_UP, true).await?;
        let tracks = one_after_another(&subject, video, count, true).await?;
        // Each client has a post of its own, else they would share one extraction.
        at_once(&subject, CLIENTS, true).await?;
        let many = at_once(&subject, self.plan.amount(1600, 320), true).await?;
        let known = at_once(&subject, self.plan.amount(80_000, 16_000), false).await?;
        let rows = [
            Row::own(
                "CPU of one fresh extraction (500 KB page), ms",
                milliseconds(fresh.cpu_each()),
                Some(Goal::AtMost(3.0)),
            ),
            Row::own(
                "fresh post, one client, p50 ms",
                milliseconds(fresh.p50()),
                None,
            ),
            Row::own(
                "CPU of one fresh extraction (video in single tracks), ms",
                milliseconds(tracks.cpu_each()),
                Some(Goal::AtMost(8.0)),
            ),
            Row::own(
                "fresh posts per second, 8 clients",
                many.per_second(),
                Some(Goal::AtLeast(300.0)),
            ),
            Row::own(
                "cached posts per second, 8 clients",
                known.per_second(),
                Some(Goal::AtLeast(10_000.0)),
            ),
            Row::own(
                "cached post, p50 µs",
                milliseconds(cached.p50()) * 1000.0,
                None,
            ),
            Row::own(
                "cached post, CPU µs",
                milliseconds(cached.cpu_each()) * 1000.0,
                None,
            ),
        ];
        for row in rows {
            self.report.add(row);
        }
        subject.process.stop().await
    }
}

/// What some posts took.
struct Posts {
    times: Vec<Duration>,
    elapsed: Duration,
    cpu: Duration,
}

impl Posts {
    fn cpu_each(&self) -> Duration {
        self.cpu.div_f64(self.times.len() as f64)
    }

    fn p50(&self) -> Duration {
        load::percentile(&self.times, 50)
    }

    fn per_second(&self) -> f64 {
        self.times.len() as f64 / self.elapsed.as_secs_f64()
    }
}

async fn one_after_another(
    subject: &Subject,
    address: fn(usize) -> String,
    count: usize,
    is_fresh: bool,
) -> Result<Posts> {
    let (began, cpu) = (Instant::now(), subject.process.cpu());
    let mut times = client(subject.port, address(0), count, is_fresh).await?;
    times.sort_unstable();
    Ok(Posts {
        times,
        elapsed: began.elapsed(),
        cpu: subject.process.cpu() - cpu,
    })
}

async fn at_once(subject: &Subject, count: usize, is_fresh: bool) -> Result<Posts> {
    let (began, cpu) = (Instant::now(), subject.process.cpu());
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let address = recorded_post(number);
        clients.spawn(client(subject.port, address, count / CLIENTS, is_fresh));
    }
    let mut times = Vec::with_capacity(count);
    while let Some(ended) = clients.join_next().await {
        times.extend(ended??);
    }
    times.sort_unstable();
    Ok(Posts {
        times,
        elapsed: began.elapsed(),
        cpu: subject.process.cpu() - cpu,
    })
}

async fn client(port: u16, url: String, count: usize, is_fresh: bool) -> Result<Vec<Duration>> {
    let mut stream = connect(port, 1).await?;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        post(&mut stream, &url, is_fresh).await?;
        times.push(began.elapsed());
    }
    Ok(times)
}
