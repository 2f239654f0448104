//! Films in which every second is marked: a flash and a tone begin together, and of sixteen flashes no two are equally bright. So
//! what arrived can be told to be whole and to come once, and picture and sound to be together.

use std::io;
use std::iter;
use std::path::Path;
use std::process::Stdio;

use bytes::Bytes;
use tokio::process::Command;

/// A shape of films.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Of the picture.
    pub(crate) size: &'static str,
    /// Pictures a second.
    pub(crate) fps: &'static str,
    /// Seconds from one mark to the next: a whole number of pictures.
    pub(crate) period: &'static str,
    /// Encoder of the picture and its options.
    pub(crate) video: &'static str,
    /// Encoder of the sound and its options; `None` for a film without.
    pub(crate) audio: Option<&'static str>,
    /// Options of the container.
    pub(crate) container: &'static str,
}

/// How much darker each flash is than the one before.
const STEP: u32 = 10;
/// Seconds whose flashes can be told apart.
pub(crate) const LEVELS: u32 = 16;
const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 30";

/// Five that have little in common.
pub(crate) const MIXED: [Shape; 5] = [
    Shape {
        size: "640x360",
        fps: "30",
        period: "1",
        video: H264,
        audio: Some("-c:a aac -ar 44100 -ac 2"),
        container: "-movflags faststart -f mp4",
    },
    Shape {
        size: "320x180",
        fps: "25",
        period: "1",
        video: "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 200k -g 25",
        audio: Some("-c:a libopus -ar 48000 -ac 2"),
        container: "-f webm",
    },
    // The index at the end, as cameras write it.
    Shape {
        size: "426x240",
        fps: "60",
        period: "1",
        video: H264,
        audio: Some("-c:a aac -ar 22050 -ac 1"),
        container: "-f mp4",
    },
    Shape {
        size: "320x240",
        fps: "15",
        period: "1",
        video: H264,
        audio: None,
        container: "-f mp4",
    },
    Shape {
        size: "360x640",
        fps: "30000/1001",
        period: "1.001",
        video: H264,
        audio: Some("-c:a aac -ar 48000 -ac 2"),
        container: "-movflags faststart -f mp4",
    },
];

/// The filter that draws the flash of a second: each darker than the one before, down to a third, then anew.
fn flash(second: u32, period: &str) -> String {
    let level = 255 - STEP * (second % LEVELS);
    // A little early, so that rounding can't put it one picture late.
    format!(
        "drawbox=c=0x{level:02x}{level:02x}{level:02x}:t=fill:\
         enable='between(t+0.002,{second}*{period},{second}*{period}+0.2)'"
    )
}

impl Shape {
    /// A film of so many seconds, with as many marks. `dir` holds it for a moment.
    ///
    /// # Errors
    /// FFmpeg can't be run, or says why it can't make it.
    pub(crate) async fn film(&self, seconds: u32, dir: &Path) -> io::Result<Bytes> {
        let Self {
            size, fps, period, ..
        } = self;
        let length = f64::from(seconds) * period.parse::<f64>().map_err(io::Error::other)?;
        let picture = format!("color=c=black:s={size}:r={fps}:d={length}");
        let flashes = (0..seconds).map(|second| flash(second, period));
        let picture = iter::once(picture).chain(flashes).collect::<Vec<_>>();
        let picture = picture.join(",");
        let tone = format!(
            "aevalsrc=exprs='0.5*sin(2*PI*880*t)*lt(mod(t,{period}),0.2)':s=48000:d={length}"
        );
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-threads", "1"]);
        command.args(["-f", "lavfi", "-i", &picture]);
        if let Some(audio) = self.audio {
            command.args(["-f", "lavfi", "-i", &tone]);
            command.args(audio.split_whitespace());
        }
        command.args(self.video.split_whitespace());
        command.args(self.container.split_whitespace());
        let file = dir.join("made.film");
        command.arg("-y").arg(&file);
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
        let output = output.await?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(io::Error::other(said));
        }
        Ok(std::fs::read(file)?.into())
    }
}
