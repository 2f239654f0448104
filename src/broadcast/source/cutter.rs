//! From tags to whole groups of pictures with clean times.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::collections::VecDeque;

use bytes::Bytes;

use super::gop::{Frame, Gop, Headers};
use super::{SourceError, SourceOptions};
use crate::broadcast::flv::{AacConfig, Payload, Tag, TagKind};

/// Nanoseconds in a millisecond, the unit of tags.
const MS: i64 = 1_000_000;
/// A step of the pictures beyond this is no frame rate but a hole, and is closed up.
const MAX_STEP: i64 = 5_000 * MS;
/// A step back by more than this is another clock, not disorder.
const MAX_STEP_BACK: i64 = 1_000 * MS;
/// How far sound may be ahead of the pictures.
const MAX_SOUND_AHEAD: i64 = 2_000 * MS;
/// How far sound may be behind the pictures before a group is closed without waiting for it.
const MAX_SOUND_BEHIND: i64 = 500 * MS;
/// How far a time may lie beside its place on the grid of an even rate: tags are rounded to milliseconds.
const ROUNDING: i64 = MS;
/// A group longer than this is not waited for.
const MAX_GOP: i64 = 30_000 * MS;
/// Length of a picture when nothing tells it.
const DEFAULT_PICTURE: i64 = 33 * MS;

/// Collects the tags of one item.
#[derive(Debug)]
pub(super) struct Cutter {
    options: SourceOptions,
    video_config: Option<Bytes>,
    audio_config: Option<Bytes>,
    sound: Option<AacConfig>,
    clock: Clock,
    /// Groups that are not closed, the youngest still growing; their `end` is not known yet.
    open: VecDeque<Gop>,
    /// Sound of them.
    audio: VecDeque<Frame>,
    last_video: Option<i64>,
    last_audio: Option<i64>,
    /// Where the sound began, for its grid.
    first_audio: Option<i64>,
    /// Length of the picture before the last one.
    step: i64,
    open_bytes: usize,
    /// Tags that could not be used: before the first key frame, out of order, or too far ahead.
    pub(super) unusable: u64,
}

impl Cutter {
    pub(super) fn new(options: SourceOptions) -> Self {
        Self {
            options,
            video_config: None,
            audio_config: None,
            sound: None,
            clock: Clock::default(),
            open: VecDeque::new(),
            audio: VecDeque::new(),
            last_video: None,
            last_audio: None,
            first_audio: None,
            step: DEFAULT_PICTURE,
            open_bytes: 0,
            unusable: 0,
        }
    }

    /// Begins with another file, which must have the same records. Returns the sound that belongs to no whole group.
    pub(super) fn restart(&mut self) -> Vec<Frame> {
        let sound = std::mem::take(&mut self.audio);
        let mut options = std::mem::take(&mut self.options);
        options.headers = self.headers().or(options.headers);
        let unusable = self.unusable;
        *self = Self {
            unusable,
            ..Self::new(options)
        };
        sound.into()
    }

    /// Bytes of groups that are not closed.
    pub(super) fn open_bytes(&self) -> usize {
        self.open_bytes
    }

    /// Both records, once they are known.
    pub(super) fn headers(&self) -> Option<Headers> {
        Some(Headers {
            video: self.video_config.clone()?,
            audio: self.audio_config.clone()?,
        })
    }

    /// Takes the next tag, and gives the groups that it closes to `out`.
    pub(super) fn push(&mut self, tag: Tag, out: &mut VecDeque<Gop>) -> Result<(), SourceError> {
        match tag.payload()? {
            Payload::VideoConfig | Payload::AudioConfig => return self.configure(&tag),
            Payload::Picture { is_key } => self.picture(tag, is_key)?,
            Payload::Sound => self.sound(tag),
            Payload::Other => {}
        }
        while let Some(end) = self.complete() {
            out.extend(self.close(end));
        }
        let most = self.options.limits.bytes.saturating_mul(2);
        if self.open_bytes > most || self.open_length() > MAX_GOP {
            return Err(SourceError::GopTooLong);
        }
        Ok(())
    }

