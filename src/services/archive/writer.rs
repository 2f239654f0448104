//! Writes an archive from any byte on, and reads the pictures as they are needed.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::Plan;
use crate::media::zip::Part;
use crate::services::feed::{Feed, piece};
use crate::services::origin::Post;
use crate::transfer::{Expected, TransferBody};

/// Writes an archive from a position on.
pub(super) struct Writer {
    pub(super) feed: Feed,
    pub(super) post: Post,
    pub(super) plan: Arc<Plan>,
    pub(super) position: u64,
    pub(super) reading: Option<Reading>,
}

/// A picture that is being read.
pub(super) struct Reading {
    index: usize,
    body: TransferBody,
    remaining: u64,
    /// Only of one that is read from its beginning.
    hasher: Option<crc32fast::Hasher>,
}

impl Writer {
    /// The next piece and the writer after it. A piece without bytes says that the work goes on: a picture is read for
    /// its checksum alone.
    pub(super) async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        let piece = match self.plan.layout.part_at(self.position) {
            Part::Header(index, skip) => cut(self.plan.layout.header(index), skip),
            Part::Data(index, skip) => self.data(index, skip).await?,
            Part::Descriptor(index, skip) => match self.crc(index).await? {
                Some(crc) => cut(self.plan.layout.descriptor(index, crc), skip),
                None => Bytes::new(),
            },
            Part::Record(index, skip) => match self.crc(index).await? {
                Some(crc) => cut(self.plan.layout.record(index, crc), skip),
                None => Bytes::new(),
            },
            Part::Finish(skip) => cut(self.plan.layout.finish(), skip),
            Part::End => return Ok(None),
        };
        self.position += piece.len() as u64;
        Ok(Some((piece, self)))
    }

    async fn data(&mut self, index: usize, from: u64) -> io::Result<Bytes> {
        let open = self.reading.as_ref().map(|reading| reading.index);
        if open != Some(index) {
            self.read(index, from).await?;
        }
        let Some(reading) = &mut self.reading else {
            return Err(io::Error::other("no picture is open"));
        };
        let piece = piece(&mut reading.body).await.map_err(io::Error::other)?;
        let piece = piece.ok_or(io::ErrorKind::UnexpectedEof)?;
        reading.remaining = reading
            .remaining
            .checked_sub(piece.len() as u64)
            .ok_or(io::ErrorKind::InvalidData)?;
        if let Some(hasher) = &mut reading.hasher {
            hasher.update(&piece);
        }
        if reading.remaining == 0
            && let Some(Reading {
                hasher: Some(hasher),
                ..
            }) = self.reading.take()
        {
            self.plan.pictures[index].note(hasher.finalize())?;
        }
        Ok(piece)
    }

    /// Opens a picture and holds it against the plan.
    pub(super) async fn read(&mut self, index: usize, from: u64) -> io::Result<()> {
        let picture = &self.plan.pictures[index];
        let origin = self
            .feed
            .origin(&self.post, &picture.format, Some(picture.mirror))
            .map_err(io::Error::other)?;
        let transfer = self
            .feed
            .open(origin, Expected::Image, from)
            .await
            .map_err(io::Error::other)?;
        let head = &transfer.head;
        let start = head.range.as_ref().map_or(0, |range| range.start);
        let name = [&head.etag, &head.last_modified].map(|part| part.as_deref().unwrap_or(""));
        let is_other = head.total.is_some_and(|total| total != picture.length);
        if is_other || start != from || name.concat() != picture.name {
            return Err(io::Error::other("the picture has changed"));
        }
        self.reading = Some(Reading {
            index,
            body: transfer.body,
            remaining: picture.length - from,
            hasher: (from == 0).then(crc32fast::Hasher::new),
        });
        Ok(())
    }

    /// The checksum of a picture that was not sent from its beginning; `None` while it is being read once more for that.
    async fn crc(&mut self, index: usize) -> io::Result<Option<u32>> {
        let known = |plan: &Plan| plan.pictures[index].crc.get().copied();
        if let Some(crc) = known(&self.plan) {
            return Ok(Some(crc));
        }
        let is_from_start = |reading: &Reading| reading.index == index && reading.hasher.is_some();
        if !self.reading.as_ref().is_some_and(is_from_start) {
            self.read(index, 0).await?;
        }
        self.data(index, 0).await?;
        Ok(known(&self.plan))
    }
}

fn cut(bytes: Vec<u8>, skip: u64) -> Bytes {
    let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(bytes.len());
    Bytes::from(bytes).slice(skip..)
}
