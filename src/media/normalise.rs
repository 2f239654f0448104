//! Arguments of FFmpeg that bring any file into one form: FLV of H.264 and AAC whose configuration records are the same
//! bytes whatever came in. Pure.
//!
//! Measured with FFmpeg 5.1: with key frames at fixed distances, fixed profile, pixel format and colour tags the records
//! came out identical from 1280×720 H.264, 640×360 VP9, 854×480 at 60, 320×240 at 15 and 720×1280 sources, and from
//! the slate.

use std::ffi::OsString;
use std::time::Duration;

use super::encoder::VideoEncoder;
use super::pictures::Kind;

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output<'a> {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
    /// Rate of the picture in kbit/s.
    pub video_kbps: u32,
    /// Rate of the sound in kbit/s.
    pub audio_kbps: u32,
    /// Preset of x264, one of its own names.
    pub preset: &'a str,
    /// Seconds between key frames.
    pub gop_s: u32,
    /// What encodes the picture.
    pub encoder: VideoEncoder,
}

/// What goes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input<'a> {
    /// An address on this machine that we serve.
    pub url: &'a str,
    /// Whether it has sound; silence is put in its place.
    pub has_audio: bool,
    /// Where to begin in it.
    pub from: Duration,
    /// How much of it at most; `None` for all.
    pub most: Option<Duration>,
    /// For what goes on as it is made.
    pub live: Option<Live<'a>>,
}

/// What goes on as it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live<'a> {
    /// Where its sound is, unless it comes with the picture: an address on this machine that we serve.
    pub sound: Option<&'a str>,
    /// Microseconds by which that begins after the picture; less than 0 when it begins before.
    pub sound_delay_us: i64,
}

impl<'a> Input<'a> {
    /// Where its sound is, unless it comes with the picture.
    fn own_sound(&self) -> Option<&'a str> {
        self.live.as_ref()?.sound.filter(|_| self.has_audio)
    }

    /// Options that open it, its own sound behind it.
    fn opening(&self, from: Duration) -> Vec<String> {
        let mut words = self.reading();
        if !from.is_zero() {
            words.extend(["-ss".to_owned(), seconds(from)]);
        }
        words.extend(texts(&["-i", self.url]));
        if let Some(sound) = self.own_sound() {
            words.extend(self.reading());
            // Each input begins at 0 otherwise, whenever what it holds was recorded.
            let delay_us = self.live.as_ref().map_or(0, |live| live.sound_delay_us);
            if delay_us != 0 {
                words.extend(["-itsoffset".to_owned(), format!("{delay_us}us")]);
            }
            words.extend(texts(&["-i", sound]));
        }
        words
    }

    /// Options before each input.
    fn reading(&self) -> Vec<String> {
        let mut words = texts(&[
            "-protocol_whitelist",
            "http,tcp",
            "-format_whitelist",
            FORMATS,
            "-rw_timeout",
            READ_TIMEOUT_US,
        ]);
        if self.live.is_some() {
            words.extend(texts(&["-analyzeduration", LIVE_LOOK_US]));
        }
        words
    }
}

/// Containers that are opened. Never one that leads on to other addresses: a file that called itself a video and was a
/// playlist made FFmpeg ask for what stood in it, until this list refused it.
const FORMATS: &str = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,flv,aac,mp3,ogg,wav";
/// Microseconds without a byte from us after which it gives up; upstreams are waited for by whoever feeds it.
const READ_TIMEOUT_US: &str = "60000000";
/// Microseconds of what goes on as it is made that are looked at before its first picture: more would be waited for.
const LIVE_LOOK_US: &str = "3000000";
/// Samples of sound per second.
pub const SAMPLE_RATE: u32 = 48_000;

