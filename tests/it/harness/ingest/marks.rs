//! Flashes and tones (those of `film.rs`) in what arrived, at the times at which a player shows and plays them.

use std::io;
use std::path::Path;
use std::process::Stdio;

use serverrs::broadcast::flv::{Payload, Tag, TagKind, write_header, write_tag};
use tokio::process::Command;

/// Samples a second, and of one frame of AAC.
const RATE: usize = 48_000;
const FRAME: usize = 1024;
/// Samples of a millisecond.
const MS: usize = RATE / 1000;
/// Loudest sample of a millisecond that counts as tone: a quarter of what the films have.
const LOUD: u16 = 4096;
/// Milliseconds of silence before what counts as a tone.
const SILENCE: usize = 100;
/// How far apart, in milliseconds, a flash and its tone are looked for.
const APART: f64 = 400.0;

/// Level above which a picture is taken for a flash.
const BRIGHT: u8 = 70;
/// Pictures from the beginning of a flash to where its level is read.
const INSIDE: usize = 2;

/// Times in milliseconds of the connection's own timeline.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Marks {
    /// When pictures turn bright.
    pub(crate) flashes: Vec<f64>,
    /// How bright they turn: which second of its film each is.
    pub(crate) levels: Vec<u8>,
    /// When tones begin.
    pub(crate) tones: Vec<f64>,
}

impl Marks {
    /// Decodes `tags`: configuration records first, then media from a key frame on. `dir` holds what comes between.
    ///
    /// # Errors
    /// FFmpeg can't be run or can't decode it, or not every picture of it.
    pub(crate) async fn of(tags: &[Tag], dir: &Path) -> io::Result<Self> {
        let mut file = Vec::new();
        write_header(&mut file);
        for tag in tags.iter().filter(|tag| tag.kind != TagKind::Script) {
            write_tag(tag, &mut file);
        }
        std::fs::write(dir.join("got.flv"), file)?;
        decode(dir).await?;
        let levels = std::fs::read(dir.join("got.gray"))?;
        let samples = std::fs::read(dir.join("got.pcm"))?;
        let shown_at = all_shown_at(tags);
        if levels.len() != shown_at.len() {
            let (decoded, sent) = (levels.len(), shown_at.len());
            let message = format!("{decoded} pictures decoded of {sent}");
            return Err(io::Error::other(message));
        }
        let flashes = flashes(&levels);
        let level = |at: &usize| levels[(at + INSIDE).min(levels.len() - 1)];
        Ok(Self {
            levels: flashes.iter().map(level).collect(),
            flashes: flashes.into_iter().map(|at| shown_at[at]).collect(),
            tones: tones(&samples, &times_of(tags, TagKind::Audio)),
        })
    }

    /// How much later than its flash each tone comes, for flashes that have one; milliseconds.
    pub(crate) fn offsets(&self) -> Vec<f64> {
        let nearest = |flash: &f64| {
            let distances = self.tones.iter().map(|tone| tone - flash);
            distances.min_by(|a, b| a.abs().total_cmp(&b.abs()))
        };
        let offsets = self.flashes.iter().filter_map(nearest);
        offsets.filter(|offset| offset.abs() < APART).collect()
    }
}

async fn decode(dir: &Path) -> io::Result<()> {
    let arguments = "-v error -nostdin -threads 1 -i got.flv \
        -map 0:v:0 -vf crop=60:60,scale=1:1 -vsync passthrough -f rawvideo -pix_fmt gray -y got.gray \
        -map 0:a:0 -ac 1 -ar 48000 -f s16le -y got.pcm";
    let mut command = Command::new("ffmpeg");
    command
        .args(arguments.split_whitespace())
        .current_dir(dir)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = command.output().await?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(said))
}

/// When a picture is shown, in milliseconds.
pub(crate) fn shown_at(picture: &Tag) -> f64 {
    // The composition time: 24 bits with a sign, behind the kinds of frame and packet.
    let [_, _, high, middle, low, ..] = picture.data[..] else {
        return f64::NAN;
    };
    let later = i32::from_be_bytes([high, middle, low, 0]) >> 8;
    f64::from(picture.timestamp_ms) + f64::from(later)
}

/// When each picture is shown, in the order in which a decoder gives them.
fn all_shown_at(tags: &[Tag]) -> Vec<f64> {
    let pictures = tags
        .iter()
        .filter(|tag| matches!(tag.payload(), Ok(Payload::Picture { .. })));
    let mut times: Vec<f64> = pictures.map(shown_at).collect();
    times.sort_by(f64::total_cmp);
    times
}

fn times_of(tags: &[Tag], kind: TagKind) -> Vec<f64> {
    let played = tags
        .iter()
        .filter(|tag| tag.kind == kind && matches!(tag.payload(), Ok(Payload::Sound)));
    played.map(|tag| f64::from(tag.timestamp_ms)).collect()
}

/// Places of pictures that are the first of a flash.
fn flashes(levels: &[u8]) -> Vec<usize> {
    let is_bright = |at: usize| levels[at] > BRIGHT;
    let begins = |at: &usize| is_bright(*at) && (*at == 0 || !is_bright(at - 1));
    (0..levels.len()).filter(begins).collect()
}

/// Beginnings of tones; frames follow each other without a hole, so that a sample's place tells its frame.
fn tones(samples: &[u8], frames: &[f64]) -> Vec<f64> {
    let samples: Vec<u16> = samples
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]).unsigned_abs())
        .collect();
    let loud: Vec<bool> = samples
        .chunks(MS)
        .map(|ms| ms.iter().any(|sample| *sample > LOUD))
        .collect();
    let begins = |at: &usize| loud[*at] && !loud[at.saturating_sub(SILENCE)..*at].contains(&true);
    let time = |at: usize| {
        let sample = at * MS;
        let within = (sample % FRAME) as f64 / MS as f64;
        frames.get(sample / FRAME).map(|frame| frame + within)
    };
    (0..loud.len()).filter(begins).filter_map(time).collect()
}
