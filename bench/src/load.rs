//! Many downloads at once, each checked byte for byte: as fast as they come, or paced like players.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::client::{connect, read_head};
use crate::{Result, payload};

/// Streams per source address; the server's default allows 256 connections.
const PER_SOURCE: usize = 200;
/// Read buffer of a stream that is not paced.
const FAST_BUFFER: usize = 256 * 1024;
/// The same among thousands.
const CROWDED_BUFFER: usize = 32 * 1024;
/// How often a paced stream reads.
const TICK: Duration = Duration::from_millis(100);

/// What is downloaded, how often and how fast.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// Port of the server.
    pub(crate) port: u16,
    /// Path and query.
    pub(crate) path: String,
    /// Streams at once.
    pub(crate) streams: usize,
    /// Bytes of the file.
    pub(crate) size: u64,
    /// Bytes per second and stream; `None`: as fast as possible.
    pub(crate) rate: Option<u64>,
    /// Whether there are so many that each must do with a small buffer.
    pub(crate) is_crowded: bool,
    /// Over which time the streams begin.
    pub(crate) ramp: Duration,
    /// A stream that takes longer has failed.
    pub(crate) patience: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// From the first connection to the last byte.
    pub(crate) elapsed: Duration,
    /// Time to the first byte of each stream, sorted.
    pub(crate) first_bytes: Vec<Duration>,
    /// Failures, by reason.
    pub(crate) failures: BTreeMap<String, usize>,
}

impl Outcome {
    /// Streams that failed.
    pub(crate) fn failed(&self) -> usize {
        self.failures.values().sum()
    }

    /// The time to the first byte that `percent` of the streams stayed within.
    pub(crate) fn first_byte(&self, percent: usize) -> Duration {
        percentile(&self.first_bytes, percent)
    }
}

/// The value that `percent` of the sorted `values` stay within.
pub(crate) fn percentile(values: &[Duration], percent: usize) -> Duration {
    let rank = (values.len() * percent).div_ceil(100).max(1) - 1;
    values.get(rank).copied().unwrap_or_default()
}

impl Load {
    /// Runs all streams to their end.
    pub(crate) async fn run(self) -> Outcome {
        let load = Arc::new(self);
        let started = Instant::now();
        let mut running = JoinSet::new();
        for number in 0..load.streams {
            running.spawn(Arc::clone(&load).stream(number, started));
        }
        let mut outcome = Outcome::default();
        while let Some(ended) = running.join_next().await {
            match ended.unwrap_or_else(|error| Err(error.into())) {
                Ok(first_byte) => outcome.first_bytes.push(first_byte),
                Err(error) => *outcome.failures.entry(error.to_string()).or_default() += 1,
            }
        }
        outcome.elapsed = started.elapsed();
        outcome.first_bytes.sort_unstable();
        outcome
    }

    async fn stream(self: Arc<Self>, number: usize, started: Instant) -> Result<Duration> {
        let share = number as f64 / self.streams as f64;
        let begin = started + self.ramp.mul_f64(share);
        sleep_until(begin).await;
        timeout_at(begin + self.patience, self.download(number, Instant::now())).await?
    }

    /// One download; the time to its first byte.
    async fn download(&self, number: usize, begin: Instant) -> Result<Duration> {
        let mut stream = connect(self.port, 1 + number / PER_SOURCE).await?;
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n",
            self.path
        );
        stream.write_all(request.as_bytes()).await?;
        let head = read_head(&mut stream).await?;
        if head.status != 200 || head.length != Some(self.size) {
            return Err(format!("status {}", head.status).into());
        }
        let mut reader = Reader {
            stream,
            buffer: vec![0; self.buffer()],
            position: 0,
            size: self.size,
        };
        reader.check(&head.lead)?;
        if head.lead.is_empty() {
            reader.read(1).await?;
        }
        let first_byte = begin.elapsed();
        match self.rate {
            Some(rate) => reader.paced(rate).await?,
            None => reader.fast().await?,
        }
        Ok(first_byte)
    }

    fn buffer(&self) -> usize {
        match self.rate {
            Some(rate) => per_tick(rate),
            None if self.is_crowded => CROWDED_BUFFER,
            None => FAST_BUFFER,
        }
    }
}

fn per_tick(rate: u64) -> usize {
    let bytes = rate * TICK.as_millis() as u64 / 1000;
    usize::try_from(bytes).unwrap_or(FAST_BUFFER)
}

/// The body of one answer.
struct Reader {
    stream: TcpStream,
    buffer: Vec<u8>,
    position: u64,
    size: u64,
}

impl Reader {
    async fn fast(&mut self) -> Result<()> {
        while self.position < self.size {
            self.read(self.buffer.len()).await?;
        }
        Ok(())
    }

    /// Takes its share each tick, and no more than that however far it is behind.
    async fn paced(&mut self, rate: u64) -> Result<()> {
        let share = per_tick(rate);
        let mut tick = tokio::time::interval(TICK);
        while self.position < self.size {
            tick.tick().await;
            let mut left = share;
            while left > 0 && self.position < self.size {
                left -= self.read(left).await?;
            }
        }
        Ok(())
    }

    async fn read(&mut self, most: usize) -> Result<usize> {
        let count = self.stream.read(&mut self.buffer[..most]).await?;
        if count == 0 {
            return Err("cut".into());
        }
        if !payload::matches(&self.buffer[..count], self.position) {
            return Err("wrong bytes".into());
        }
        self.position += count as u64;
        Ok(count)
    }

    fn check(&mut self, lead: &[u8]) -> Result<()> {
        if !payload::matches(lead, 0) {
            return Err("wrong bytes".into());
        }
        self.position = lead.len() as u64;
        Ok(())
    }
}