/// Arguments that pass an item on to standard output as it is; other codecs than H.264 and AAC show in what comes out,
/// or are refused. A key frame must lie at `from`.
pub fn copy(input: &Input<'_>) -> Vec<OsString> {
    /// Places are rounded to milliseconds, and just before a key frame begins the group before.
    const ROUNDING: Duration = Duration::from_millis(2);
    let mut words = texts(&SAYING);
    let from = match input.from {
        Duration::ZERO => Duration::ZERO,
        from => from + ROUNDING,
    };
    words.extend(input.opening(from));
    let sound = input.own_sound().map_or("0:a:0", |_| "1:a:0");
    words.extend(texts(&["-map", "0:v:0", "-map", sound, "-c", "copy"]));
    if let Some(most) = input.most {
        words.extend(["-t".to_owned(), seconds(most)]);
    }
    words.extend(texts(&WRITING));
    words.into_iter().map(OsString::from).collect()
}

/// Options of every output.
const WRITING: [&str; 5] = [
    "-flvflags",
    "no_duration_filesize+no_sequence_end",
    "-f",
    "flv",
    "pipe:1",
];

/// What it says while it works.
const SAYING: [&str; 5] = [
    "-loglevel",
    "level+warning",
    "-progress",
    "pipe:2",
    "-nostats",
];

/// Arguments that encode one item to standard output, with reports on standard error.
pub fn item(input: &Input<'_>, output: &Output<'_>) -> Vec<OsString> {
    let mut words = texts(&SAYING);
    words.extend(texts(output.encoder.device()));
    words.extend(input.opening(input.from));
    if !input.has_audio {
        words.extend(texts(&["-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo"]));
    }
    let is_inside = input.has_audio && input.own_sound().is_none();
    let sound = if is_inside { "0:a:0" } else { "1:a:0" };
    words.extend(texts(&["-map", "0:v:0", "-map", sound, "-vf"]));
    words.push(picture_filter(output, ""));
    words.extend(texts(&[
        "-af",
        "aresample=48000:async=1000:first_pts=0,apad",
        "-shortest",
    ]));
    if let Some(most) = input.most {
        words.extend(["-t".to_owned(), seconds(most)]);
    }
    finish(words, output)
}

/// Arguments that encode silence of half a second, or of one frame where that is longer, and a picture: black, or that
/// of a file of this kind which is given on standard input.
pub fn slate(output: &Output<'_>, image: Option<Kind>) -> Vec<OsString> {
    let Output {
        width, height, fps, ..
    } = output;
    let length = Duration::from_millis(500).max(Duration::from_secs(1) / (*fps).max(1));
    let black = format!("color=c=black:s={width}x{height}:r={fps}");
    let mut words = texts(&["-loglevel", "level+warning"]);
    words.extend(texts(output.encoder.device()));
    words.extend(match image {
        None => texts(&["-f", "lavfi", "-i", &black]),
        Some(kind) => texts(&[
            "-protocol_whitelist",
            "pipe",
            "-f",
            kind.demuxer(),
            "-i",
            "pipe:0",
        ]),
    });
    words.extend(texts(&["-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo"]));
    words.extend(texts(&[
        "-map",
        "0:v:0",
        "-map",
        "1:a:0",
        "-t",
        &seconds(length),
        "-vf",
    ]));
    words.push(match image {
        None => picture_filter(output, ""),
        Some(_) => format!("loop=loop=-1:size=1,{}", picture_filter(output, STILL)),
    });
    finish(words, output)
}

/// What the encoders of both have in common.
fn finish(mut words: Vec<String>, output: &Output<'_>) -> Vec<OsString> {
    words.extend(output.encoder.arguments(output));
    words.extend(texts(&[
        "-color_primaries",
        "bt709",
        "-color_trc",
        "bt709",
        "-colorspace",
        "bt709",
        "-color_range",
        "tv",
        "-c:a",
        "aac",
        "-b:a",
        &format!("{}k", output.audio_kbps),
        "-ar",
        &SAMPLE_RATE.to_string(),
        "-ac",
        "2",
    ]));
    words.extend(texts(&WRITING));
    words.into_iter().map(OsString::from).collect()
}

