//! What was seen, look by look.

use std::time::{Duration, Instant};

use serverrs::broadcast::flv::{Payload, Tag, TagKind};

use crate::Result;
use crate::ingest::{Got, Marks, shown_at};
use crate::lateness::Lateness;
use crate::process::{self, Look};
use crate::studio::Studio;

/// Names of the columns of [`Watch::look`].
pub(crate) const HEADER: &str = "s\tRSS KiB\tfds\tthreads\tchildren\tzombies\tdatabase KiB\tconnections\tgap ms\tlate ms\t\
                                 back\tflashes\tuneven\toffset least\tmost\tload";
/// How far apart flashes of one film, or of two films that meet, may be; milliseconds.
const EVEN: std::ops::RangeInclusive<f64> = 930.0..=1070.0;

/// One look.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    pub(crate) at: Duration,
    pub(crate) process: Look,
    /// Open descriptors, by the server's own word.
    pub(crate) descriptors: usize,
    pub(crate) database: u64,
    /// Longest time between two messages of media.
    pub(crate) gap: Duration,
    /// For how long of it the machine held up a timer of this program.
    pub(crate) late: Duration,
    /// Least and most of what a tone came later than its flash; milliseconds.
    pub(crate) offsets: Option<(f64, f64)>,
    /// Mean of them.
    pub(crate) offset: Option<f64>,
    pub(crate) load: f64,
}

/// Everything seen so far.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) samples: Vec<Sample>,
    /// Children that were dead at two looks.
    pub(crate) zombies: usize,
    pub(crate) connections: usize,
    /// Times that went back.
    pub(crate) back: usize,
    pub(crate) flashes: usize,
    /// Flashes that don't come a second after the one before.
    pub(crate) uneven: usize,
    /// Configuration records that came over all connections.
    pub(crate) records: usize,
    line: Line,
}

/// The connection that is open now.
#[derive(Debug, Default)]
struct Line {
    records: Vec<Tag>,
    /// Media from the last key frame on, and the group before.
    rest: Vec<Tag>,
    last_arrival: Option<Instant>,
    last_times: [Option<u32>; 2],
    last_flash: Option<f64>,
}

impl Sample {
    /// The longest gap without what the machine added.
    pub(crate) fn own_gap(&self) -> Duration {
        self.gap.saturating_sub(self.late)
    }
}

impl Watch {
    /// Looks at process and arrivals; a line of figures.
    pub(crate) async fn look(&mut self, studio: &mut Studio, at: Duration) -> Result<String> {
        let id = studio.server()?;
        let mut sample = Sample {
            at,
            process: Look::at(id),
            descriptors: studio.descriptors().await?,
            database: process::bytes_in(&studio.data()),
            load: process::load_average()
                .split(' ')
                .next()
                .and_then(|load| load.parse().ok())
                .unwrap_or_default(),
            ..Sample::default()
        };
        let before = self.samples.last().map(|sample| &sample.process.zombies);
        let is_old = |id: &&u32| before.is_some_and(|before| before.contains(id));
        self.zombies += sample.process.zombies.iter().filter(is_old).count();
        for (index, media) in studio.ingest.take().into_iter().enumerate() {
            if index >= self.connections {
                self.connections = index + 1;
                self.line = Line::default();
            }
            self.take(media, &mut sample, studio).await?;
        }
        let line = self.line_of(&sample);
        self.samples.push(sample);
        Ok(line)
    }

    async fn take(&mut self, media: Vec<Got>, sample: &mut Sample, studio: &Studio) -> Result<()> {
        for got in media {
            self.count(&got, sample, &studio.lateness);
            match got.tag.payload()? {
                Payload::VideoConfig | Payload::AudioConfig => {
                    self.records += 1;
                    self.line.records.push(got.tag);
                }
                Payload::Picture { .. } | Payload::Sound => self.line.rest.push(got.tag),
                Payload::Other => {}
            }
        }
        let Some((begin, end)) = self.line.whole() else {
            return Ok(());
        };
        let tags = [&self.line.records[..], &self.line.rest[..end]].concat();
        let marks = Marks::of(&tags, studio.dir.path()).await?;
        self.mark(&marks, begin, sample);
        let keep = self.line.last_group_before(end);
        self.line.rest.drain(..keep);
        Ok(())
    }

    /// Arrival and time of one message.
    fn count(&mut self, got: &Got, sample: &mut Sample, lateness: &Lateness) {
        if !matches!(
            got.tag.payload(),
            Ok(Payload::Picture { .. } | Payload::Sound)
        ) {
            return;
        }
        let last = self.line.last_arrival.replace(got.at).unwrap_or(got.at);
        if got.at - last > sample.gap {
            sample.gap = got.at - last;
            sample.late = lateness.between(last, got.at);
        }
        let kind = usize::from(got.tag.kind == TagKind::Video);
        let last = self.line.last_times[kind].replace(got.tag.timestamp_ms);
        self.back += usize::from(last > Some(got.tag.timestamp_ms));
    }

    /// Flashes from `begin` on; those before were counted with the piece before.
    fn mark(&mut self, marks: &Marks, begin: f64, sample: &mut Sample) {
        let is_new = |flash: &&f64| **flash >= begin;
        for flash in marks.flashes.iter().filter(is_new) {
            self.flashes += 1;
            if let Some(last) = self.line.last_flash.replace(*flash) {
                self.uneven += usize::from(!EVEN.contains(&(flash - last)));
            }
        }
        let offsets = marks.offsets();
        let least = offsets.iter().copied().min_by(f64::total_cmp);
        let most = offsets.iter().copied().max_by(f64::total_cmp);
        sample.offsets = least.zip(most);
        sample.offset = least.map(|_| offsets.iter().sum::<f64>() / offsets.len() as f64);
    }

    fn line_of(&self, sample: &Sample) -> String {
        let Sample {
            process, offsets, ..
        } = sample;
        let (least, most) = offsets.unwrap_or((f64::NAN, f64::NAN));
        format!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{least:.0}\t{most:.0}\t{:.1}",
            sample.at.as_secs(),
            process.resident / 1024,
            sample.descriptors,
            process.threads,
            process.children,
            process.zombies.len(),
            sample.database / 1024,
            self.connections,
            sample.gap.as_millis(),
            sample.late.as_millis(),
            self.back,
            self.flashes,
            self.uneven,
            sample.load,
        )
    }
}

impl Line {
    /// What can be decoded: when its first new picture is shown, and its end, the last key frame. The group before is
    /// decoded once more, so that a decoder of sound has begun when a tone does.
    fn whole(&self) -> Option<(f64, usize)> {
        let keys = self.keys();
        let end = *keys.last()?;
        let is_first = self.last_flash.is_none();
        let begin = *keys.get(usize::from(!is_first))?;
        (end > begin).then(|| (shown_at(&self.rest[begin]), end))
    }

    fn last_group_before(&self, end: usize) -> usize {
        let before = self.keys().into_iter().rfind(|key| *key < end);
        before.unwrap_or(0)
    }

    /// Places of key frames.
    fn keys(&self) -> Vec<usize> {
        let is_key = |tag: &Tag| matches!(tag.payload(), Ok(Payload::Picture { is_key: true }));
        let places = self.rest.iter().enumerate();
        places
            .filter(|(_, tag)| is_key(tag))
            .map(|(place, _)| place)
            .collect()
    }
}
