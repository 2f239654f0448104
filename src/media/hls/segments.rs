//! Media playlists (RFC 8216 §4.3.2, §4.3.3): segments, one after the other.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::Url;

use super::attributes::number;
use super::crypt::Key;
use super::{Addresses, Attributes, HlsError};

/// Segments of a playlist: a day of such as are a few seconds long.
const MOST: usize = 20_000;
/// Seconds of a segment.
const LONGEST: u64 = 600;
/// Bytes of a date.
const MAX_DATE: usize = 40;

/// A list of segments.
#[derive(Debug, Clone, PartialEq)]
pub struct Segments {
    /// No segment is longer, rounded to whole seconds; at least a second.
    pub target: Duration,
    /// Numbers follow each other without a hole.
    pub list: Vec<Segment>,
    /// Whether no further one will come.
    pub is_ended: bool,
}

/// A piece of what is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its place since the beginning; the same in every later reading of the playlist.
    pub number: u64,
    /// Where it is.
    pub url: Url,
    /// The part of what is there; `None` for all of it. Never empty.
    pub part: Option<Range<u64>>,
    /// How long it lasts.
    pub duration: Duration,
    /// When what it shows was recorded, since 1970; where the playlist tells it of any segment without a break between.
    pub date: Option<Duration>,
    /// Whether its times don't go on from those before.
    pub is_discontinuity: bool,
    /// Whether it is missing (`EXT-X-GAP`), so that it is not to be asked for.
    pub is_gap: bool,
    /// What a reader needs before it.
    pub map: Option<Arc<Map>>,
    /// What it is encrypted under.
    pub key: Option<Arc<Key>>,
}

/// The initialisation of segments (`EXT-X-MAP`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    /// Where it is.
    pub url: Url,
    /// The part of what is there; `None` for all of it. Never empty.
    pub part: Option<Range<u64>>,
    /// What it is encrypted under; that has an initialisation vector then.
    pub key: Option<Arc<Key>>,
}

/// Reads a media playlist line by line.
#[derive(Default)]
pub(super) struct Reader {
    list: Vec<Segment>,
    target: Option<Duration>,
    first: u64,
    is_ended: bool,
    map: Option<Arc<Map>>,
    key: Encryption,
    /// The date of the next entry.
    date: Option<Duration>,
    /// What the next entry is said to be.
    duration: Option<Duration>,
    length: Option<Length>,
    is_discontinuity: bool,
    is_gap: bool,
}

/// How the next entry is encrypted.
#[derive(Debug, Clone, Default)]
enum Encryption {
    #[default]
    None,
    Known(Arc<Key>),
    Unknown,
}

/// A part whose file is not known yet: bytes, and where they begin unless behind those of the segment before.
type Length = (u64, Option<u64>);

