//! Joining as a whole: what ffmpeg made, what was made up, and what was made to hurt.

mod clips;
mod encoded;
mod ffmpeg;
mod hostile;
mod indices;
mod made;
mod properties;
mod shapes;

use std::ops::Range;

use bytes::Bytes;

use super::{Cut, Fault, HeadReader, Joined, TrackHead};
use crate::media::{Clip, Layout, Mismatch, Pass, Progress, Side, Stretch, Tags};

/// Numbers that follow from a seed: `SplitMix64`.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start).max(1)
    }

    fn index(&mut self, range: Range<usize>) -> usize {
        usize::try_from(self.within(range.start as u64..range.end as u64)).unwrap()
    }
}

fn slice(file: &[u8], range: Range<u64>) -> &[u8] {
    &file[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
}

/// Reads the head of a file, whatever it takes; also how many steps it took.
fn read_head_in(file: &[u8], index_end: Option<u64>) -> Result<(TrackHead, usize), Fault> {
    let mut reader = HeadReader::new(file.len() as u64);
    let mut need = reader.first(index_end);
    for step in 1.. {
        match reader.feed(need.start, slice(file, need.clone()))? {
            Progress::Need(range) => need = range,
            Progress::Done(head) => return Ok((head, step)),
        }
    }
    unreachable!("the reader counts its steps")
}

fn read_head(file: &[u8]) -> Result<TrackHead, Fault> {
    read_head_in(file, None).map(|(head, _)| head)
}

/// Two files to be joined.
struct Pair {
    files: [Bytes; 2],
    heads: [TrackHead; 2],
}

impl Pair {
    fn of(files: [Bytes; 2]) -> Self {
        let heads = [0, 1].map(|side| read_head(&files[side]).unwrap());
        Self { files, heads }
    }

    fn joined(&self) -> Joined {
        Joined::new(&self.heads[0], &self.heads[1], None, &Tags::default()).unwrap()
    }

    fn clip(&self, clip: Clip) -> Result<Joined, Fault> {
        let [picture, sound] = &self.heads;
        let mut cut = Cut::find([picture, sound], clip)?;
        for side in Side::BOTH {
            let head = &self.heads[side.index()];
            let place = cut.opening(side, head);
            let mut opening = slice(&self.files[side.index()], place).to_vec();
            cut.open(side, head, &mut opening)?;
        }
        Joined::new(picture, sound, Some(&cut), &Tags::default())
    }

    fn whole(&self, layout: &Joined) -> Vec<u8> {
        self.read(layout, 0..layout.total(), usize::MAX).unwrap()
    }

    /// Reads a range as a server does: whole runs from their beginning, in pieces of at most `piece` bytes.
    fn read(&self, layout: &Joined, range: Range<u64>, piece: usize) -> Result<Vec<u8>, Mismatch> {
        let mut read = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let (start, bytes) = match layout.stretch(at).unwrap() {
                Stretch::Made { start, bytes } => (start, bytes.to_vec()),
                Stretch::Run(run) => {
                    let needed = layout.source(run.side, at..at + 1).unwrap();
                    assert_eq!(needed, run.source..run.source + run.length);
                    let source = slice(&self.files[run.side.index()], needed);
                    (run.output, pass(layout, &run, source, piece)?)
                }
            };
            let end = (start + bytes.len() as u64).min(range.end);
            read.extend_from_slice(slice(&bytes, at - start..end - start));
            at = end;
        }
        Ok(read)
    }
}

/// Leads a run through its change in pieces of at most `most` bytes.
fn pass(
    layout: &Joined,
    run: &crate::media::Run,
    source: &[u8],
    most: usize,
) -> Result<Vec<u8>, Mismatch> {
    let mut pass = Pass::new(layout.patch(run));
    let mut out: Vec<Bytes> = Vec::new();
    for piece in source.chunks(most.min(source.len())) {
        pass.push(Bytes::copy_from_slice(piece), &mut out)?;
    }
    pass.finish()?;
    Ok(out.concat())
}
