//! What a sound track is, and how long, by its own bytes. Pure.

use super::movie::{Duration, Movie};

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
            [b'I', b'D', b'3', _, _, _, a, b, c, d, rest @ ..] => {
                Some(Self::behind_tag([*a, *b, *c, *d], rest))
            }
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

    /// Whether so much of a file tells all that [`Kind::of`] can: what stands behind a long tag may not be there yet.
    pub fn is_told_by(start: &[u8]) -> bool {
        let Some([b'I', b'D', b'3', _, _, _, length @ ..]) = start.first_chunk::<10>() else {
            return true;
        };
        start.len() > 10 + tag_length(*length) + 1
    }

    /// What stands behind an ID3 tag of this length: MP3, unless it is there and is AAC.
    fn behind_tag(length: [u8; 4], rest: &[u8]) -> Self {
        match rest.get(tag_length(length)..) {
            Some([0xff, second, ..]) if second & 0xf6 == 0xf0 => Self::Adts,
            _ => Self::Mp3,
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

/// Bytes of an ID3 tag behind its head (ID3v2.3 §3.1): seven bits in each byte.
fn tag_length(length: [u8; 4]) -> usize {
    let bits = |sum, byte: &u8| (sum << 7) | usize::from(byte & 0x7f);
    length.iter().fold(0, bits)
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

impl Layout {
    /// MP3 of which nothing else is known.
    pub const MP3: Self = Self {
        kind: Kind::Mp3,
        duration: None,
        is_streamable: true,
    };

    /// Reads the beginning of a file; `None` when it is no sound that is known.
    pub fn of(start: &[u8]) -> Option<Self> {
        let kind = Kind::of(start)?;
        let movie = (kind == Kind::Mp4).then(|| Movie::of(start)).flatten();
        Some(Self {
            kind,
            duration: movie.as_ref().and_then(Movie::sound),
            is_streamable: kind != Kind::Mp4 || movie.is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::movie::tests::file;

    #[test]
    fn kind_is_told_by_the_first_bytes() {
        let cases: [(&[u8], Option<Kind>); 13] = [
            (b"ID3\x04\0\0\0\0\0\x02", Some(Kind::Mp3)),
            (b"ID3\x04\0\0\0\0\0\x02..\xff\xfb", Some(Kind::Mp3)),
            (b"ID3\x04\0\0\0\0\0\x02..\xff\xf1", Some(Kind::Adts)),
            (b"ID3\x04", None),
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
    fn long_tag_hides_what_stands_behind_it() {
        let tagged = b"ID3\x04\0\0\0\0\x01\x02";
        let all = [&tagged[..], &[0; 130], b"\xff\xf1"].concat();
        assert_eq!(Kind::of(&all), Some(Kind::Adts));
        assert!(Kind::is_told_by(&all) && !Kind::is_told_by(&all[..141]));
        assert!(Kind::is_told_by(b"OggS") && Kind::is_told_by(b"ID3"));
    }

    #[test]
    fn index_behind_the_bytes_can_not_be_streamed() {
        let front = Layout::of(&file(&[])).unwrap();
        assert_eq!((front.is_streamable, front.duration), (true, None));
        let behind = [b"\0\0\0\x08ftyp\0\0\0\x08mdat".to_vec(), file(&[])].concat();
        let behind = Layout::of(&behind).unwrap();
        assert_eq!((behind.is_streamable, behind.duration), (false, None));
        assert!(Layout::of(b"OggS").unwrap().is_streamable);
    }
}