    /// Media time of groups that are not closed.
    fn open_length(&self) -> i64 {
        let start = self.open.front().map(Gop::start);
        start
            .zip(self.last_video)
            .map_or(0, |(start, last)| last.saturating_sub(start))
    }

    /// The item ended well: what is open is played too, all its sound with it.
    pub(super) fn finish(&mut self, out: &mut VecDeque<Gop>) {
        let before = out.len();
        self.flush(out);
        let tail = std::mem::take(&mut self.audio);
        if out.len() > before
            && let Some(last) = out.back_mut()
        {
            last.audio.extend(tail);
        }
    }

    /// The file ended well: what is open is closed. Sound behind the last picture stays.
    pub(super) fn flush(&mut self, out: &mut VecDeque<Gop>) {
        while let Some(next) = self.open.get(1).map(Gop::start) {
            out.extend(self.close(next));
        }
        if let Some(last) = self.last_video {
            let end = last.saturating_add(self.picture_ns());
            out.extend(self.close(end));
        }
    }

    fn configure(&mut self, tag: &Tag) -> Result<(), SourceError> {
        let expected = self.options.headers.as_ref();
        let (slot, expected) = match tag.kind {
            TagKind::Audio => {
                self.sound = Some(AacConfig::parse(&tag.data)?);
                (&mut self.audio_config, expected.map(|all| &all.audio))
            }
            _ => (&mut self.video_config, expected.map(|all| &all.video)),
        };
        let known = slot.as_ref().or(expected);
        if known.is_some_and(|known| *known != tag.data) {
            return Err(SourceError::HeadersDiffer);
        }
        // Copied, so that these few bytes don't keep what was read along with them.
        *slot = Some(Bytes::copy_from_slice(&tag.data));
        let (Some(agreed), Some(headers)) = (&self.options.agreed, self.headers()) else {
            return Ok(());
        };
        if *agreed.get_or_init(|| headers.clone()) == headers {
            return Ok(());
        }
        Err(SourceError::HeadersDiffer)
    }

    fn picture(&mut self, tag: Tag, is_key: bool) -> Result<(), SourceError> {
        if self.video_config.is_none() {
            return Err(SourceError::NoHeader);
        }
        if self.open.is_empty() && !is_key {
            self.unusable = self.unusable.saturating_add(1);
            return Ok(());
        }
        let at = self.picture_time(tag.timestamp_ms);
        let frame = Frame { at, data: tag.data };
        self.open_bytes = self.open_bytes.saturating_add(frame.cost());
        match self.open.back_mut().filter(|_| !is_key) {
            Some(gop) => gop.video.push(frame),
            None => self.open.push_back(Gop {
                video: vec![frame],
                audio: Vec::new(),
                end: at,
                headers: Headers::default(),
            }),
        }
        Ok(())
    }

    /// The time of a picture: on one clock, after the picture before, on the grid of the profile's frame rate.
    fn picture_time(&mut self, timestamp_ms: u32) -> i64 {
        let Some(last) = self.last_video else {
            self.begin(timestamp_ms);
            return 0;
        };
        let mut raw = self.clock.read(timestamp_ms);
        let believable = last.saturating_sub(MAX_STEP_BACK)..=last.saturating_add(MAX_STEP);
        if !believable.contains(&raw) {
            raw = last.saturating_add(self.picture_ns());
        }
        self.clock.anchor(timestamp_ms, raw);
        let rate = self.options.fps.map(i64::from);
        let even = rate.map_or(raw, |fps| on_grid(raw, 1_000_000_000, fps));
        let at = even.max(last.saturating_add(MS));
        self.step = at.saturating_sub(last);
        self.last_video = Some(at);
        at
    }

    /// Makes the first picture's time zero.
    fn begin(&mut self, timestamp_ms: u32) {
        let early = self.clock.read(timestamp_ms);
        self.clock.anchor(timestamp_ms, 0);
        // Sound that came first was put down on a clock of its own.
        for frame in &mut self.audio {
            frame.at = frame.at.saturating_sub(early);
        }
        self.audio.retain(|frame| frame.at > -ROUNDING);
        self.open_bytes = self.audio.iter().map(Frame::cost).sum();
        self.last_audio = self.audio.back().map(|frame| frame.at);
        self.first_audio = self.audio.front().map(|frame| frame.at);
        self.last_video = Some(0);
    }

