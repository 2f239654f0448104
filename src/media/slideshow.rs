//! Pictures and a sound into one video, as FFmpeg's arguments and checks of its results. Pure.
//!
//! Three kinds of runs, so that each input of strangers meets a process of its own with bounds of its own: a picture
//! becomes one raw frame, the sound becomes raw samples, and frames and samples become the video. What the encoder
//! reads was made by us, down to its length.

use std::ffi::OsString;
use std::path::Path;
use std::time;

use super::ffmpeg::{Job, file, words};
use super::launch::Bounds;
use super::movie::{Duration, Movie};
use super::pictures;
use super::sound;
use super::webp::Place;

/// Seconds that each picture is shown.
pub const SECONDS_PER_PICTURE: u64 = 4;
/// Frames per second of the video.
const FRAMES_PER_SECOND: u64 = 5;
/// Bytes of a raw frame: 1080 × 1920 in 4:2:0.
pub const FRAME_BYTES: usize = WIDTH * HEIGHT * 3 / 2;
/// Bytes that the video may have for each picture: a hundred times what photographs take.
const VIDEO_BYTES_PER_PICTURE: u64 = 4 * 1024 * 1024;
/// Bytes that the video may have besides.
const VIDEO_BYTES_FIXED: u64 = 16 * 1024 * 1024;
/// Raw sound: 48 kHz, two channels, 16 bits.
const SOUND_BYTES_PER_SECOND: u64 = 48_000 * 2 * 2;

const WIDTH: usize = 1080;
const HEIGHT: usize = 1920;
const MEBIBYTE: u64 = 1024 * 1024;
/// Address space of a run that decodes one picture or sound.
const DECODER_SPACE: u64 = 2048 * MEBIBYTE;
/// Address space of the encoder.
const ENCODER_SPACE: u64 = 3072 * MEBIBYTE;
/// How long a run that decodes one picture or sound may take.
const DECODER_TIME: time::Duration = time::Duration::from_secs(60);

/// Into the frame without cropping or stretching, black around it, in the colours that players assume for this size.
const FIT: &str = "scale=1080:1920:force_original_aspect_ratio=decrease:force_divisible_by=2\
    :out_color_matrix=bt709:out_range=tv,\
    pad=1080:1920:(ow-iw)/2:(oh-ih)/2:black,setsar=1,format=yuv420p";
/// What `FIT` has made of the colours, and how many frames the encoder looks ahead: those of a picture are all the same,
/// so more than a few tell it nothing, and each takes 3 MB.
const X264: &str = "colorprim=bt709:transfer=bt709:colormatrix=bt709:range=tv:\
    rc-lookahead=5:sync-lookahead=0";

/// The run that turns the picture at `path` into one raw frame on standard output; one with a place is part of a larger
/// picture that is black otherwise.
pub fn frame_job(kind: pictures::Kind, path: &Path, place: Option<Place>) -> Job {
    let fit = match place {
        Some(Place {
            canvas: (width, height),
            at: (left, top),
        }) => format!("pad={width}:{height}:{left}:{top}:black,{FIT}"),
        None => FIT.to_owned(),
    };
    let pixels = pictures::MAX_PIXELS.to_string();
    let mut arguments = words(&[
        "-filter_threads",
        "1",
        "-protocol_whitelist",
        "file",
        "-threads",
        "1",
    ]);
    arguments.extend(words(&["-max_pixels", &pixels, "-f", kind.demuxer(), "-i"]));
    arguments.push(file(path));
    arguments.extend(words(&["-map", "0:v:0", "-vf", &fit, "-frames:v", "1"]));
    arguments.extend(words(&["-f", "rawvideo", "pipe:1"]));
    decoder(arguments, 0, true)
}

/// The run that turns the sound at `path` into raw samples at `to`, at most as long as `pictures` are shown.
pub fn sound_job(kind: sound::Kind, path: &Path, to: &Path, pictures: usize) -> Job {
    let seconds = seconds(pictures).to_string();
    let mut arguments = words(&["-protocol_whitelist", "file", "-f", kind.demuxer(), "-i"]);
    arguments.push(file(path));
    arguments.extend(words(&["-map", "0:a:0", "-t", &seconds]));
    arguments.extend(words(&["-ar", "48000", "-ac", "2", "-f", "s16le"]));
    arguments.push(file(to));
    decoder(arguments, sound_bytes(pictures), false)
}