impl Reader {
    pub(super) fn tag(
        &mut self,
        name: &str,
        value: &str,
        addresses: &mut Addresses<'_>,
    ) -> Result<(), HlsError> {
        match name {
            "EXTINF" => self.duration = Some(duration(value)?),
            "EXT-X-TARGETDURATION" => {
                let seconds = number(value.trim()).filter(|seconds| *seconds <= LONGEST);
                let seconds = seconds.ok_or(HlsError::Tag("EXT-X-TARGETDURATION"))?;
                self.target = Some(Duration::from_secs(seconds.max(1)));
            }
            "EXT-X-MEDIA-SEQUENCE" => {
                let first = number(value.trim());
                let first = first.filter(|first| first.checked_add(MOST as u64).is_some());
                self.first = first.ok_or(HlsError::Tag("EXT-X-MEDIA-SEQUENCE"))?;
            }
            "EXT-X-BYTERANGE" => self.length = Some(length(value, "EXT-X-BYTERANGE")?),
            "EXT-X-DISCONTINUITY" => (self.is_discontinuity, self.date) = (true, None),
            "EXT-X-PROGRAM-DATE-TIME" => self.date = date(value),
            "EXT-X-GAP" => self.is_gap = true,
            "EXT-X-ENDLIST" => self.is_ended = true,
            "EXT-X-I-FRAMES-ONLY" => return Err(HlsError::PicturesOnly),
            "EXT-X-MAP" => {
                let key = self.key()?;
                if key.as_ref().is_some_and(|key| key.iv.is_none()) {
                    return Err(HlsError::Tag("EXT-X-KEY"));
                }
                self.map = Some(Arc::new(Map {
                    key,
                    ..map(value, addresses)?
                }));
            }
            "EXT-X-KEY" => {
                let attributes = Attributes::read(value, "EXT-X-KEY")?;
                self.key = match (attributes.text("METHOD"), attributes.text("KEYFORMAT")) {
                    (Some("NONE"), _) => Encryption::None,
                    (Some("AES-128"), None | Some("identity")) => {
                        Encryption::Known(Arc::new(Key::read(&attributes, addresses)?))
                    }
                    _ => Encryption::Unknown,
                };
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether a later reading will name more.
    pub(super) fn goes_on(&self) -> bool {
        !self.is_ended
    }

    pub(super) fn entry(&mut self, url: Url) -> Result<(), HlsError> {
        if self.list.len() >= MOST {
            return Err(HlsError::TooMany("segments"));
        }
        let duration = self.duration.take().ok_or(HlsError::Entry)?;
        let key = self.key()?;
        let part = match self.length.take() {
            None => None,
            Some((length, at)) => {
                let tag = HlsError::Tag("EXT-X-BYTERANGE");
                let at = at.or_else(|| self.behind(&url)).ok_or(tag)?;
                Some(at..at.checked_add(length).ok_or(tag)?)
            }
        };
        self.list.push(Segment {
            // Set once the whole playlist is read: the tag may stand anywhere before the first entry.
            number: 0,
            url,
            part,
            duration,
            date: self.date,
            is_discontinuity: std::mem::take(&mut self.is_discontinuity),
            is_gap: std::mem::take(&mut self.is_gap),
            map: self.map.clone(),
            key,
        });
        self.date = self.date.and_then(|date| date.checked_add(duration));
        Ok(())
    }

    /// What the next entry is encrypted under.
    fn key(&self) -> Result<Option<Arc<Key>>, HlsError> {
        match &self.key {
            Encryption::None => Ok(None),
            Encryption::Known(key) => Ok(Some(Arc::clone(key))),
            Encryption::Unknown => Err(HlsError::Encrypted),
        }
    }

    /// The byte behind the segment before, where that is a part of the same file.
    fn behind(&self, url: &Url) -> Option<u64> {
        let last = self.list.last().filter(|last| last.url == *url)?;
        last.part.as_ref().map(|part| part.end)
    }

    /// `None` when it is none.
    pub(super) fn finish(mut self) -> Result<Option<Segments>, HlsError> {
        let Some(target) = self.target else {
            let is_none = self.list.is_empty() && self.duration.is_none();
            return is_none
                .then_some(None)
                .ok_or(HlsError::Tag("EXT-X-TARGETDURATION"));
        };
        for (segment, number) in self.list.iter_mut().zip(self.first..) {
            segment.number = number;
        }
        self.date_backwards();
        Ok(Some(Segments {
            target,
            list: self.list,
            is_ended: self.is_ended,
        }))
    }
}

impl Reader {
    /// Dates what stands before the first date, as RFC 8216 §4.3.2.6 allows.
    fn date_backwards(&mut self) {
        let mut behind = None;
        for segment in self.list.iter_mut().rev() {
            let date = behind.and_then(|date: Duration| date.checked_sub(segment.duration));
            segment.date = segment.date.or(date);
            behind = segment.date.filter(|_| !segment.is_discontinuity);
        }
    }
}

/// A date in the form of ISO 8601, since 1970; `None` for another text, since it is a hint and no more.
fn date(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text.len() > MAX_DATE || !text.is_ascii() {
        return None;
    }
    // FFmpeg writes the offset from UTC without its colon.
    let (front, minutes) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let sign = front
        .len()
        .checked_sub(3)
        .and_then(|place| front.as_bytes().get(place));
    let date = match sign {
        Some(b'+' | b'-') => OffsetDateTime::parse(&format!("{front}:{minutes}"), &Rfc3339),
        _ => OffsetDateTime::parse(text, &Rfc3339),
    };
    let nanos = u64::try_from(date.ok()?.unix_timestamp_nanos()).ok()?;
    Some(Duration::from_nanos(nanos))
}

fn map(value: &str, addresses: &mut Addresses<'_>) -> Result<Map, HlsError> {
    const TAG: &str = "EXT-X-MAP";
    let attributes = Attributes::read(value, TAG)?;
    let url = addresses.of(&attributes)?.ok_or(HlsError::Tag(TAG))?;
    let part = match attributes.text("BYTERANGE") {
        None => None,
        Some(text) => {
            let (length, at) = length(text, TAG)?;
            let at = at.unwrap_or(0);
            Some(at..at.checked_add(length).ok_or(HlsError::Tag(TAG))?)
        }
    };
    Ok(Map {
        url,
        part,
        key: None,
    })
}

/// `n[@o]`, of at least one byte.
fn length(text: &str, tag: &'static str) -> Result<Length, HlsError> {
    let text = text.trim();
    let (length, at) = match text.split_once('@') {
        Some((length, at)) => (length, Some(number(at).ok_or(HlsError::Tag(tag))?)),
        None => (text, None),
    };
    let length = number(length).filter(|length| *length > 0);
    Ok((length.ok_or(HlsError::Tag(tag))?, at))
}

/// Seconds, whole or with a fraction, before the comma.
fn duration(text: &str) -> Result<Duration, HlsError> {
    const TAG: HlsError = HlsError::Tag("EXTINF");
    let seconds = text.split(',').next().unwrap_or_default().trim();
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let whole = number(whole).filter(|whole| *whole <= LONGEST);
    let whole = Duration::from_secs(whole.ok_or(TAG)?);
    if fraction.is_empty() {
        return Ok(whole);
    }
    let digits = fraction.get(..fraction.len().min(9)).ok_or(TAG)?;
    let nanos = number(&format!("{digits:0<9}")).ok_or(TAG)?;
    Ok(whole.saturating_add(Duration::from_nanos(nanos)))
}
