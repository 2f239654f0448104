//! A file on its way to disk: which of its bytes are there, and those that are missing.
//!
//! Bytes come in any order: in one go when a file is fetched, in pieces when it is copied while it is played.

use std::io::{self, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use super::ShelfError;
use crate::services::Playable;
use crate::temp::{JobDir, Temp, TempError};
use crate::transfer::{Head, Transfer};

/// Name of a file that is being written.
const PART: &str = "item.part";
/// Room that is asked for at a time where the length isn't known beforehand: more than a piece has.
const STEP: u64 = 8 * 1024 * 1024;

/// See the module.
pub(in crate::broadcast) struct Part {
    dir: JobDir,
    file: File,
    /// Where the file is written next; `None` when that isn't known.
    at: Option<u64>,
    /// Bytes for which there is room.
    room: u64,
    /// Bytes for which room was asked for.
    wanted: u64,
    covered: Covered,
    total: Option<u64>,
    /// What the upstream calls the bytes; `None` before the first answer.
    name: Option<String>,
}

impl Part {
    /// A file of which nothing is there, with room for so many bytes.
    ///
    /// # Errors
    /// [`ShelfError::Temp`].
    pub(super) async fn begin(temp: &Temp, bytes: u64) -> Result<Self, ShelfError> {
        let dir = temp.job(bytes).await?;
        let file = File::create(dir.path(PART))
            .await
            .map_err(TempError::from)?;
        Ok(Self {
            dir,
            file,
            at: Some(0),
            room: bytes,
            wanted: bytes,
            covered: Covered::default(),
            total: None,
            name: None,
        })
    }

    /// Bytes that are there.
    pub(in crate::broadcast) fn held(&self) -> u64 {
        self.covered.sum()
    }

    /// Bytes for which there must be room, as far as that is known.
    pub(in crate::broadcast) fn wanted(&self) -> u64 {
        self.wanted
    }

    /// Whether nothing is missing.
    pub(in crate::broadcast) fn is_whole(&self) -> bool {
        self.missing().is_none()
    }

    /// Makes room for what an answer announces.
    ///
    /// # Errors
    /// [`ShelfError::Changed`] when it is about other bytes than those before, [`ShelfError::Upstream`] when it is about
    /// none, [`ShelfError::Temp`].
    pub(in crate::broadcast) async fn accept(&mut self, head: &Head) -> Result<(), ShelfError> {
        let name = [&head.etag, &head.last_modified].map(|text| text.as_deref().unwrap_or(""));
        let name = name.concat();
        let is_same = self.name.as_ref().is_none_or(|known| *known == name);
        let is_as_long = self.total.is_none() || self.total == head.total;
        if !is_same || !is_as_long {
            return Err(ShelfError::Changed);
        }
        if head.total == Some(0) {
            return Err(empty());
        }
        self.make_room(head.total.unwrap_or(0)).await?;
        (self.name, self.total) = (Some(name), head.total);
        Ok(())
    }

    async fn make_room(&mut self, bytes: u64) -> Result<(), ShelfError> {
        self.wanted = self.wanted.max(bytes);
        if bytes > self.room {
            self.dir.reserve(bytes - self.room).await?;
            self.room = bytes;
        }
        Ok(())
    }

    /// Writes a piece.
    ///
    /// # Errors
    /// [`ShelfError::Temp`].
    pub(in crate::broadcast) async fn write(
        &mut self,
        at: u64,
        piece: &Bytes,
    ) -> Result<(), ShelfError> {
        let end = at.saturating_add(piece.len() as u64);
        if end > self.room {
            self.make_room(end.max(self.room.saturating_add(STEP)))
                .await?;
        }
        // A write that fails leaves it anywhere.
        if self.at.take() != Some(at) {
            let sought = self.file.seek(SeekFrom::Start(at)).await;
            sought.map_err(TempError::from)?;
        }
        self.file.write_all(piece).await.map_err(TempError::from)?;
        self.at = Some(end);
        self.covered.add(at..end);
        Ok(())
    }

    /// Reads what is missing.
    ///
    /// # Errors
    /// [`ShelfError`]; what was read before stays.
    pub(in crate::broadcast) async fn complete(
        &mut self,
        playable: &Playable,
    ) -> Result<(), ShelfError> {
        while let Some(range) = self.missing() {
            let opened = playable.open(range).await;
            let Transfer { head, mut body, .. } =
                opened.map_err(|error| ShelfError::Upstream(error.to_string()))?;
            self.accept(&head).await?;
            let mut at = head.range.as_ref().map_or(0, |range| range.start);
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| ShelfError::Upstream(error.to_string()))?;
                let piece = frame.into_data().unwrap_or_default();
                self.write(at, &piece).await?;
                at += piece.len() as u64;
            }
            if at == 0 {
                return Err(empty());
            }
            // Where nobody told the length, the proven end does.
            self.total.get_or_insert(at);
        }
        Ok(())
    }

    /// Text of a `Range` header for what is missing first: none for all of it. `None` when nothing is.
    #[expect(
        clippy::option_option,
        reason = "whether to ask, and whether for a part"
    )]
    fn missing(&self) -> Option<Option<String>> {
        let Some(total) = self.total else {
            let start = self.covered.first_gap();
            return Some((start > 0).then(|| format!("bytes={start}-")));
        };
        let gap = self.covered.gap(total)?;
        let is_all = gap == (0..total);
        Some((!is_all).then(|| format!("bytes={}-{}", gap.start, gap.end - 1)))
    }

    /// Ends the writing, and makes sure that all of it is on disk.
    ///
    /// # Errors
    /// [`ShelfError::Temp`], also when it isn't as long as it should be.
    pub(super) async fn finish(mut self) -> Result<Whole, ShelfError> {
        // A write that failed is told by the next one, which this is.
        self.file.flush().await.map_err(TempError::from)?;
        self.file.sync_all().await.map_err(TempError::from)?;
        let length = self.file.metadata().await.map_err(TempError::from)?.len();
        if length == 0 || self.total.is_some_and(|total| total != length) {
            let error = io::Error::other(format!("{length} bytes were written"));
            return Err(error.into());
        }
        Ok(Whole {
            path: self.dir.path(PART),
            length,
            room: self.dir,
        })
    }

    /// Gives it up; its room is free then.
    pub(in crate::broadcast) async fn discard(self) {
        self.dir.remove().await;
    }
}

