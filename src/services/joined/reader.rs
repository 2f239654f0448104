//! The bytes of a joined file, in order: what was made for it, and runs of both tracks as they come.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt as _;

use super::JoinError;
use crate::media::{Layout, MAX_UNIT, Mismatch, Pass, Run, Side, Stretch};
use crate::services::origin::LinkOrigin;
use crate::transfer::{Admission, Ask, Broken, Engine, Expected, TransferBody, TransferError};

/// Bytes before the first wanted one of a run that are rather read and dropped than looked around for; more where fields
/// stand all over it.
const DROPPED: u64 = 64 * 1024;
/// Bytes that are read at a time to look for where the data of a run begin; mostly one time does.
const LOOKED_AT: u64 = 16 * 1024;

/// What a joined file is made of.
pub(super) struct Sources {
    pub(super) layout: Arc<dyn Layout>,
    pub(super) tracks: [Arc<LinkOrigin>; 2],
    pub(super) engine: Arc<Engine>,
    pub(super) places: Admission,
}

impl Sources {
    async fn open(&self, side: Side, range: Range<u64>) -> Result<Track, JoinError> {
        let (position, track) = (range.start, &self.tracks[side.index()]);
        let total = self.layout.source_total(side);
        let body = open_track(&self.engine, &self.places, track, total, range).await?;
        Ok(Track {
            body,
            position,
            left: Bytes::new(),
        })
    }
}

/// Opens bytes of a track; `total` is what the file must have.
///
/// # Errors
/// They can't be had, or the file is another one.
pub(super) async fn open_track(
    engine: &Engine,
    places: &Admission,
    track: &Arc<LinkOrigin>,
    total: u64,
    range: Range<u64>,
) -> Result<TransferBody, JoinError> {
    let permit = places.admit().await?;
    let ask = Ask {
        range: Some(format!(
            "bytes={}-{}",
            range.start,
            range.end.saturating_sub(1)
        )),
        ..Ask::default()
    };
    let started = engine.start(Arc::clone(track), Expected::Media, Some(total), ask, permit);
    // Boxed, for it runs within the start of another transfer.
    let transfer = Box::pin(started).await?;
    let head = transfer.head;
    if head.total != Some(total) || head.range != Some(range) {
        return Err(TransferError::Unusable("another file than its index says").into());
    }
    Ok(transfer.body)
}

