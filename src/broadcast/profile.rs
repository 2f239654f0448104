//! What is sent: size, rates and the encoder's effort. Pure.

use serde::{Deserialize, Serialize};

use super::settings::FieldFault;

/// Presets of x264, fastest first.
const PRESETS: [&str; 9] = [
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
];

/// The picture and sound that the target gets; the same for every item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Width in pixels, even, 16 to 3840.
    pub width: u32,
    /// Height in pixels, even, 16 to 2160.
    pub height: u32,
    /// Frames per second, 1 to 60.
    pub fps: u32,
    /// Rate of the picture in kbit/s, 100 to 20000.
    pub video_kbps: u32,
    /// Rate of the sound in kbit/s, 32 to 512.
    pub audio_kbps: u32,
    /// Preset of x264.
    pub preset: String,
    /// Seconds from one key frame to the next, 1 to 4.
    pub gop_s: u32,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            width: 1280,
            height: 720,
            fps: 30,
            video_kbps: 2500,
            audio_kbps: 128,
            preset: "veryfast".to_owned(),
            gop_s: 2,
        }
    }
}

impl Profile {
    /// The first thing in it that can't be.
    pub(super) fn fault(&self) -> Option<FieldFault> {
        let bounds = [
            ("width", self.width, 16, 3840),
            ("height", self.height, 16, 2160),
            ("fps", self.fps, 1, 60),
            ("video_kbps", self.video_kbps, 100, 20_000),
            ("audio_kbps", self.audio_kbps, 32, 512),
            ("gop_s", self.gop_s, 1, 4),
        ];
        let outside = bounds
            .into_iter()
            .find(|(_, value, min, max)| !(min..=max).contains(&value));
        let message = if let Some((name, _, min, max)) = outside {
            format!("`{name}` must be {min} to {max}")
        } else if !self.width.is_multiple_of(2) || !self.height.is_multiple_of(2) {
            "`width` and `height` must be even".to_owned()
        } else if !PRESETS.contains(&self.preset.as_str()) {
            format!("`preset` must be one of {}", PRESETS.join(", "))
        } else {
            return None;
        };
        Some(FieldFault::new("profile", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_within_bounds_is_taken() {
        let good = Profile::default();
        assert_eq!(good.fault(), None);
        let is_bad = |profile: Profile| profile.fault().is_some();
        for (width, height) in [
            (14, 720),
            (3842, 720),
            (1280, 2162),
            (1281, 720),
            (1280, 721),
        ] {
            assert!(is_bad(Profile {
                width,
                height,
                ..good.clone()
            }));
        }
        assert!(is_bad(Profile {
            fps: 0,
            ..good.clone()
        }));
        assert!(is_bad(Profile {
            gop_s: 5,
            ..good.clone()
        }));
        assert!(is_bad(Profile {
            preset: "placebo -y".to_owned(),
            ..good
        }));
    }
}
