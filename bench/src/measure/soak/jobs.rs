//! What takes more than passing bytes on: videos of pictures, sound as MP3, two tracks as one file.

use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

use crate::client::{get, mint_format, mint_slideshow, mint_sound};
use crate::measure::joined::ffmpeg;
use crate::{Result, cdn};

/// Posts until the next job of a kind.
const SLIDESHOW_EVERY: usize = 400;
const SOUND_EVERY: usize = 200;
const JOINED_EVERY: usize = 40;
/// How often a place is asked for, and how long is waited in between.
const TRIES: usize = 60;
const BUSY: Duration = Duration::from_secs(1);
/// Pictures of a slideshow.
const PICTURES: usize = 2;
/// Makes the files of photo posts: small ones, for it is the number of runs that wears.
const PHOTOS: [[&str; 3]; 2] = [
    ["testsrc2=s=270x360:r=1:d=2", "-q:v 3", "%d.jpg"],
    // The index in front, so that the length of the MP3 is known.
    ["sine=440:d=2", "-c:a aac -movflags +faststart", "sound.m4a"],
];
/// And two tracks of ten seconds.
const TRACKS: [[&str; 2]; 2] = [
    [
        "testsrc2=s=320x180:r=25:d=10",
        "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 125",
    ],
    ["sine=440:d=10", "-c:a aac"],
];

/// A kind of job.
#[derive(Debug, Clone, Copy)]
pub(super) enum Job {
    Slideshow,
    Sound,
    Joined,
}

impl Job {
    /// The job that follows a post, if there is one.
    pub(super) fn of(post: usize) -> Option<Self> {
        let is_turn = |every: usize| post % every == every / 2;
        [
            (SLIDESHOW_EVERY, Self::Slideshow),
            (SOUND_EVERY, Self::Sound),
            (JOINED_EVERY, Self::Joined),
        ]
        .into_iter()
        .find_map(|(every, job)| is_turn(every).then_some(job))
    }
}

/// Runs them, and knows what must come.
#[derive(Debug)]
pub(super) struct Jobs {
    port: u16,
    /// The joined file, as it came the first time.
    joined: Vec<u8>,
}

impl Jobs {
    pub(super) async fn new(port: u16) -> Result<Self> {
        let joined = joined(port).await?;
        Ok(Self { port, joined })
    }

    /// Runs one, for which a post is made up that nobody has asked for before.
    pub(super) async fn run(&self, job: Job, post: usize) -> Result<&'static str> {
        let url = cdn::numbered_photo_post(1 + post, PICTURES);
        let (kind, is_good) = match job {
            Job::Joined => ("joined", joined(self.port).await? == self.joined),
            Job::Slideshow => {
                let video = fetched(self.port, &mint_slideshow(self.port, &url).await?).await?;
                ("rendered", video.get(4..8) == Some(b"ftyp"))
            }
            Job::Sound => {
                let sound = fetched(self.port, &mint_sound(self.port, &url).await?).await?;
                (
                    "made into MP3",
                    sound.starts_with(b"ID3") || sound.starts_with(b"\xff"),
                )
            }
        };
        if !is_good {
            return Err(format!("{kind}: something else came").into());
        }
        Ok(kind)
    }
}

async fn joined(port: u16) -> Result<Vec<u8>> {
    let [picture, sound] = cdn::TRACKS.map(|track| track.itag);
    let link = mint_format(port, &cdn::joined_video(), &format!("{picture}+{sound}")).await?;
    fetched(port, &link).await
}

async fn fetched(port: u16, link: &str) -> Result<Vec<u8>> {
    for _ in 0..TRIES {
        match get(port, link).await? {
            (200, body) => return Ok(body),
            // All places for programs are taken, which may be said; `Retry-After` is no less than this.
            (503, _) => sleep(BUSY).await,
            (status, body) => {
                return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
            }
        }
    }
    Err("busy all the time".into())
}

/// Makes the files of all jobs.
pub(super) async fn make(of_run: &Path) -> Result<()> {
    let (photos, tracks) = (cdn::photo_folder(of_run), cdn::track_folder(of_run));
    std::fs::create_dir_all(&photos)?;
    std::fs::create_dir_all(&tracks)?;
    for [source, codec, file] in PHOTOS {
        ffmpeg(&photos, &["-f", "lavfi", "-i", source], codec, file).await?;
    }
    for (track, [source, codec]) in cdn::TRACKS.iter().zip(TRACKS) {
        let codec = format!("{codec} {}", crate::measure::joined::MUXER);
        ffmpeg(&tracks, &["-f", "lavfi", "-i", source], &codec, track.file).await?;
    }
    Ok(())
}
