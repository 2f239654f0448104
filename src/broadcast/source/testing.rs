//! Items made in code, for tests.

use bytes::Bytes;

use super::Headers;
use crate::broadcast::flv::{Tag, TagKind, write_header, write_tag};

/// Records of a decoder that no decoder knows, and of 48 kHz stereo.
pub(in crate::broadcast) fn headers() -> Headers {
    Headers {
        video: Bytes::from_static(&[0x17, 0, 0, 0, 0, 1, 77, 64, 31]),
        audio: Bytes::from_static(&[0xaf, 0, 0x11, 0x90]),
    }
}

/// An item as a normaliser writes it: an even frame rate, a key frame every `gop` pictures, sound at 48 kHz that
/// begins `sound_ms` after the pictures; times rounded to milliseconds.
#[derive(Debug, Clone, Copy)]
pub(in crate::broadcast) struct Make {
    /// Marks the data of this item.
    pub(in crate::broadcast) mark: u8,
    pub(in crate::broadcast) pictures: u32,
    pub(in crate::broadcast) fps: u32,
    pub(in crate::broadcast) gop: u32,
    pub(in crate::broadcast) sound_ms: u32,
    pub(in crate::broadcast) sounds: u32,
    /// The first tag's time.
    pub(in crate::broadcast) from_ms: u32,
}

impl Make {
    /// 30 pictures a second, a key frame every 2 s, sound after 46 ms and as long as the pictures.
    pub(in crate::broadcast) fn item(mark: u8, pictures: u32) -> Self {
        Self {
            mark,
            pictures,
            fps: 30,
            gop: 60,
            sound_ms: 46,
            sounds: (pictures * 1600).div_ceil(1024),
            from_ms: 0,
        }
    }

    /// Its tags without records, in the order of their times.
    pub(in crate::broadcast) fn tags(self) -> Vec<Tag> {
        let rounded = |index: u32, unit: u32, rate: u32| {
            let exact = f64::from(index) * f64::from(unit) * 1000.0 / f64::from(rate);
            exact.round()
        };
        let pictures = (0..self.pictures).map(|index| {
            let first = if index % self.gop == 0 { 0x17 } else { 0x27 };
            let body = [first, 1, 0, 0, 0, self.mark];
            (rounded(index, 1, self.fps), TagKind::Video, body, index)
        });
        let sounds = (0..self.sounds).map(|index| {
            let at = rounded(index, 1024, 48_000) + f64::from(self.sound_ms);
            (at, TagKind::Audio, [0xaf, 1, 0, 0, 0, self.mark], index)
        });
        let mut all: Vec<_> = pictures.chain(sounds).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all.into_iter()
            .map(|(at, kind, head, index)| Tag {
                kind,
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "small"
                )]
                timestamp_ms: self.from_ms.wrapping_add(at as u32),
                data: [&head[..], &index.to_be_bytes()].concat().into(),
            })
            .collect()
    }

    /// Its file.
    pub(in crate::broadcast) fn flv(self) -> Vec<u8> {
        file(&self.tags())
    }
}

/// A file of these tags, with the records before them.
pub(in crate::broadcast) fn file(tags: &[Tag]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_header(&mut bytes);
    let headers = headers();
    for (kind, data) in [
        (TagKind::Video, headers.video),
        (TagKind::Audio, headers.audio),
    ] {
        write_tag(
            &Tag {
                kind,
                timestamp_ms: 0,
                data,
            },
            &mut bytes,
        );
    }
    for tag in tags {
        write_tag(tag, &mut bytes);
    }
    bytes
}
