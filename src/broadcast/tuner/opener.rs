//! Segments as they are handed on: read, with what stands before them, and decrypted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::Side;
use super::channel::Channel;
use crate::media::hls::{Key, Map, Secret, Segment};
use crate::services::{Arrived, Held, LiveError, Reading};

/// Why a segment was not read.
pub(super) enum Unread {
    /// It did not come.
    Live(LiveError),
    /// More of it is on its way.
    Slow,
    /// It is not what it should be.
    Segment(&'static str),
}

impl From<LiveError> for Unread {
    fn from(error: LiveError) -> Self {
        Self::Live(error)
    }
}

/// What was read, decrypted where that is needed; `number` is that of the segment.
async fn opened(bytes: Held, secret: Option<Secret>, number: u64) -> Result<Bytes, Unread> {
    let Some(secret) = secret else {
        return Ok(bytes.freeze());
    };
    let opening = spawn_blocking(move || {
        let mut bytes = bytes;
        secret
            .open(bytes.bytes_mut(), number)
            .then(|| bytes.freeze())
    });
    let opened = opening.await.ok().flatten();
    opened.ok_or(Unread::Segment("encrypted under another key"))
}

/// See the module. What was read last besides segments is kept: it holds for many of them.
pub(super) struct Opener {
    map: Option<(Arc<Map>, Bytes)>,
    key: Option<(Arc<Key>, Secret)>,
    /// A segment that has come in part.
    part: Option<Reading>,
    arrived: Arrived,
    /// Since when that segment is read, and since when the time for it was not accounted for.
    began: Instant,
    since: Instant,
}

impl Opener {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            map: None,
            key: None,
            part: None,
            arrived: Arrived::default(),
            began: now,
            since: now,
        }
    }

    /// How much is held of the segment that is being read.
    pub(super) fn arrived(&self) -> &Arrived {
        &self.arrived
    }

    /// How long it was read, since this was asked last.
    pub(super) fn take_spent(&mut self) -> Duration {
        let spent = self.since.elapsed();
        self.since = Instant::now();
        spent
    }

    /// How long it has been read.
    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Forgets what has come of it.
    pub(super) fn leave(&mut self) {
        self.part = None;
        self.arrived.set(0);
    }

    /// Reads the key of a segment, what stands before it, and the segment, for a while. May be dropped while it waits:
    /// what has come of the segment is kept until another one is read.
    ///
    /// # Errors
    /// [`Unread`].
    pub(super) async fn read(
        &mut self,
        channel: &Channel,
        segment: &Segment,
        side: Side,
    ) -> Result<(Option<(Arc<Map>, Bytes)>, Bytes), Unread> {
        self.begin(channel, segment);
        let read = self.read_on(channel, segment, side).await;
        if matches!(read, Err(Unread::Segment(_))) {
            // Another key may lie there by now, or something better than what stands before it.
            (self.key, self.map) = (None, None);
        }
        if !matches!(read, Err(Unread::Slow)) {
            self.leave();
        }
        read
    }

    /// Begins to read this segment, unless it is the one that is being read.
    fn begin(&mut self, channel: &Channel, segment: &Segment) {
        let is_it = |part: &Reading| part.is_of(&segment.url, segment.part.as_ref());
        if !self.part.as_ref().is_some_and(is_it) {
            self.leave();
            self.part = Some(channel.segment(segment, self.arrived.clone()));
            self.began = Instant::now();
            self.since = self.began;
        }
    }

    async fn read_on(
        &mut self,
        channel: &Channel,
        segment: &Segment,
        side: Side,
    ) -> Result<(Option<(Arc<Map>, Bytes)>, Bytes), Unread> {
        if self.map.as_ref().map(|(map, _)| map) != segment.map.as_ref() {
            self.map = match &segment.map {
                Some(map) => {
                    let secret = self.secret(channel, map.key.as_ref()).await?;
                    let bytes = channel.read_map(map).await?;
                    let bytes = opened(bytes, secret, 0).await?;
                    Some((Arc::clone(map), media(bytes, side)?))
                }
                None => None,
            };
        }
        let secret = self.secret(channel, segment.key.as_ref()).await?;
        if let Some(part) = &mut self.part
            && !channel.go_on(part).await?
        {
            return Err(Unread::Slow);
        }
        let bytes = self.part.take().map(Reading::into_held);
        let bytes = bytes.ok_or(Unread::Slow)?;
        let bytes = opened(bytes, secret, segment.number).await?;
        Ok((self.map.clone(), media(bytes, side)?))
    }

    /// What a key names; it is read once.
    async fn secret(
        &mut self,
        channel: &Channel,
        key: Option<&Arc<Key>>,
    ) -> Result<Option<Secret>, Unread> {
        let Some(key) = key else {
            return Ok(None);
        };
        if let Some((known, secret)) = &self.key
            && known.url == key.url
        {
            return Ok(Some(secret.with(key.iv)));
        }
        let secret = channel.read_key(key).await?;
        let secret = secret.ok_or(Unread::Segment("encrypted under what is no key"))?;
        self.key = Some((Arc::clone(key), secret.clone()));
        Ok(Some(secret.with(key.iv)))
    }
}

/// The same bytes, if they are media.
fn media(bytes: Bytes, side: Side) -> Result<Bytes, Unread> {
    let is_media = is_media(&bytes, side);
    is_media.then_some(bytes).ok_or(Unread::Segment("no media"))
}

/// Whether bytes begin as media do that are sent in segments: MPEG-TS, MP4, and for sound alone AAC (RFC 8216 §3).
fn is_media(bytes: &Bytes, side: Side) -> bool {
    const BOXES: [&[u8]; 6] = [b"ftyp", b"styp", b"sidx", b"moof", b"emsg", b"prft"];
    let is_ts = bytes.first() == Some(&0x47) && bytes.get(188).is_none_or(|byte| *byte == 0x47);
    let is_mp4 = bytes.get(4..8).is_some_and(|kind| BOXES.contains(&kind));
    let is_adts = matches!(bytes.get(..2), Some([0xff, second]) if second & 0xf6 == 0xf0);
    let is_aac = side == Side::Sound && (is_adts || bytes.starts_with(b"ID3"));
    is_ts || is_mp4 || is_aac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_are_told_from_other_bytes() {
        let ts = [&[0x47_u8][..], &[0; 187], &[0x47], &[0; 187]].concat();
        let broken = [&[0x47_u8][..], &[0; 400]].concat();
        let sound = [0xff_u8, 0xf1, 0x50, 0x80];
        for (bytes, side, is_so) in [
            (&ts[..], Side::Picture, true),
            (&broken[..], Side::Picture, false),
            (b"\0\0\0\x18ftypmp42", Side::Picture, true),
            (b"\0\0\0\x18moof", Side::Sound, true),
            (&sound, Side::Sound, true),
            (&sound, Side::Picture, false),
            (b"ID3\x04", Side::Sound, true),
            (b"#EXTM3U\n", Side::Picture, false),
            (b"<html>", Side::Sound, false),
            (b"", Side::Picture, false),
        ] {
            let bytes = Bytes::copy_from_slice(bytes);
            assert_eq!(is_media(&bytes, side), is_so, "{bytes:?}");
        }
    }
}