/// Why the bytes end early.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// A track broke off.
    #[error("{0:?}: {1}")]
    Track(Side, #[source] Broken),
    /// A track ended before its end.
    #[error("{0:?}: ended early")]
    Short(Side),
    /// A run is not what the index promised.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}

/// A track that is being read.
struct Track {
    body: TransferBody,
    /// Next byte within its file.
    position: u64,
    /// What came and is not used yet.
    left: Bytes,
}

impl Track {
    /// The next piece up to `limit`, after whatever lies before `start`.
    async fn next(&mut self, side: Side, start: u64, limit: u64) -> Result<Bytes, ReadError> {
        loop {
            while self.left.is_empty() {
                let frame = self.body.frame().await.ok_or(ReadError::Short(side))?;
                let frame = frame.map_err(|broken| ReadError::Track(side, broken))?;
                self.left = frame.into_data().unwrap_or_default();
            }
            let gap = self.take(start.saturating_sub(self.position));
            if gap.is_empty() {
                return Ok(self.take(limit.saturating_sub(self.position)));
            }
        }
    }

    fn take(&mut self, most: u64) -> Bytes {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let taken = self.left.split_to(most.min(self.left.len()));
        self.position += taken.len() as u64;
        taken
    }
}

/// A run that is being read.
struct Running {
    run: Run,
    pass: Pass,
}

/// Reads a range of a joined file.
pub(super) struct Reader {
    sources: Arc<Sources>,
    tracks: [Option<Track>; 2],
    running: Option<Running>,
    /// What is ready, beginning `dropped` bytes before `position`.
    ready: VecDeque<Bytes>,
    dropped: u64,
    /// Next byte within the joined file, and one past the last.
    position: u64,
    end: u64,
}

impl Reader {
    /// Opens what `range` takes of both tracks, at the same time.
    ///
    /// # Errors
    /// One of them can't be had, or its first bytes are not what the index promised.
    pub(super) async fn open(sources: Arc<Sources>, range: Range<u64>) -> Result<Self, OpenError> {
        let layout = &sources.layout;
        let mut needed = Side::BOTH.map(|side| layout.source(side, range.clone()));
        if let Some(Stretch::Run(last)) = layout.stretch(range.end.saturating_sub(1))
            && let Some(bytes) = &mut needed[last.side.index()]
        {
            // A field that the range ends in is needed whole to be changed.
            let end = (range.end - last.output).saturating_add(MAX_UNIT as u64);
            bytes.end = last.source + end.min(last.length);
        }
        let mut reader = Self {
            sources: Arc::clone(&sources),
            tracks: [None, None],
            running: None,
            ready: VecDeque::new(),
            dropped: 0,
            position: range.start,
            end: range.end,
        };
        if let Some(Stretch::Run(first)) = layout.stretch(range.start)
            && let Some(bytes) = &mut needed[first.side.index()]
        {
            bytes.start = first.source + reader.enter(first).await?;
        }
        let [picture, sound] = Side::BOTH.map(|side| {
            let range = needed[side.index()]
                .clone()
                .filter(|range| !range.is_empty());
            let sources = &sources;
            async move {
                match range {
                    Some(range) => sources.open(side, range).await.map(Some),
                    None => Ok(None),
                }
            }
        });
        reader.tracks = tokio::try_join!(picture, sound)?.into();
        reader.prime().await?;
        Ok(reader)
    }

    /// Gets to the first wanted byte of a run without reading what lies before; returns how many of its bytes are not
    /// needed any more.
    async fn enter(&mut self, run: Run) -> Result<u64, OpenError> {
        let wanted = self.position - run.output;
        let mut pass = Pass::new(self.sources.layout.patch(&run));
        if wanted <= DROPPED || pass.is_dense() {
            self.dropped = wanted;
            self.running = Some(Running { run, pass });
            return Ok(0);
        }
        // Bytes of the run that were read or left out, and that have left the pass.
        let (mut read, mut passed) = (0, 0);
        while passed < wanted {
            let free = pass.opaque().min(wanted - passed);
            if free > 0 {
                pass.skip(free);
                self.ready.clear();
                read += free;
                passed += free;
                self.dropped = 0;
                continue;
            }
            let from = run.source + read;
            let range = from..(from + LOOKED_AT).min(run.source + run.length);
            let mut track = self.sources.open(run.side, range.clone()).await?;
            self.ready.clear();
            self.dropped = wanted.saturating_sub(passed);
            while track.position < range.end {
                let piece = track.next(run.side, from, range.end).await?;
                pass.push(piece, &mut self.ready)?;
            }
            read = range.end - run.source;
            let out: usize = self.ready.iter().map(Bytes::len).sum();
            passed += out as u64;
        }
        self.running = Some(Running { run, pass });
        Ok(read)
    }

    /// Reads up to the first bytes of a track, so that a wrong one shows before anything is sent.
    async fn prime(&mut self) -> Result<(), ReadError> {
        let position = self.position;
        let mut first = VecDeque::new();
        while let Some(piece) = self.next().await? {
            let is_made = self.running.is_none();
            first.push_back(piece);
            if !is_made {
                break;
            }
        }
        first.append(&mut self.ready);
        self.ready = first;
        self.position = position;
        Ok(())
    }

    /// The next piece; `None` after the last.
    ///
    /// # Errors
    /// The rest can't be had.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        loop {
            while let Some(mut piece) = self.ready.pop_front() {
                let dropped = self.dropped.min(piece.len() as u64);
                self.dropped -= dropped;
                let _ = piece.split_to(usize::try_from(dropped).unwrap_or(usize::MAX));
                let room = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
                piece.truncate(room);
                if !piece.is_empty() {
                    self.position += piece.len() as u64;
                    return Ok(Some(piece));
                }
            }
            if self.position >= self.end {
                return Ok(None);
            }
            self.fill().await?;
        }
    }

    /// Makes something ready.
    async fn fill(&mut self) -> Result<(), ReadError> {
        let layout = Arc::clone(&self.sources.layout);
        // Bytes that a run holds back are not at `position` yet, so it is still that run.
        match layout.stretch(self.position) {
            None => self.end = self.position,
            Some(Stretch::Made { start, bytes }) => {
                let from = usize::try_from(self.position - start).unwrap_or(usize::MAX);
                self.ready.push_back(bytes.slice(from.min(bytes.len())..));
            }
            Some(Stretch::Run(run)) => self.read_on(run).await?,
        }
        Ok(())
    }

    async fn read_on(&mut self, run: Run) -> Result<(), ReadError> {
        let running = match &mut self.running {
            Some(running) if running.run == run => running,
            running => running.insert(Running {
                run,
                pass: Pass::new(self.sources.layout.patch(&run)),
            }),
        };
        let track = self.tracks[run.side.index()].as_mut();
        let track = track.ok_or(ReadError::Short(run.side))?;
        let end = run.source + run.length;
        let piece = track.next(run.side, run.source, end).await?;
        if piece.is_empty() {
            return Err(ReadError::Short(run.side));
        }
        running.pass.push(piece, &mut self.ready)?;
        if track.position == end {
            running.pass.finish()?;
        }
        Ok(())
    }
}

/// Why reading can't begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// A track can't be had.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// It can, but not to its first wanted byte.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is another one than its index says.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}