    fn sound(&mut self, tag: Tag) {
        let Some(config) = self.sound else {
            self.unusable = self.unusable.saturating_add(1);
            return;
        };
        let raw = self.clock.read(tag.timestamp_ms);
        if self.clock.anchor.is_none() {
            self.clock.anchor(tag.timestamp_ms, 0);
        }
        // The clock has no zero yet: what came first says how far apart sound may be.
        let pictures = self
            .last_video
            .or_else(|| Some(self.audio.front()?.at))
            .unwrap_or(raw);
        let first = *self.first_audio.get_or_insert(raw);
        let samples = i64::from(config.frame_samples).saturating_mul(1_000_000_000);
        let since = raw.saturating_sub(first);
        let at = first.saturating_add(on_grid(since, samples, config.sample_rate.into()));
        let is_late = (self.last_audio).is_some_and(|last| at < last.saturating_add(MS));
        if is_late || at < -ROUNDING || at > pictures.saturating_add(MAX_SOUND_AHEAD) {
            self.unusable = self.unusable.saturating_add(1);
            return;
        }
        self.last_audio = Some(at);
        let frame = Frame { at, data: tag.data };
        self.open_bytes = self.open_bytes.saturating_add(frame.cost());
        self.audio.push_back(frame);
    }

    /// Length of a picture in this item.
    fn picture_ns(&self) -> i64 {
        let fps = self.options.fps.map(i64::from);
        let even = fps.and_then(|fps| 1_000_000_000_i64.checked_div(fps));
        even.unwrap_or(self.step)
    }

    /// Where the oldest group ends, once it is whole and so is its sound.
    fn complete(&self) -> Option<i64> {
        let end = self.open.get(1)?.start();
        let has_sound = self.last_audio.is_some_and(|at| at >= end);
        let is_overdue = self
            .last_video
            .is_some_and(|at| at >= end.saturating_add(MAX_SOUND_BEHIND));
        (has_sound || is_overdue).then_some(end)
    }

    fn close(&mut self, end: i64) -> Option<Gop> {
        let mut gop = self.open.pop_front()?;
        let expected = || self.options.headers.clone();
        gop.headers = self.headers().or_else(expected).unwrap_or_default();
        let sounds = self.audio.partition_point(|frame| frame.at < end);
        gop.audio = self.audio.drain(..sounds).collect();
        gop.end = end;
        self.open_bytes = self.open_bytes.saturating_sub(gop.bytes());
        Some(gop)
    }
}

/// `at` on the nearest multiple of `step / rate` nanoseconds, or as it is when that is further away than rounding to
/// milliseconds explains.
fn on_grid(at: i64, step: i64, rate: i64) -> i64 {
    let (at_wide, step, rate) = (i128::from(at), i128::from(step), i128::from(rate));
    let middle = at_wide.checked_mul(rate).zip(step.checked_div(2));
    let middle = middle.and_then(|(place, half)| place.checked_add(half));
    let index = middle.and_then(|place| place.checked_div_euclid(step));
    let even = index.and_then(|index| index.checked_mul(step)?.checked_div(rate));
    let even = even.and_then(|even| i64::try_from(even).ok());
    even.filter(|even| even.abs_diff(at) <= ROUNDING.unsigned_abs())
        .unwrap_or(at)
}

/// The tags' 32-bit milliseconds as nanoseconds since the first picture, counted from the picture before: so a time
/// that is nonsense leaves no trace.
#[derive(Debug, Default)]
struct Clock {
    /// A tag's own time, and where it lies.
    anchor: Option<(u32, i64)>,
}

impl Clock {
    /// Follows the 32 bits over their end; the shorter way round is the one that was gone.
    fn read(&self, timestamp_ms: u32) -> i64 {
        let (tag, at) = self.anchor.unwrap_or((timestamp_ms, 0));
        let since = i64::from(timestamp_ms.wrapping_sub(tag).cast_signed());
        at.saturating_add(since.saturating_mul(MS))
    }

    fn anchor(&mut self, timestamp_ms: u32, at: i64) {
        self.anchor = Some((timestamp_ms, at));
    }
}