/// Options of `scale`, and what follows it, for a picture of red, green and blue: it becomes the colours that are
/// announced.
const STILL: &str = ":out_color_matrix=bt709:out_range=tv,format=yuv420p";

/// Fits the picture into the frame, at even times, with the colours that are announced; `scaled` stands behind the
/// options of the scaler.
fn picture_filter(output: &Output<'_>, scaled: &str) -> String {
    let Output {
        width, height, fps, ..
    } = output;
    format!(
        "scale={width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2{scaled},\
         pad={width}:{height}:-1:-1:color=black,setsar=1,fps={fps}:start_time=0,\
         setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv{}",
        output.encoder.upload()
    )
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn seconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

/// What a running encoder reports of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Report {
    /// Media time made so far; `None` before the first frame.
    pub made: Option<Duration>,
    /// Times real time.
    pub speed: f64,
    /// Frames thrown away.
    pub dropped: u64,
    /// Frames repeated.
    pub duplicated: u64,
}

impl Report {
    /// Reads a line of standard error; `false` for one that is for the log. Progress has the form `key=value`, the log
    /// begins with a level in brackets.
    pub fn read(&mut self, line: &str) -> bool {
        let Some((key, value)) = line.split_once('=') else {
            return false;
        };
        let is_key = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if line.starts_with('[') || !key.bytes().all(is_key) {
            return false;
        }
        let value = value.trim();
        match key {
            "out_time_us" => self.made = value.parse().ok().map(Duration::from_micros),
            "speed" => self.speed = speed(value).unwrap_or(self.speed),
            "drop_frames" => self.dropped = value.parse().unwrap_or(self.dropped),
            "dup_frames" => self.duplicated = value.parse().unwrap_or(self.duplicated),
            _ => {}
        }
        true
    }
}

