//! A client: posts and their streams, those that fail, and those that it leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncReadExt;

use super::Tally;
use super::jobs::{Job, Jobs};
use crate::cdn::{File, Flaw, Scheme, video};
use crate::client::{ask, connect, fetch, mint, post, read_head};
use crate::{Result, payload};

/// Streams of one post: each post is resolved once.
pub(super) const PER_POST: usize = 10;
/// One stream in so many meets an upstream that fails, and another one a client that leaves: 2 % each.
const ONE_IN: usize = 50;
/// Bytes of the smallest file; every post has one of another size.
const SMALLEST: u64 = 16 * 1024;
/// Bytes of a file that is left in the middle, and how many come in a second.
const LEFT: (u64, u64) = (1 << 20, 400_000);

/// One of the clients.
pub(super) struct Client {
    /// Port of the server.
    pub(super) port: u16,
    /// Number of its loopback address.
    pub(super) source: usize,
    /// The next post, of all clients.
    pub(super) next: Arc<AtomicUsize>,
    /// Requests that are done, of all clients.
    pub(super) done: Arc<AtomicUsize>,
    /// What takes a program or a pair of tracks.
    pub(super) jobs: Arc<Jobs>,
    /// What came of its own.
    pub(super) tally: Tally,
}

impl Client {
    /// Takes post after post until all are taken.
    pub(super) async fn run(mut self, posts: usize) -> Tally {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= posts {
                return self.tally;
            }
            if let Err(error) = self.post(number).await {
                self.tally.note(Err(error));
            }
        }
    }

    fn note(&mut self, outcome: Result<&'static str>) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.tally.note(outcome);
    }

    /// One post and its streams, on one connection; what fails or leaves has its own.
    async fn post(&mut self, number: usize) -> Result<()> {
        let file = File {
            scheme: [Scheme::Http, Scheme::Https][number % 2],
            size: SMALLEST + number as u64,
            rate: 0,
            flaw: None,
        };
        let mut stream = connect(self.port, self.source).await?;
        let path = mint(self.port, &file.post()).await;
        let path = path.inspect(|_| self.note(Ok("resolved")))?;
        if number.is_multiple_of(PER_POST) {
            let url = video(number % 1_000_000);
            let outcome = post(&mut stream, &url, false).await;
            self.note(outcome.map(|_| "resolved, another site"));
        }
        for slot in number * PER_POST..(number + 1) * PER_POST {
            let outcome = match slot % ONE_IN {
                0 => self.fault(slot, file).await,
                25 => self.leave(file.scheme).await,
                _ => whole(&mut stream, &path, file.size).await,
            };
            self.note(outcome);
        }
        if let Some(job) = Job::of(number) {
            let outcome = self.jobs.run(job, number).await;
            self.note(outcome);
        }
        Ok(())
    }

    /// An upstream that is cut must be survived; one that refuses must be told of.
    async fn fault(&mut self, slot: usize, file: File) -> Result<&'static str> {
        let flaw = [Flaw::Cut, Flaw::Refused][slot / ONE_IN % 2];
        let flawed = File {
            flaw: Some(flaw),
            ..file
        };
        let path = mint(self.port, &flawed.post()).await?;
        self.note(Ok("resolved, with a flaw"));
        let mut stream = connect(self.port, self.source).await?;
        match (flaw, fetch(&mut stream, &path).await?) {
            (Flaw::Cut, (200, body)) if is_file(&body, file.size) => Ok("cut and survived"),
            (Flaw::Refused, (502..=504, _)) => Ok("refused and told"),
            (_, (status, body)) => Err(format!("{flaw:?}: {status}, {} bytes", body.len()).into()),
        }
    }

    /// A client that goes away in the middle.
    async fn leave(&mut self, scheme: Scheme) -> Result<&'static str> {
        let (size, rate) = LEFT;
        let file = File {
            scheme,
            size,
            rate,
            flaw: None,
        };
        let path = mint(self.port, &file.post()).await?;
        self.note(Ok("resolved, and left"));
        let mut stream = connect(self.port, self.source).await?;
        ask(&mut stream, &path).await?;
        let head = read_head(&mut stream).await?;
        if head.status != 200 {
            return Err(format!("before leaving: {}", head.status).into());
        }
        stream.read_exact(&mut [0; 1024]).await?;
        Ok("left")
    }
}

async fn whole(stream: &mut tokio::net::TcpStream, path: &str, size: u64) -> Result<&'static str> {
    let (status, body) = fetch(stream, path).await?;
    if status != 200 || !is_file(&body, size) {
        return Err(format!("status {status}, {} bytes", body.len()).into());
    }
    Ok("whole")
}

fn is_file(body: &[u8], size: u64) -> bool {
    body.len() as u64 == size && payload::matches(body, 0)
}
