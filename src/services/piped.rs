//! A running FFmpeg between what it reads and what is sent of it.
//!
//! The client's pace goes through: what it doesn't take stops FFmpeg, and FFmpeg stops the upstream. The end is one only
//! when FFmpeg has ended with 0 and all it was to read was proven whole and read (reliability R1.8).

use std::io;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::feed::piece;
use crate::media::ffmpeg::{Child, FfmpegError};
use crate::transfer::TransferBody;

/// Bytes read from FFmpeg at once.
const READ_BYTES: usize = 32 * 1024;
/// How long the end of an input may take to be seen once FFmpeg has ended.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// The passage of one input; done when its last byte has been handed over.
pub(super) type Feeding = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

type Output = Pin<Box<dyn AsyncRead + Send>>;

/// See the module.
pub(super) struct Piped {
    /// Taken at the end.
    child: Option<Child>,
    output: Option<Output>,
    feedings: Vec<Feeding>,
    buffer: BytesMut,
}

impl Piped {
    /// `child`, which reads what `feedings` pass on.
    pub(super) fn new(mut child: Child, feedings: Vec<Feeding>) -> Self {
        let output = child.stdout().map(|output| Box::pin(output) as Output);
        Self {
            child: Some(child),
            output,
            feedings,
            buffer: BytesMut::new(),
        }
    }

    /// The next bytes within `patience`; `None` after the last, when everything has gone well.
    ///
    /// # Errors
    /// FFmpeg or an input has failed.
    pub(super) async fn next(&mut self, patience: Duration) -> io::Result<Option<Bytes>> {
        in_time(patience, self.read()).await
    }

    async fn read(&mut self) -> io::Result<Option<Bytes>> {
        let Some(output) = &mut self.output else {
            return Ok(None);
        };
        self.buffer.reserve(READ_BYTES);
        let length = loop {
            tokio::select! {
                fed = any(&mut self.feedings), if !self.feedings.is_empty() => match fed {
                    Ok(()) => {}
                    Err(error) => return Err(self.blame(error).await),
                },
                length = output.read_buf(&mut self.buffer) => break length?,
            }
        };
        if length == 0 {
            self.end().await?;
            return Ok(None);
        }
        Ok(Some(self.buffer.split().freeze()))
    }

    /// What to tell of an input that failed: the way into a program that has ended breaks, and that one says why.
    async fn blame(&mut self, error: io::Error) -> io::Error {
        if !is_way_broken(&error) {
            return error;
        }
        let Some(child) = self.child.take() else {
            return error;
        };
        child.finish().await.map_or_else(told, |()| error)
    }

    async fn end(&mut self) -> io::Result<()> {
        self.output = None;
        if let Some(child) = self.child.take() {
            child.finish().await.map_err(told)?;
        }
        // FFmpeg was satisfied, but the rest of an input may still prove to be broken, or be there unread.
        for feeding in self.feedings.drain(..) {
            in_time(END_PATIENCE, feeding).await?;
        }
        Ok(())
    }
}

/// Waits for the next input to end, and takes it out. There must be one.
async fn any(feedings: &mut Vec<Feeding>) -> io::Result<()> {
    let (fed, place, _) = futures_util::future::select_all(feedings.iter_mut()).await;
    drop(feedings.swap_remove(place));
    fed
}

/// Passes a track on until its proven end.
///
/// # Errors
/// It has broken off, or the way into FFmpeg has.
pub(super) async fn feed_in(
    mut body: TransferBody,
    mut input: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    while let Some(piece) = piece(&mut body).await.map_err(io::Error::other)? {
        input.write_all(&piece).await?;
    }
    input.shutdown().await
}

/// Whether an input failed because nobody reads it any more.
pub(super) fn is_way_broken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

/// Does `work`, or fails when it takes longer than `patience`.
async fn in_time<T>(
    patience: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    match tokio::time::timeout(patience, work).await {
        Ok(done) => done,
        Err(_elapsed) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// The failure with what the program said, for the log.
fn told(error: FfmpegError) -> io::Error {
    match &error {
        FfmpegError::Failed { stderr, .. } => io::Error::other(format!("{error}: {stderr}")),
        _ => io::Error::other(error),
    }
}
