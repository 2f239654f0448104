//! Files made box by box: all shapes that an encoder may write, and those that none does.

use bytes::Bytes;

use super::Pair;
use crate::media::fmp4::boxes::{append, append_full};

/// Appends a box of these bytes.
pub(super) fn boxed(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    append(&mut out, kind, |out| {
        out.extend_from_slice(body);
        Ok(())
    })
    .unwrap();
    out
}

pub(super) fn full(kind: [u8; 4], version: u8, flags: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    append_full(&mut out, kind, version, |out| {
        out.extend_from_slice(body);
        Ok(())
    })
    .unwrap();
    out[9..12].copy_from_slice(&flags.to_be_bytes()[1..]);
    out
}

pub(super) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// The shape of one run.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a bit of the format")]
pub(super) struct Shape {
    /// Boxes before the fragment.
    pub(super) before: Vec<u8>,
    /// Fragments.
    pub(super) fragments: u32,
    /// Track fragments of each.
    pub(super) trafs: u32,
    /// Whether the place that offsets count from is told.
    pub(super) has_base: bool,
    /// Whether `default-base-is-moof` is set.
    pub(super) is_moof_base: bool,
    /// Whether decode times have 64 bits.
    pub(super) is_long_time: bool,
    /// Whether the size of the data has 64 bits.
    pub(super) is_long_data: bool,
    /// Bytes of data of each fragment.
    pub(super) data: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            before: Vec::new(),
            fragments: 1,
            trafs: 1,
            has_base: false,
            is_moof_base: true,
            is_long_time: true,
            is_long_data: false,
            data: 300,
        }
    }
}

/// A run whose first byte is at `start`, of a track, at a time.
pub(super) fn run(shape: &Shape, track: u32, start: u64, time: u64) -> Vec<u8> {
    let mut out = shape.before.clone();
    for fragment in 0..shape.fragments {
        let moof_at = start + out.len() as u64;
        let size = moof(shape, track, moof_at, time, 0).len();
        let header = if shape.is_long_data { 16 } else { 8 };
        let offset = u32::try_from(size + header).unwrap();
        out.extend(moof(shape, track, moof_at, time, offset));
        let data = vec![u8::try_from(fragment % 251).unwrap(); shape.data];
        if shape.is_long_data {
            out.extend(words(&[1]));
            out.extend_from_slice(b"mdat");
            out.extend((data.len() as u64 + 16).to_be_bytes());
            out.extend(data);
        } else {
            out.extend(boxed(*b"mdat", &data));
        }
    }
    out
}

fn moof(shape: &Shape, track: u32, at: u64, time: u64, offset: u32) -> Vec<u8> {
    let mut flags = 0;
    let mut tfhd = words(&[track]);
    if shape.has_base {
        flags |= 1;
        tfhd.extend(at.to_be_bytes());
    }
    if shape.is_moof_base {
        flags |= 0x2_0000;
    }
    let tfdt = if shape.is_long_time {
        full(*b"tfdt", 1, 0, &time.to_be_bytes())
    } else {
        full(*b"tfdt", 0, 0, &u32::try_from(time).unwrap().to_be_bytes())
    };
    let mut body = full(*b"mfhd", 0, 0, &words(&[77]));
    for _ in 0..shape.trafs {
        let traf = [
            full(*b"tfhd", 0, flags, &tfhd),
            tfdt.clone(),
            full(*b"trun", 0, 1, &words(&[0, offset])),
        ];
        body.extend(boxed(*b"traf", &traf.concat()));
    }
    boxed(*b"moof", &body)
}

/// A `moov`.
#[derive(Debug, Clone)]
pub(super) struct Moov {
    pub(super) handler: [u8; 4],
    pub(super) track: u32,
    pub(super) entry: [u8; 4],
    pub(super) samples: u32,
    pub(super) timescale: u32,
    pub(super) edits: Vec<u8>,
    pub(super) has_mvex: bool,
}

impl Moov {
    pub(super) fn of(handler: [u8; 4]) -> Self {
        Self {
            handler,
            track: 1,
            entry: *b"test",
            samples: 0,
            timescale: 1000,
            edits: Vec::new(),
            has_mvex: true,
        }
    }

    pub(super) fn trak(&self) -> Vec<u8> {
        let stsd = [words(&[1]), boxed(self.entry, &[0; 8])].concat();
        let stbl = [
            full(*b"stsd", 0, 0, &stsd),
            full(*b"stsz", 0, 0, &words(&[0, self.samples])),
        ];
        let minf = boxed(*b"minf", &boxed(*b"stbl", &stbl.concat()));
        let hdlr = [&words(&[0])[..], &self.handler, &[0; 13]].concat();
        let mdia = [
            full(*b"mdhd", 0, 0, &words(&[0, 0, self.timescale, 0, 0])),
            full(*b"hdlr", 0, 0, &hdlr),
            minf,
        ];
        let tkhd = [words(&[0, 0, self.track]), vec![0; 68]].concat();
        let trak = [
            full(*b"tkhd", 0, 3, &tkhd),
            self.edits.clone(),
            boxed(*b"mdia", &mdia.concat()),
        ];
        boxed(*b"trak", &trak.concat())
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mvhd = [words(&[0, 0, 1000, 0]), vec![0; 80]].concat();
        let mut body = [full(*b"mvhd", 0, 0, &mvhd), self.trak()].concat();
        if self.has_mvex {
            let trex = words(&[self.track, 1, 0, 0, 0]);
            body.extend(boxed(*b"mvex", &full(*b"trex", 0, 0, &trex)));
        }
        boxed(*b"moov", &body)
    }
}

pub(super) fn ftyp() -> Vec<u8> {
    boxed(*b"ftyp", b"iso6\0\0\0\0iso6dash")
}

/// A reference: whether it leads to an index, bytes, ticks.
pub(super) type Reference = (bool, u32, u32);

pub(super) fn sidx(version: u8, time: u64, first_offset: u64, references: &[Reference]) -> Vec<u8> {
    let mut body = words(&[1, 1000]);
    for number in [time, first_offset] {
        match version {
            0 => body.extend(u32::try_from(number).unwrap().to_be_bytes()),
            _ => body.extend(number.to_be_bytes()),
        }
    }
    body.extend(words(&[u32::try_from(references.len()).unwrap()]));
    for (is_index, size, duration) in references {
        let kind = u32::from(*is_index) << 31;
        body.extend(words(&[kind | size, *duration, 0x9000_0000]));
    }
    full(*b"sidx", version, 0, &body)
}

/// An ordinary file: one index, runs of a second each.
pub(super) struct Made;

impl Made {
    pub(super) fn file(handler: [u8; 4], shape: &Shape, seconds: u32) -> Vec<u8> {
        Self::with(&Moov::of(handler), shape, seconds)
    }

    pub(super) fn with(moov: &Moov, shape: &Shape, seconds: u32) -> Vec<u8> {
        let size = u32::try_from(run(shape, 1, 0, 0).len()).unwrap();
        let references = vec![(false, size, 1000); seconds as usize];
        let mut file = [ftyp(), moov.bytes(), sidx(1, 0, 0, &references)].concat();
        for second in 0..u64::from(seconds) {
            let run = run(shape, moov.track, file.len() as u64, second * 1000);
            file.extend(run);
        }
        file
    }

    pub(super) fn pair(picture: u32, sound: u32) -> Pair {
        let file = |handler, seconds| Bytes::from(Self::file(handler, &Shape::default(), seconds));
        Pair::of([file(*b"vide", picture), file(*b"soun", sound)])
    }
}
