//! The H.264 encoders of FFmpeg that may make a broadcast's picture, and their arguments. Pure.
//!
//! Every one is told the same: main profile, constant rate, key frames at even distances and nowhere else, so that the
//! configuration records of all items are the same bytes. That was seen with libx264; of those that need hardware the
//! options were read from FFmpeg 5.1 and 7.1 (`ffmpeg -h encoder=…`), and could not be run.

use std::fmt;
use std::str::FromStr;

use super::normalise::Output;

/// Where VA-API finds the first graphics card of a machine.
const RENDER_NODE: &str = "/dev/dri/renderD128";

/// What encodes the picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VideoEncoder {
    /// x264, in software.
    #[default]
    X264,
    /// NVENC, on cards by NVIDIA.
    Nvenc,
    /// Quick Sync Video, on graphics by Intel.
    Qsv,
    /// VA-API, on Linux.
    Vaapi,
    /// `VideoToolbox`, on macOS.
    VideoToolbox,
}

/// A name that is none of the encoders'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of libx264, h264_nvenc, h264_qsv, h264_vaapi, h264_videotoolbox")]
pub struct UnknownEncoder;

impl VideoEncoder {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::X264,
        Self::Nvenc,
        Self::Qsv,
        Self::Vaapi,
        Self::VideoToolbox,
    ];

    /// FFmpeg's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::X264 => "libx264",
            Self::Nvenc => "h264_nvenc",
            Self::Qsv => "h264_qsv",
            Self::Vaapi => "h264_vaapi",
            Self::VideoToolbox => "h264_videotoolbox",
        }
    }

    /// Arguments that stand before the inputs.
    pub(super) fn device(self) -> &'static [&'static str] {
        match self {
            Self::Vaapi => &["-vaapi_device", RENDER_NODE],
            _ => &[],
        }
    }

    /// What the chain of picture filters ends with, comma first.
    pub(super) fn upload(self) -> &'static str {
        match self {
            // Its frames lie in the memory of the card.
            Self::Vaapi => ",format=nv12,hwupload",
            _ => "",
        }
    }

    /// Its arguments.
    pub(super) fn arguments(self, output: &Output<'_>) -> Vec<String> {
        let Output {
            video_kbps,
            preset,
            gop_s,
            fps,
            ..
        } = output;
        let rate = format!("{video_kbps}k");
        let buffer = format!("{}k", video_kbps * 2);
        let gop = (gop_s * fps).to_string();
        let mut words = vec!["-c:v", self.name(), "-profile:v", "main"];
        words.extend(match self {
            Self::X264 => vec![
                "-preset",
                preset,
                "-pix_fmt",
                "yuv420p",
                "-keyint_min",
                &gop,
                "-sc_threshold",
                "0",
            ],
            Self::Nvenc => vec![
                "-preset",
                nvenc_preset(preset),
                "-pix_fmt",
                "yuv420p",
                "-rc",
                "cbr",
                "-no-scenecut",
                "1",
                "-forced-idr",
                "1",
            ],
            Self::Qsv => vec![
                "-preset",
                qsv_preset(preset),
                "-pix_fmt",
                "nv12",
                "-look_ahead",
                "0",
                "-adaptive_i",
                "0",
                "-adaptive_b",
                "0",
                "-forced_idr",
                "1",
            ],
            Self::Vaapi => vec!["-rc_mode", "CBR", "-idr_interval", "0"],
            Self::VideoToolbox => vec!["-pix_fmt", "yuv420p"],
        });
        words.extend([
            "-b:v", &rate, "-maxrate", &rate, "-bufsize", &buffer, "-bf", "2", "-g", &gop,
        ]);
        words.into_iter().map(str::to_owned).collect()
    }
}

/// NVENC counts from p1, the fastest, to p7.
fn nvenc_preset(x264: &str) -> &'static str {
    match x264 {
        "ultrafast" | "superfast" => "p1",
        "veryfast" => "p2",
        "faster" => "p3",
        "slow" => "p5",
        "slower" => "p6",
        "veryslow" => "p7",
        _ => "p4",
    }
}

/// Quick Sync has x264's names from `veryfast` on.
fn qsv_preset(x264: &str) -> &str {
    match x264 {
        "ultrafast" | "superfast" => "veryfast",
        other => other,
    }
}

impl fmt::Display for VideoEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for VideoEncoder {
    type Err = UnknownEncoder;

    fn from_str(text: &str) -> Result<Self, UnknownEncoder> {
        let named = Self::ALL.into_iter().find(|encoder| encoder.name() == text);
        named.ok_or(UnknownEncoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(encoder: VideoEncoder, preset: &str) -> String {
        let output = Output {
            width: 320,
            height: 180,
            fps: 25,
            video_kbps: 300,
            audio_kbps: 64,
            preset,
            gop_s: 2,
            encoder,
        };
        encoder.arguments(&output).join(" ")
    }

    #[test]
    fn encoders_are_known_by_their_names_alone() {
        for encoder in VideoEncoder::ALL {
            assert_eq!(encoder.name().parse(), Ok(encoder));
        }
        for text in ["", "x264", "libx264 -y", "H264_NVENC", "copy"] {
            assert_eq!(text.parse::<VideoEncoder>(), Err(UnknownEncoder), "{text}");
        }
    }

    #[test]
    fn every_encoder_has_one_rate_and_even_groups() {
        for encoder in VideoEncoder::ALL {
            let line = line(encoder, "medium");
            assert!(line.contains("-profile:v main"), "{line}");
            assert!(
                line.contains("-b:v 300k -maxrate 300k -bufsize 600k -bf 2 -g 50"),
                "{line}"
            );
        }
    }

    #[test]
    fn presets_are_translated_to_what_an_encoder_knows() {
        for (encoder, preset, expected) in [
            (VideoEncoder::X264, "ultrafast", "-preset ultrafast"),
            (VideoEncoder::Nvenc, "ultrafast", "-preset p1"),
            (VideoEncoder::Nvenc, "veryslow", "-preset p7"),
            (VideoEncoder::Qsv, "superfast", "-preset veryfast"),
            (VideoEncoder::Qsv, "slow", "-preset slow"),
        ] {
            let line = line(encoder, preset);
            assert!(line.contains(expected), "{line}");
        }
        for encoder in [VideoEncoder::Vaapi, VideoEncoder::VideoToolbox] {
            assert!(!line(encoder, "slow").contains("-preset"));
        }
    }
}
