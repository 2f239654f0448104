//! A slideshow: CPU, memory and time of one rendering, with every process that it takes.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::process::Command;

use super::{Bench, MIB};
use crate::report::{Goal, Row, progress};
use crate::{Result, cdn, client};

/// Pictures of a post: the most that TikTok takes.
const PICTURES: usize = 35;
/// How often memory is looked at: a picture is decoded in less than a tenth of a second.
const SAMPLE: Duration = Duration::from_millis(10);
/// Moving shapes under noise: more for a decoder and an encoder than a photograph.
const PICTURE: &str = "testsrc2=s=1080x1440:r=1,noise=alls=20:allf=t";

impl Bench {
    pub(super) async fn slideshow(&mut self) -> Result<()> {
        let folder = cdn::photo_folder(self.cdn.folder());
        make(&folder).await?;
        let subject = self.serverrs(&[]).await?;
        let link = client::mint_slideshow(subject.port, &cdn::photo_post(PICTURES)).await?;
        let watch = subject.process.watch_every(SAMPLE);
        let (began, cpu) = (Instant::now(), subject.process.cpu());
        let (status, video) = client::get(subject.port, &link).await?;
        let elapsed = began.elapsed();
        if status != 200 {
            return Err(format!("{link}: {status}: {}", String::from_utf8_lossy(&video)).into());
        }
        let cpu = subject.process.cpu().saturating_sub(cpu);
        progress(&format!("the video has {} bytes", video.len()));
        for row in [
            Row::own(
                format!("slideshow of {PICTURES} pictures, CPU s of all processes"),
                cpu.as_secs_f64(),
                Some(Goal::AtMost(30.0)),
            ),
            Row::own(
                format!("slideshow of {PICTURES} pictures, highest RSS of all processes, MiB"),
                watch.peak() as f64 / MIB,
                Some(Goal::AtMost(400.0)),
            ),
            Row::own(
                format!("slideshow of {PICTURES} pictures, s"),
                elapsed.as_secs_f64(),
                None,
            ),
        ] {
            self.report.add(row);
        }
        drop(watch);
        subject.process.stop().await
    }
}

/// Pictures and a minute of sound.
async fn make(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let count = PICTURES.to_string();
    let pictures = [
        "-f",
        "lavfi",
        "-i",
        PICTURE,
        "-frames:v",
        &count,
        "-q:v",
        "3",
        "%d.jpg",
    ];
    let sound = [
        "-f",
        "lavfi",
        "-i",
        "sine=440:d=60",
        "-c:a",
        "libmp3lame",
        "sound.mp3",
    ];
    for arguments in [&pictures[..], &sound] {
        let mut command = Command::new("ffmpeg");
        command
            .args(["-v", "error", "-nostdin", "-y"])
            .args(arguments);
        let status = command
            .current_dir(folder)
            .kill_on_drop(true)
            .status()
            .await?;
        if !status.success() {
            return Err(format!("ffmpeg: {status}").into());
        }
    }
    Ok(())
}
