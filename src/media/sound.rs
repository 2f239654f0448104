//! What a sound track is, and how long, by its own bytes. Pure.

/// The file types that sites have sound in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// MPEG audio layer III, bare or behind an ID3 tag.
    Mp3,
    /// AAC in ADTS frames.
    Adts,
    /// ISO base media file, with or without a picture.
    Mp4,
    /// Matroska and `WebM`.
    Matroska,
    /// Ogg.
    Ogg,
    /// FLAC.
    Flac,
    /// WAVE.
    Wave,
}

impl Kind {
    /// The type of a file that begins so; `None` when it is none that is known.
    pub fn of(start: &[u8]) -> Option<Self> {
        match start {
            [b'I', b'D', b'3', ..] => Some(Self::Mp3),
            // ADTS: 12 bits of ones, then layer 00 (ISO/IEC 13818-7 §6.2). Layer III is 01 (ISO/IEC 11172-3 §2.4.2.3).
            [0xff, second, ..] if second & 0xf6 == 0xf0 => Some(Self::Adts),
            [0xff, second, ..] if second & 0xe6 == 0xe2 => Some(Self::Mp3),
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some(Self::Mp4),
            [0x1a, 0x45, 0xdf, 0xa3, ..] => Some(Self::Matroska),
            [b'O', b'g', b'g', b'S', ..] => Some(Self::Ogg),
            [b'f', b'L', b'a', b'C', ..] => Some(Self::Flac),
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'A',
                b'V',
                b'E',
                ..,
            ] => Some(Self::Wave),
            _ => None,
        }
    }

    /// FFmpeg's name of the reader for it. Named, so that nothing else is tried on bytes of strangers.
    pub fn demuxer(self) -> &'static str {
        match self {
            Self::Mp3 => "mp3",
            Self::Adts => "aac",
            Self::Mp4 => "mov",
            Self::Matroska => "matroska",
            Self::Ogg => "ogg",
            Self::Flac => "flac",
            Self::Wave => "wav",
        }
    }
}

/// How a track lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// File type.
    pub kind: Kind,
    /// Length, exact to the sample, when the file says it at its beginning.
    pub duration: Option<Duration>,
    /// Whether it can be read from front to back: an MP4 file whose index stands at its end can't.
    pub is_streamable: bool,
}

/// A length in units of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration {
    /// Units.
    pub units: u64,
    /// Units per second; never 0.
    pub scale: u32,
}

impl Duration {
    /// The length in samples at `rate` per second, the last begun one included.
    pub fn samples(self, rate: u32) -> u64 {
        let samples = (u128::from(self.units) * u128::from(rate)).div_ceil(u128::from(self.scale));
        u64::try_from(samples).unwrap_or(u64::MAX)
    }
}

impl Layout {
    /// Reads the beginning of a file; `None` when it is no sound that is known.
    pub fn of(start: &[u8]) -> Option<Self> {
        let kind = Kind::of(start)?;
        let unknown = Self {
            kind,
            duration: None,
            is_streamable: true,
        };
        if kind != Kind::Mp4 {
            return Some(unknown);
        }
        for found in Boxes(start) {
            match &found.name {
                b"moov" => {
                    return Some(Self {
                        duration: duration(found.payload, start),
                        ..unknown
                    });
                }
                b"mdat" => break,
                _ => {}
            }
        }
        Some(Self {
            is_streamable: false,
            ..unknown
        })
    }
}

/// Of the sound track, else, in a file of fragments, of their index.
fn duration(moov: &[u8], file: &[u8]) -> Option<Duration> {
    let track = Boxes(moov)
        .filter(|found| &found.name == b"trak")
        .find_map(|track| sound_track(track.payload))?;
    if track.units > 0 {
        return Some(track);
    }
    let index = Boxes(file).find(|found| &found.name == b"sidx")?;
    fragments(index.payload)
}

/// The media header (ISO/IEC 14496-12 §8.4.2) of a track whose handler is `soun`.
fn sound_track(track: &[u8]) -> Option<Duration> {
    let media = child(track, *b"mdia")?;
    let handler = child(media, *b"hdlr")?;
    if handler.get(8..12)? != b"soun" {
        return None;
    }
    let header = child(media, *b"mdhd")?;
    let (scale, units) = match header.first()? {
        0 => (be32(header, 12)?, be32(header, 16)?.into()),
        _ => (be32(header, 20)?, be64(header, 24)?),
    };
    // All ones stand for an unknown length.
    let is_known = scale > 0 && units != u64::from(u32::MAX) && units != u64::MAX;
    is_known.then_some(Duration { units, scale })
}

/// The segment index (ISO/IEC 14496-12 §8.16.3): the lengths of all fragments.
fn fragments(index: &[u8]) -> Option<Duration> {
    let scale = be32(index, 8).filter(|scale| *scale > 0)?;
    let counts = if *index.first()? == 0 { 20 } else { 28 };
    let count = usize::from(u16::from_be_bytes(*index.get(counts + 2..)?.first_chunk()?));
    let entries = index.get(counts + 4..counts + 4 + count * 12)?;
    let mut units = 0;
    for entry in entries.chunks_exact(12) {
        // An entry may point at another index instead.
        if entry[0] & 0x80 != 0 {
            return None;
        }
        units += u64::from(be32(entry, 4)?);
    }
    (units > 0).then_some(Duration { units, scale })
}

