//! Joins two files that lie in memory, the way a server does: by byte ranges, in pieces cut anywhere.

use std::ops::Range;

use bytes::Bytes;
use serverrs::media::webm::{Fault, HeadReader, Joined, TrackHead};
use serverrs::media::{Clip, Layout, Mismatch, Pass, Progress, Run, Side, Stretch, Tags};

/// Reads the head of a file, fed no more than it asks for.
pub(crate) fn head(file: &[u8]) -> Result<TrackHead, Fault> {
    let mut reader = HeadReader::new(file.len() as u64);
    let mut fed = 0;
    let mut step = reader.feed(0, &[])?;
    loop {
        match step {
            Progress::Done(head) => return Ok(head),
            Progress::Need(range) => {
                let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap());
                assert!(start == fed && end > fed && end <= file.len(), "{range:?}");
                step = reader.feed(range.start, &file[start..end])?;
                fed = end;
            }
        }
    }
}

/// Two files and what becomes of them.
pub(crate) struct Pair {
    pub(crate) sources: [Bytes; 2],
    pub(crate) joined: Joined,
}

impl Pair {
    pub(crate) fn new(picture: &[u8], sound: &[u8]) -> Result<Self, Fault> {
        Self::with(picture, sound, None, &Tags::default())
    }

    pub(crate) fn with(
        picture: &[u8],
        sound: &[u8],
        clip: Option<Clip>,
        tags: &Tags<'_>,
    ) -> Result<Self, Fault> {
        let joined = Joined::new(&head(picture)?, &head(sound)?, clip, tags)?;
        Ok(Self {
            sources: [picture, sound].map(Bytes::copy_from_slice),
            joined,
        })
    }

    /// All bytes of the joined file; their number is what was said before.
    pub(crate) fn whole(&self) -> Result<Vec<u8>, Mismatch> {
        let bytes = self.read(0..self.joined.total(), 1 << 16)?;
        assert_eq!(bytes.len() as u64, self.joined.total());
        Ok(bytes)
    }

    /// These bytes of the joined file, from sources that come in pieces of this length.
    pub(crate) fn read(&self, range: Range<u64>, piece: usize) -> Result<Vec<u8>, Mismatch> {
        let mut out = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let stretch = self.joined.stretch(at).expect("a byte within the file");
            let (start, bytes) = match stretch {
                Stretch::Made { start, bytes } => (start, bytes.to_vec()),
                Stretch::Run(run) => {
                    self.check_source(&run, at);
                    (run.output, self.patched(&run, at - run.output, piece)?)
                }
            };
            let from = usize::try_from(at - start).unwrap();
            let end = bytes.len().min(usize::try_from(range.end - start).unwrap());
            out.extend_from_slice(&bytes[from..end]);
            at = start + end as u64;
        }
        Ok(out)
    }

    fn check_source(&self, run: &Run, at: u64) {
        let source = self.joined.source(run.side, at..at + 1);
        assert_eq!(source, Some(run.source..run.source + run.length));
        let other = [Side::Sound, Side::Picture][run.side.index()];
        assert_eq!(self.joined.source(other, at..at + 1), None);
    }

    /// A run; up to `wanted`, bytes that need not come are not looked at (they are zeros in the result).
    fn patched(&self, run: &Run, wanted: u64, piece: usize) -> Result<Vec<u8>, Mismatch> {
        let source = &self.sources[run.side.index()];
        let end = usize::try_from(run.source + run.length).unwrap();
        let mut at = usize::try_from(run.source).unwrap();
        let begin = at;
        let mut pass = Pass::new(self.joined.patch(run));
        let mut sent: Vec<Bytes> = Vec::new();
        while at < end {
            let ahead = wanted.saturating_sub((at - begin) as u64);
            let left_out = usize::try_from(pass.opaque().min(ahead)).unwrap();
            if left_out > 0 {
                pass.skip(left_out as u64);
                sent.push(Bytes::from(vec![0; left_out]));
                at += left_out;
                continue;
            }
            let next = end.min(at + piece);
            pass.push(source.slice(at..next), &mut sent)?;
            at = next;
        }
        pass.finish()?;
        Ok(sent.concat())
    }
}
