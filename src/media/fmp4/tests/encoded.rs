//! Pairs of all kinds, made by ffmpeg: the joined file is as long as reckoned, and what is decoded of it is what is
//! decoded of its sources.

use super::ffmpeg::Ffmpeg;
use super::{Pair, Random};
use crate::media::Layout;

/// One index before all fragments.
const ONE_INDEX: &str = "-movflags +dash+global_sidx+delay_moov -f mp4";
/// An index before each fragment, which nothing leads to.
const MANY_INDICES: &str = "-movflags +dash+delay_moov -f mp4";
const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
const AAC: &str = "-c:a aac -b:a 32k";

fn picture(rate: &str, seconds: u32, codec: &str, fragment: f32, flags: &str) -> String {
    let micros = fragment * 1e6;
    format!(
        "-f lavfi -i testsrc2=s=64x48:r={rate}:d={seconds} {codec} -force_key_frames \
         expr:gte(t,n_forced*{fragment}) -frag_duration {micros} {flags}"
    )
}

fn sound(seconds: u32, codec: &str, fragment: f32, flags: &str) -> String {
    let micros = fragment * 1e6;
    format!(
        "-f lavfi -i anoisesrc=a=0.1:r=48000:s=1:d={seconds} {codec} -frag_duration {micros} {flags}"
    )
}

/// Makes two files, joins them and holds the result against them.
fn check(picture: &str, sound: &str) {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    let (Some(first), Some(second)) = (
        ffmpeg.make("picture.mp4", picture),
        ffmpeg.make("sound.mp4", sound),
    ) else {
        return;
    };
    let pair = Pair::of([first, second]);
    let layout = pair.joined();
    let whole = pair.whole(&layout);
    assert_eq!(whole.len() as u64, layout.total(), "predicted length");
    let joined = ffmpeg.write("joined.mp4", &whole);
    for (track, source) in [("v:0", "picture.mp4"), ("a:0", "sound.mp4")] {
        let source = ffmpeg.path(source);
        let frames = ffmpeg.frames(&joined, track, "");
        assert!(frames.len() > 10, "{frames:?}");
        assert_same(&frames, &ffmpeg.frames(&source, track, ""));
        assert_same(
            &ffmpeg.packets(&joined, track),
            &ffmpeg.packets(&source, track),
        );
    }
    let streams = ffmpeg.probe(&joined, "-show_entries stream=codec_type");
    for kind in ["video", "audio"] {
        assert_eq!(streams.matches(kind).count(), 1, "{streams}");
    }
    assert_ranges(&pair, &layout, &whole, 200);
    assert_seeks(&ffmpeg, &pair);
}

fn assert_same(ours: &[String], theirs: &[String]) {
    let differs = ours
        .iter()
        .zip(theirs)
        .find(|(ours, theirs)| ours != theirs);
    assert_eq!(differs, None);
    assert_eq!(ours.len(), theirs.len());
}

/// Random ranges, read in pieces of any size, are those of the whole.
fn assert_ranges(pair: &Pair, layout: &super::Joined, whole: &[u8], count: usize) {
    let mut random = Random(layout.total());
    for _ in 0..count {
        let start = random.within(0..layout.total());
        let end = random.within(start + 1..layout.total() + 1);
        let piece = random.index(1..3000);
        let part = pair.read(layout, start..end, piece).unwrap();
        assert_eq!(
            part,
            super::slice(whole, start..end),
            "{start}..{end} by {piece}"
        );
    }
}

/// What is seen after a seek is seen in the source from there on to the end.
fn assert_seeks(ffmpeg: &Ffmpeg, pair: &Pair) {
    let index = &pair.heads[0].index;
    let ms = index.end_time * 1000 / u64::from(index.timescale);
    let all = ffmpeg.frames(&ffmpeg.path("picture.mp4"), "v:0", "");
    let mut random = Random(ms);
    for _ in 0..4 {
        let at = random.within(0..ms.saturating_sub(200));
        let before = format!("-seek_timestamp 1 -ss {}.{:03}", at / 1000, at % 1000);
        let seen = ffmpeg.frames(&ffmpeg.path("joined.mp4"), "v:0", &before);
        // FFmpeg counts from the first moment of the file, which may be that of the sound.
        let first = (all.len() - seen.len()) as u64 * ms / all.len() as u64;
        assert!(first.abs_diff(at) < 200, "{before}: {first} ms");
        assert_same(&seen, &all[all.len() - seen.len()..]);
    }
}

