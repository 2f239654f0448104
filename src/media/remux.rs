//! FFmpeg's arguments that put two tracks into one file as they are, while it is read.

use std::ffi::OsString;
use std::path::Path;

use super::Container;
use super::ffmpeg::{file, words};

impl Container {
    fn demuxer(self) -> &'static str {
        match self {
            Self::Mp4 => "mov",
            Self::Webm => "matroska",
        }
    }

    /// What every file begins with that FFmpeg makes of it.
    pub fn magic(self) -> &'static [u8] {
        match self {
            Self::Mp4 => b"\0\0\0\x1cftypiso5\0\0\x02\0",
            Self::Webm => b"\x1a\x45\xdf\xa3",
        }
    }
}

/// Reads picture and sound from the named pipes at these paths and writes one file to standard output.
///
/// An error of an input ends the run with something else than 0 (`-xerror`): a part of a track must never pass for all of
/// it. Times are kept as they are (`-copyts`): each input would else be moved to begin at 0, and picture and sound apart.
pub fn arguments(inputs: [(Container, &Path); 2], output: Container) -> Vec<OsString> {
    let mut arguments = words(&["-xerror", "-copyts"]);
    for (container, path) in inputs {
        let demuxer = container.demuxer();
        arguments.extend(words(&["-protocol_whitelist", "file", "-f", demuxer, "-i"]));
        arguments.push(file(path));
    }
    arguments.extend(words(&["-map", "0:v:0", "-map", "1:a:0", "-c", "copy"]));
    arguments.extend(words(&["-map_metadata", "-1", "-fflags", "+bitexact"]));
    arguments.extend(words(match output {
        // A fragment for each keyframe; its head only when the first one is known, for then edit lists are.
        Container::Mp4 => &[
            "-movflags",
            "frag_keyframe+delay_moov+default_base_moof",
            "-f",
            "mp4",
        ],
        Container::Webm => &["-f", "webm"],
    }));
    arguments.extend(words(&["pipe:1"]));
    arguments
}
