//! What a build of FFmpeg can do for us, by its own list of encoders. Pure.

use std::time::Duration;

use super::ffmpeg::{Job, words};
use super::launch::Bounds;

/// Most bytes of the list that are read; it takes about 20 kB.
pub const LIST_BYTES: u64 = 1024 * 1024;
/// How long the list may take: a program that hangs is as good as none.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Address space of the run: the libraries of a full build, and little more.
const ADDRESS_SPACE: u64 = 2 * 1024 * 1024 * 1024;

/// What can be made with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Videos of pictures: H.264 and AAC.
    pub slideshows: bool,
    /// MP3.
    pub mp3: bool,
}

impl Abilities {
    /// Everything that we ask of it.
    pub const ALL: Self = Self {
        slideshows: true,
        mp3: true,
    };

    /// Reads the list of encoders.
    pub fn of(list: &str) -> Self {
        let has = |encoder| lists(list, encoder);
        Self {
            slideshows: has("libx264") && has("aac"),
            mp3: has("libmp3lame"),
        }
    }

    /// Whether there is anything that it can do.
    pub fn any(self) -> bool {
        self != Self::default()
    }
}

/// Whether an encoder is in the list: after a line of dashes flags and a name begin each line.
pub fn lists(list: &str, encoder: &str) -> bool {
    list.lines()
        .skip_while(|line| line.trim() != "------")
        .any(|line| line.split_whitespace().nth(1) == Some(encoder))
}

/// The run that prints the list of encoders, or another one.
pub fn list_job(what: &str) -> Job {
    Job {
        arguments: words(&[what]),
        bounds: Bounds {
            cpu_seconds: TIME_LIMIT.as_secs(),
            address_space: ADDRESS_SPACE,
            file_bytes: 0,
        },
        time_limit: TIME_LIMIT,
        reads_stdin: false,
        writes_stdout: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abilities_are_read_from_the_list_of_encoders() {
        let list = |names: &[&str]| {
            let lines: Vec<_> = names
                .iter()
                .map(|name| format!(" V....D {name}   its name, such as libmp3lame"))
                .collect();
            format!(
                "Encoders:\n V..... = Video\n ------\n{}\n",
                lines.join("\n")
            )
        };
        assert_eq!(
            Abilities::of(&list(&["libx264", "aac", "libmp3lame"])),
            Abilities::ALL
        );
        let no_mp3 = Abilities::of(&list(&["libx264", "aac", "libx264rgb"]));
        assert_eq!((no_mp3.slideshows, no_mp3.mp3), (true, false));
        let no_video = Abilities::of(&list(&["h264_v4l2m2m", "aac", "libmp3lame"]));
        assert_eq!((no_video.slideshows, no_video.mp3), (false, true));
        for nothing in ["", "V....D libx264", &list(&[])] {
            assert!(!Abilities::of(nothing).any(), "{nothing}");
        }
    }
}