fn aac() -> String {
    sound(4, AAC, 1.0, ONE_INDEX)
}

#[test]
fn h264_and_aac() {
    check(&picture("25", 4, H264, 1.0, ONE_INDEX), &aac());
}

#[test]
fn pictures_out_of_order_with_an_edit_list() {
    let codec = format!("{H264} -preset fast -bf 3");
    check(&picture("25", 4, &codec, 1.0, ONE_INDEX), &aac());
}

#[test]
fn pictures_out_of_order_with_negative_offsets() {
    let codec = format!("{H264} -preset fast -bf 3");
    let flags = ONE_INDEX.replace("+delay_moov", "+negative_cts_offsets");
    check(&picture("25", 4, &codec, 1.0, &flags), &aac());
}

#[test]
fn sixty_frames_and_ac3() {
    let sound = sound(4, "-c:a ac3 -b:a 64k", 1.0, ONE_INDEX);
    check(&picture("60", 4, H264, 1.0, ONE_INDEX), &sound);
}

#[test]
fn ntsc_rate_and_eac3() {
    let sound = sound(4, "-c:a eac3 -b:a 64k", 1.0, ONE_INDEX);
    check(&picture("30000/1001", 4, H264, 1.0, ONE_INDEX), &sound);
}

#[test]
fn hevc_and_aac() {
    let codec = "-c:v libx265 -preset ultrafast -x265-params log-level=error -tag:v hvc1";
    check(&picture("25", 3, codec, 1.0, ONE_INDEX), &aac());
}

#[test]
fn av1_and_opus() {
    let codec = "-c:v libaom-av1 -cpu-used 8 -usage realtime";
    let sound = sound(2, "-c:a libopus -b:a 32k", 1.0, ONE_INDEX);
    check(&picture("10", 2, codec, 1.0, ONE_INDEX), &sound);
}

#[test]
fn vp9_and_opus() {
    let codec = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8";
    let sound = sound(3, "-c:a libopus -b:a 32k", 1.0, ONE_INDEX);
    check(&picture("10", 3, codec, 1.0, ONE_INDEX), &sound);
}

#[test]
fn long_runs_of_sound_and_short_ones_of_picture() {
    let sound = sound(6, AAC, 3.0, ONE_INDEX);
    check(&picture("25", 6, H264, 0.5, ONE_INDEX), &sound);
}

#[test]
fn short_runs_of_sound_and_long_ones_of_picture() {
    let sound = sound(6, AAC, 0.5, ONE_INDEX);
    check(&picture("25", 6, H264, 3.0, ONE_INDEX), &sound);
}

#[test]
fn sound_longer_than_picture() {
    check(
        &picture("25", 2, H264, 1.0, ONE_INDEX),
        &sound(6, AAC, 1.0, ONE_INDEX),
    );
}

#[test]
fn sound_shorter_than_picture() {
    check(
        &picture("25", 6, H264, 1.0, ONE_INDEX),
        &sound(2, AAC, 1.0, ONE_INDEX),
    );
}

#[test]
fn sound_that_begins_later() {
    let late = format!("-itsoffset 0.7 {}", sound(4, AAC, 1.0, ONE_INDEX));
    check(&picture("25", 4, H264, 1.0, ONE_INDEX), &late);
}

#[test]
fn an_index_before_each_fragment() {
    check(
        &picture("25", 4, H264, 1.0, MANY_INDICES),
        &sound(4, AAC, 1.0, MANY_INDICES),
    );
}

#[test]
fn one_fragment_each() {
    check(
        &picture("25", 2, H264, 9.0, ONE_INDEX),
        &sound(2, AAC, 9.0, ONE_INDEX),
    );
}

#[test]
fn thousands_of_ranges_are_those_of_the_whole() {
    let Some(ffmpeg) = Ffmpeg::find() else { return };
    let picture = picture("25", 4, H264, 0.5, ONE_INDEX);
    let (Some(first), Some(second)) = (
        ffmpeg.make("picture.mp4", &picture),
        ffmpeg.make("sound.mp4", &aac()),
    ) else {
        return;
    };
    let pair = Pair::of([first, second]);
    let layout = pair.joined();
    assert_ranges(&pair, &layout, &pair.whole(&layout), 2000);
}