/// Bytes of one sample of both channels.
const SAMPLE: usize = 4;
/// Fewest bytes of samples that may be looped: half a second. FFmpeg takes seconds to loop a few samples for one.
pub const LEAST_LOOP: u64 = 96_000;

/// Whole samples repeated until they are enough to be looped; `None` when there is not one.
pub fn lengthened(samples: &[u8]) -> Option<Vec<u8>> {
    let whole = &samples[..samples.len() - samples.len() % SAMPLE];
    let least = usize::try_from(LEAST_LOOP).unwrap_or(usize::MAX);
    let times = least.div_ceil(whole.len().max(1));
    (!whole.is_empty()).then(|| whole.repeat(times))
}

fn decoder(arguments: Vec<OsString>, file_bytes: u64, writes_stdout: bool) -> Job {
    Job {
        arguments,
        bounds: Bounds {
            cpu_seconds: DECODER_TIME.as_secs(),
            address_space: DECODER_SPACE,
            file_bytes,
        },
        time_limit: DECODER_TIME,
        reads_stdin: false,
        writes_stdout,
    }
}

/// The run that turns raw frames on standard input, one per picture and the last one twice, into the video at `to`.
/// `samples` is what [`sound_job`] wrote; without, the video has a silent track.
///
/// Five frames a second are the least that the contract allows; pictures stand still, so more would only cost time. The
/// last frame comes twice and the end is cut by time, because how long a last frame stands differs between versions.
pub fn video_job(
    samples: Option<&Path>,
    pictures: usize,
    to: &Path,
    time_limit: time::Duration,
) -> Job {
    let (seconds, rate) = (seconds(pictures).to_string(), FRAMES_PER_SECOND.to_string());
    let mut arguments = words(&["-f", "rawvideo", "-pixel_format", "yuv420p"]);
    arguments.extend(words(&["-video_size", "1080x1920", "-framerate", "1/4"]));
    arguments.extend(words(&["-protocol_whitelist", "pipe", "-i", "pipe:0"]));
    match samples {
        Some(path) => {
            arguments.extend(words(&[
                "-stream_loop",
                "-1",
                "-f",
                "s16le",
                "-ar",
                "48000",
            ]));
            arguments.extend(words(&["-ac", "2", "-protocol_whitelist", "file", "-i"]));
            arguments.push(file(path));
        }
        None => arguments.extend(words(&["-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo"])),
    }
    arguments.extend(words(&[
        "-map", "0:v:0", "-map", "1:a:0", "-t", &seconds, "-r", &rate,
    ]));
    arguments.extend(words(&[
        "-c:v", "libx264", "-preset", "veryfast", "-crf", "23",
    ]));
    arguments.extend(words(&["-tune", "stillimage", "-threads", "2"]));
    arguments.extend(words(&[
        "-x264-params",
        X264,
        "-c:a",
        "aac",
        "-b:a",
        "128k",
    ]));
    arguments.extend(words(&["-movflags", "+faststart", "-f", "mp4"]));
    arguments.push(file(to));
    Job {
        arguments,
        bounds: Bounds {
            // Two threads can't use more.
            cpu_seconds: time_limit.as_secs().saturating_mul(2).max(1),
            address_space: ENCODER_SPACE,
            file_bytes: video_bytes(pictures),
        },
        time_limit,
        reads_stdin: true,
        writes_stdout: false,
    }
}

/// Bytes that the video of so many pictures may have.
pub fn video_bytes(pictures: usize) -> u64 {
    VIDEO_BYTES_FIXED + VIDEO_BYTES_PER_PICTURE * pictures as u64
}

/// Bytes of raw sound for so many pictures, with a second to spare.
pub fn sound_bytes(pictures: usize) -> u64 {
    SOUND_BYTES_PER_SECOND * (seconds(pictures) + 1)
}

fn seconds(pictures: usize) -> u64 {
    SECONDS_PER_PICTURE * pictures as u64
}