/// A file that is whole, and has no name yet.
pub(super) struct Whole {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// Bytes of it.
    pub(super) length: u64,
    /// Its room.
    pub(super) room: JobDir,
}

fn empty() -> ShelfError {
    ShelfError::Upstream("the file is empty".to_owned())
}

/// Which bytes of a file are there: ranges in order that don't touch.
#[derive(Debug, Default)]
struct Covered(Vec<Range<u64>>);

impl Covered {
    fn add(&mut self, mut new: Range<u64>) {
        if new.is_empty() {
            return;
        }
        let first = self.0.partition_point(|old| old.end < new.start);
        let last = self.0.partition_point(|old| old.start <= new.end);
        if let Some(old) = self.0[first..last].first() {
            new.start = new.start.min(old.start);
        }
        if let Some(old) = self.0[first..last].last() {
            new.end = new.end.max(old.end);
        }
        self.0.splice(first..last, [new]);
    }

    fn sum(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// Where the first bytes are missing.
    fn first_gap(&self) -> u64 {
        let first = self.0.first().filter(|range| range.start == 0);
        first.map_or(0, |range| range.end)
    }

    /// The first bytes missing of so many.
    fn gap(&self, total: u64) -> Option<Range<u64>> {
        let start = self.first_gap();
        let next = self.0.iter().find(|range| range.start > start);
        let end = next.map_or(total, |range| range.start.min(total));
        (start < end).then_some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn gaps_are_found_and_closed() {
        let mut covered = Covered::default();
        assert_eq!(covered.gap(10), Some(0..10));
        covered.add(4..6);
        assert_eq!((covered.gap(10), covered.first_gap()), (Some(0..4), 0));
        covered.add(0..4);
        assert_eq!(covered.gap(10), Some(6..10));
        covered.add(8..12);
        assert_eq!(covered.gap(10), Some(6..8));
        covered.add(5..9);
        assert_eq!((covered.gap(10), covered.sum()), (None, 12));
        assert_eq!(Covered::default().gap(0), None);
    }

    proptest! {
        #[test]
        fn covered_is_what_was_added(added in prop::collection::vec((0_u64..60, 0_u64..20), 0..12)) {
            let mut covered = Covered::default();
            let mut bytes = [false; 80];
            for (start, length) in added {
                covered.add(start..start + length);
                for byte in start..start + length {
                    bytes[usize::try_from(byte).unwrap()] = true;
                }
            }
            prop_assert_eq!(covered.sum(), bytes.iter().filter(|is_there| **is_there).count() as u64);
            let first = bytes.iter().position(|is_there| !is_there).map(|at| at as u64);
            prop_assert_eq!(Some(covered.first_gap()), first);
            prop_assert!(covered.0.windows(2).all(|pair| pair[0].end < pair[1].start));
        }
    }
}
