//! More posts than can be asked for: what is served, what is refused and when, and whether `/health` still answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep_until};

use super::{Bench, milliseconds};
use crate::Result;
use crate::cdn::{LATE, slow_post};
use crate::client::{connect, resolve, status};
use crate::load::percentile;
use crate::report::{Goal, Row};

/// Places for extractions: `MAX_WORKERS` by default.
const PLACES: f64 = 20.0;
/// How many times the capacity is asked for.
const TIMES: f64 = 4.0;
/// `QUEUE_TIMEOUT` by default, in milliseconds: how long a request may wait before it is refused.
const QUEUE_WAIT: f64 = 5000.0;
/// Connections per source address; the server's default allows 256.
const PER_SOURCE: usize = 200;
/// How often `/health` is asked.
const HEALTH_EVERY: Duration = Duration::from_millis(10);

/// Connections that wait for their next request.
type Idle = Arc<Mutex<Vec<TcpStream>>>;

impl Bench {
    pub(super) async fn overload(&mut self) -> Result<()> {
        let subject = self.serverrs(&[]).await?;
        let capacity = PLACES / LATE.as_secs_f64();
        let seconds = self.plan.amount(20_u32, 8);
        let rate = TIMES * capacity;
        let is_over = Arc::new(AtomicBool::new(false));
        let watching = tokio::spawn(watch(subject.port, Arc::clone(&is_over)));
        let answers = offer(subject.port, rate, f64::from(seconds) * rate).await?;
        is_over.store(true, Ordering::Relaxed);
        let health = watching.await??;
        let served = answers.iter().filter(|answer| answer.status == 200);
        let refused = answers.iter().filter(|answer| answer.status == 503);
        let other = answers.len() - served.clone().count() - refused.clone().count();
        // From the first answer on, all places are taken; after the last request, the queue empties.
        let in_time = served.filter(|answer| answer.at <= Duration::from_secs(seconds.into()));
        let busy_for = f64::from(seconds) - LATE.as_secs_f64();
        let share = in_time.count() as f64 / (capacity * busy_for) * 100.0;
        let slowest = refused.map(|answer| answer.took).max().unwrap_or_default();
        for row in [
            Row::own(
                "four times the capacity: served, % of the capacity",
                share,
                Some(Goal::AtLeast(95.0)),
            ),
            Row::own(
                "four times the capacity: slowest 503, ms",
                milliseconds(slowest),
                Some(Goal::AtMost(QUEUE_WAIT + 100.0)),
            ),
            Row::own(
                "four times the capacity: answers besides 200 and 503",
                other as f64,
                Some(Goal::AtMost(0.0)),
            ),
            Row::own(
                "four times the capacity: /health p99, ms",
                milliseconds(percentile(&health, 99)),
                Some(Goal::AtMost(20.0)),
            ),
        ] {
            self.report.add(row);
        }
        subject.process.stop().await
    }
}

/// What came of one request.
struct Answer {
    status: u16,
    took: Duration,
    /// When it came, from the beginning on.
    at: Duration,
}

/// Sends `count` requests, `rate` a second, each on its own schedule.
async fn offer(port: u16, rate: f64, count: f64) -> Result<Vec<Answer>> {
    let (began, idle) = (Instant::now(), Idle::default());
    let mut running = JoinSet::new();
    let mut number = 0_usize;
    while (number as f64) < count {
        sleep_until(began + Duration::from_secs_f64(number as f64 / rate)).await;
        running.spawn(ask(port, number, Arc::clone(&idle), began));
        number += 1;
    }
    let mut answers = Vec::with_capacity(number);
    while let Some(ended) = running.join_next().await {
        answers.push(ended??);
    }
    Ok(answers)
}

fn lock(idle: &Idle) -> MutexGuard<'_, Vec<TcpStream>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn ask(port: u16, number: usize, idle: Idle, began: Instant) -> Result<Answer> {
    let kept = lock(&idle).pop();
    let mut stream = match kept {
        Some(stream) => stream,
        None => connect(port, 1 + number / PER_SOURCE).await?,
    };
    let sent = Instant::now();
    let status = resolve(&mut stream, &slow_post(number)).await?;
    let answer = Answer {
        status,
        took: sent.elapsed(),
        at: began.elapsed(),
    };
    lock(&idle).push(stream);
    Ok(answer)
}

/// Asks `/health` again and again; the times that it took, sorted.
async fn watch(port: u16, is_over: Arc<AtomicBool>) -> Result<Vec<Duration>> {
    let mut stream = connect(port, usize::from(u16::MAX)).await?;
    let mut times = Vec::new();
    let mut tick = interval(HEALTH_EVERY);
    while !is_over.load(Ordering::Relaxed) {
        tick.tick().await;
        let sent = Instant::now();
        if status(&mut stream, "/health").await? != 200 {
            return Err("the server is unwell".into());
        }
        times.push(sent.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}