/// `1.02x`; `N/A` at first. Texts that stand for no number are numbers to the parser.
fn speed(value: &str) -> Option<f64> {
    let speed: f64 = value.trim_end_matches('x').parse().ok()?;
    speed.is_finite().then_some(speed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: Output<'_> = Output {
        width: 320,
        height: 180,
        fps: 25,
        video_kbps: 300,
        audio_kbps: 64,
        preset: "ultrafast",
        gop_s: 2,
        encoder: VideoEncoder::X264,
    };

    fn line(words: &[OsString]) -> String {
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    #[test]
    fn item_without_sound_gets_silence() {
        let input = Input {
            url: "http://127.0.0.1:1/t/1",
            has_audio: false,
            from: Duration::from_millis(61_500),
            most: Some(Duration::from_secs(60)),
            live: None,
        };
        let line = line(&item(&input, &OUTPUT));
        assert!(
            line.contains("-ss 61.500 -i http://127.0.0.1:1/t/1 -f lavfi"),
            "{line}"
        );
        assert!(
            line.contains("-map 1:a:0") && line.contains("-t 60.000"),
            "{line}"
        );
        assert!(line.contains("-keyint_min 50 -sc_threshold 0"), "{line}");
    }

    #[test]
    fn item_is_opened_by_listed_formats_and_protocols_alone() {
        let input = Input {
            url: "http://127.0.0.1:1/t/1",
            has_audio: true,
            from: Duration::ZERO,
            most: None,
            live: None,
        };
        let words = item(&input, &OUTPUT);
        let at = |word: &str| words.iter().position(|other| other == word).unwrap();
        assert!(at("-protocol_whitelist") < at("-i") && at("-format_whitelist") < at("-i"));
        for format in ["hls", "concat", "dash", "sdp", "image2"] {
            assert!(!FORMATS.split(',').any(|listed| listed == format));
        }
        assert!(!line(&words).contains("-ss"));
    }

    #[test]
    fn copied_item_is_read_like_others_and_begins_at_its_key_frame() {
        let input = Input {
            url: "http://127.0.0.1:1/t/1",
            has_audio: true,
            from: Duration::from_micros(8_341_700),
            most: None,
            live: None,
        };
        let words = copy(&input);
        let line = line(&words);
        assert!(
            line.contains("-ss 8.343 -i http://127.0.0.1:1/t/1"),
            "{line}"
        );
        assert!(
            line.contains("-c copy") && !line.contains("libx264"),
            "{line}"
        );
        let at = |word: &str| words.iter().position(|other| other == word).unwrap();
        assert!(at("-protocol_whitelist") < at("-i") && at("-format_whitelist") < at("-i"));
    }

    #[test]
    fn sound_of_its_own_is_opened_by_the_same_rules() {
        let input = Input {
            url: "http://127.0.0.1:1/t/1",
            has_audio: true,
            from: Duration::ZERO,
            most: None,
            live: Some(Live {
                sound: Some("http://127.0.0.1:1/t/1/sound"),
                sound_delay_us: -1_500_000,
            }),
        };
        for words in [item(&input, &OUTPUT), copy(&input)] {
            let line = line(&words);
            let (picture, sound) = line.split_once(" -i http://127.0.0.1:1/t/1 ").unwrap();
            for opening in [picture, sound] {
                assert!(opening.contains("-protocol_whitelist http,tcp -format_whitelist mov,"));
                assert!(opening.contains("-analyzeduration 3000000"), "{line}");
            }
            assert!(line.contains("-map 0:v:0 -map 1:a:0"), "{line}");
            assert!(sound.contains("-itsoffset -1500000us -i http"), "{line}");
            assert!(!picture.contains("-itsoffset"), "{line}");
        }
        let mute = Input {
            has_audio: false,
            ..input
        };
        assert!(!line(&item(&mute, &OUTPUT)).contains("/sound"));
    }

    #[test]
    fn slate_lasts_half_a_second_or_a_frame() {
        assert!(line(&slate(&OUTPUT, None)).contains("-t 0.500"));
        let slow = Output { fps: 1, ..OUTPUT };
        assert!(line(&slate(&slow, None)).contains("-t 1.000"));
    }

    #[test]
    fn slate_of_a_file_is_read_by_its_own_reader_from_standard_input() {
        let line = line(&slate(&OUTPUT, Some(Kind::Png)));
        assert!(
            line.contains("-protocol_whitelist pipe -f png_pipe -i pipe:0"),
            "{line}"
        );
        assert!(!line.contains("color=c=black:s="), "{line}");
    }

    #[test]
    fn frames_go_to_the_card_where_the_encoder_is_there() {
        let vaapi = Output {
            encoder: VideoEncoder::Vaapi,
            ..OUTPUT
        };
        let words = slate(&vaapi, None);
        let line = line(&words);
        assert!(line.contains("range=tv,format=nv12,hwupload"), "{line}");
        let at = |word: &str| words.iter().position(|other| other == word).unwrap();
        assert!(at("-vaapi_device") < at("-i"));
    }

    #[test]
    fn reports_are_told_from_the_log() {
        let mut report = Report::default();
        for line in [
            "frame=12",
            "out_time_us=N/A",
            "speed=N/A",
            "stream_0_0_q=28.0",
        ] {
            assert!(report.read(line), "{line}");
        }
        assert_eq!(report, Report::default());
        for line in [
            "out_time_us=1500000",
            "speed=4.9x",
            "speed=nan",
            "speed=infx",
            "drop_frames=1",
            "dup_frames=12",
        ] {
            assert!(report.read(line), "{line}");
        }
        let made = Some(Duration::from_millis(1500));
        assert_eq!(
            report,
            Report {
                made,
                speed: 4.9,
                dropped: 1,
                duplicated: 12
            }
        );
        for line in [
            "[warning] a=b",
            "[mov @ 0x1] [error] x=y",
            "no equals sign",
            "a b=c",
        ] {
            assert!(!report.read(line), "{line}");
        }
    }
}