fn child(parent: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    Boxes(parent)
        .find(|found| found.name == name)
        .map(|found| found.payload)
}

/// A box whose beginning is there; its payload as far as it is.
struct Found<'a> {
    name: [u8; 4],
    payload: &'a [u8],
}

/// The boxes of a file or of a box, one after the other (ISO/IEC 14496-12 §4.2).
struct Boxes<'a>(&'a [u8]);

impl<'a> Iterator for Boxes<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        let bytes = self.0;
        let name = *bytes.get(4..)?.first_chunk()?;
        let (header, length) = match be32(bytes, 0)? {
            0 => (8, bytes.len()),
            1 => (16, usize::try_from(be64(bytes, 8)?).ok()?),
            length => (8, usize::try_from(length).ok()?),
        };
        if length < header {
            return None;
        }
        let end = length.min(bytes.len());
        self.0 = &bytes[end..];
        let payload = bytes.get(header..end)?;
        Some(Found { name, payload })
    }
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn atom(name: [u8; 4], payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len() + 8).unwrap();
        [&length.to_be_bytes()[..], &name, payload].concat()
    }

    fn track(handler: [u8; 4], scale: u32, units: u32) -> Vec<u8> {
        let header = [
            &[0; 12][..],
            &scale.to_be_bytes(),
            &units.to_be_bytes(),
            &[0; 4],
        ]
        .concat();
        let kind = [&[0; 8][..], &handler, &[0; 12]].concat();
        let media = [atom(*b"mdhd", &header), atom(*b"hdlr", &kind)].concat();
        atom(*b"trak", &atom(*b"mdia", &media))
    }

    fn file(boxes: &[Vec<u8>]) -> Vec<u8> {
        [atom(*b"ftyp", b"M4A \0\0\0\0"), boxes.concat()].concat()
    }

    #[test]
    fn kind_is_told_by_the_first_bytes() {
        let cases: [(&[u8], Option<Kind>); 10] = [
            (b"ID3\x04", Some(Kind::Mp3)),
            (b"\xff\xfb\x90\0", Some(Kind::Mp3)),
            (b"\xff\xf3\x90\0", Some(Kind::Mp3)),
            (b"\xff\xf1\x50\x80", Some(Kind::Adts)),
            (b"\0\0\0\x18ftypM4A ", Some(Kind::Mp4)),
            (b"\x1aE\xdf\xa3", Some(Kind::Matroska)),
            (b"OggS", Some(Kind::Ogg)),
            (b"\xff\xd8\xff\xe0", None),
            (b"<html>", None),
            (b"", None),
        ];
        for (start, kind) in cases {
            assert_eq!(Kind::of(start), kind, "{}", start.escape_ascii());
        }
    }

    #[test]
    fn length_is_that_of_the_sound_track() {
        let moov = atom(
            *b"moov",
            &[track(*b"vide", 30, 7), track(*b"soun", 44_100, 88_201)].concat(),
        );
        let layout = Layout::of(&file(&[moov, atom(*b"mdat", b"")])).unwrap();
        let duration = layout.duration.unwrap();
        assert_eq!((duration.units, duration.scale), (88_201, 44_100));
        assert_eq!(duration.samples(48_000), 96_002);
        assert!(layout.is_streamable);
    }

    #[test]
    fn length_of_fragments_is_that_of_their_index() {
        let moov = atom(*b"moov", &track(*b"soun", 48_000, 0));
        let mut index = [
            &[0; 8][..],
            &48_000_u32.to_be_bytes(),
            &[0; 8],
            &[0, 0, 0, 2],
        ]
        .concat();
        for units in [96_000_u32, 1] {
            index.extend([&[0; 4][..], &units.to_be_bytes(), &[0; 4]].concat());
        }
        let layout = Layout::of(&file(&[moov.clone(), atom(*b"sidx", &index)])).unwrap();
        assert_eq!(layout.duration.unwrap().units, 96_001);
        assert_eq!(Layout::of(&file(&[moov])).unwrap().duration, None);
    }

    #[test]
    fn index_behind_the_bytes_can_not_be_streamed() {
        let moov = atom(*b"moov", &track(*b"soun", 48_000, 1));
        let layout = Layout::of(&file(&[atom(*b"mdat", b"...."), moov])).unwrap();
        assert_eq!((layout.is_streamable, layout.duration), (false, None));
    }

    proptest! {
        #[test]
        fn layout_of_any_bytes_is_read_without_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            name in prop::sample::select(vec![b"moov", b"sidx", b"trak", b"mdia"]),
        ) {
            let _ = Layout::of(&file(&[atom(*name, &bytes)]));
            let _ = fragments(&bytes);
            let _ = sound_track(&bytes);
        }
    }
}