/// Whether a file that begins so is a video of so many pictures that can be played from its beginning: every frame of
/// every picture at its size, and sound as long.
pub fn is_video_of(pictures: usize, start: &[u8]) -> bool {
    let Some(movie) = Movie::of(start).filter(|movie| !movie.is_fragmented) else {
        return false;
    };
    let (Some(picture), Some(sound)) = (movie.first(*b"vide"), movie.first(*b"soun")) else {
        return false;
    };
    let seconds = seconds(pictures);
    let has_size = picture.size.is_some_and(|(width, height)| {
        (usize::from(width), usize::from(height)) == (WIDTH, HEIGHT)
    });
    let is_shown = |length: Duration| length.units == seconds * u64::from(length.scale);
    let is_heard = |length: Duration| length.samples(1000).abs_diff(seconds * 1000) <= 100;
    has_size
        && picture.count == Some(FRAMES_PER_SECOND * seconds)
        && picture.media.is_some_and(is_shown)
        && sound.played.is_some_and(is_heard)
}

#[cfg(test)]
mod tests {
    use super::super::movie::tests::{Recipe, file};
    use super::*;

    fn text(job: &Job) -> String {
        let parts: Vec<_> = job
            .arguments
            .iter()
            .map(|part| part.to_string_lossy())
            .collect();
        parts.join(" ")
    }

    #[test]
    fn short_sound_is_lengthened_by_whole_samples() {
        assert_eq!(lengthened(&[]), None);
        assert_eq!(lengthened(&[1, 2, 3]), None);
        let one = lengthened(&[1, 2, 3, 4, 5]).unwrap();
        assert_eq!(one.len() as u64, LEAST_LOOP);
        assert!(one.chunks(4).all(|sample| sample == [1, 2, 3, 4]));
        let most = lengthened(&vec![7; 95_999]).unwrap();
        assert_eq!(most.len(), 2 * 95_996);
    }

    #[test]
    fn inputs_are_named_files_of_ours_and_nothing_is_guessed() {
        let picture = frame_job(pictures::Kind::WebP, Path::new("/t/-1"), None);
        assert!(
            text(&picture).contains("-f webp_pipe -i file:/t/-1 "),
            "{}",
            text(&picture)
        );
        assert_eq!(picture.bounds.file_bytes, 0);
        let sound = sound_job(sound::Kind::Mp4, Path::new("/t/s"), Path::new("/t/p"), 3);
        assert!(
            text(&sound).contains("-f mov -i file:/t/s "),
            "{}",
            text(&sound)
        );
        assert!(text(&sound).ends_with("-t 12 -ar 48000 -ac 2 -f s16le file:/t/p"));
    }

    #[test]
    fn video_is_as_long_as_its_pictures_are_shown() {
        let limit = time::Duration::from_secs(300);
        let job = video_job(Some(Path::new("/t/p")), 35, Path::new("/t/v"), limit);
        assert!(text(&job).contains(" -t 140 "), "{}", text(&job));
        assert!(text(&job).contains("-stream_loop -1 -f s16le"));
        let silent = video_job(None, 1, Path::new("/t/v"), limit);
        assert!(text(&silent).contains("anullsrc") && text(&silent).contains(" -t 4 "));
    }

    #[test]
    fn part_of_a_picture_is_put_in_its_place() {
        let place = Place {
            canvas: (100, 80),
            at: (10, 20),
        };
        let job = frame_job(pictures::Kind::WebP, Path::new("/t/p"), Some(place));
        assert!(text(&job).contains("-vf pad=100:80:10:20:black,scale=1080"));
    }

    #[test]
    fn file_that_is_not_the_whole_video_is_refused() {
        let picture = |entry, count| Recipe {
            handler: *b"vide",
            entry,
            scale: 10_240,
            times: vec![(count, 2048)],
            edits: None,
        };
        let sound = |seconds| Recipe {
            handler: *b"soun",
            entry: (48_000, 0),
            scale: 48_000,
            times: vec![(seconds, 48_000)],
            edits: None,
        };
        let full = (1080, 1920);
        let is_whole = |tracks: &[Recipe]| {
            let tracks: Vec<_> = tracks.iter().map(Recipe::track).collect();
            is_video_of(3, &file(&tracks))
        };
        assert!(is_whole(&[picture(full, 60), sound(12)]));
        assert!(!is_whole(&[picture(full, 59), sound(12)]));
        assert!(!is_whole(&[picture(full, 80), sound(12)]));
        assert!(!is_whole(&[picture((1080, 1918), 60), sound(12)]));
        assert!(!is_whole(&[picture(full, 60), sound(11)]));
        assert!(!is_whole(&[picture(full, 60)]));
        assert!(!is_whole(&[sound(12)]));
        assert!(!is_video_of(1, b""));
        assert!(!is_video_of(1, b"\0\0\0\x08ftyp\0\0\0\x08moov"));
    }
}
