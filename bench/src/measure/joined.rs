//! Two tracks sent as one file: CPU beside passing the picture alone and beside `ffmpeg -c copy`, and memory per stream.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::task::JoinSet;

use super::{Bench, GIB, MIB, median};
use crate::client::{self, connect, read_head};
use crate::report::{Goal, Row, progress};
use crate::subjects::Subject;
use crate::{Result, cdn, process};

/// Ten seconds of noise that no codec makes small, and sound.
const SOURCES: [&str; 2] = [
    "testsrc2=s=1280x720:r=25:d=10,noise=alls=60:allf=t",
    "anoisesrc=a=0.1:r=44100:d=10",
];
const CODECS: [&str; 2] = [
    "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 125 -b:v 40M",
    "-c:a aac -b:a 128k",
];
/// One index before all fragments of five seconds.
pub(super) const MUXER: &str =
    "-movflags +dash+global_sidx+delay_moov -frag_duration 5000000 -f mp4";
/// Bytes per second of a client at the pace of a player.
const RATE: usize = 250_000;
/// How long such clients read.
const WATCHED: Duration = Duration::from_secs(12);
/// Streams per source address.
const PER_SOURCE: usize = 100;

impl Bench {
    pub(super) async fn joined(&mut self) -> Result<()> {
        let folder = cdn::track_folder(self.cdn.folder());
        make(&folder, self.plan.amount(8, 3)).await?;
        self.joined_cpu().await?;
        for streams in [20, self.plan.amount(500, 100)] {
            self.joined_memory(streams).await?;
        }
        Ok(())
    }

    async fn joined_cpu(&mut self) -> Result<()> {
        let subject = self.serverrs(&[]).await?;
        let links = links(&subject).await?;
        let (mut joined, mut plain, mut ffmpeg) = (vec![], vec![], vec![]);
        for _ in 0..self.plan.amount(5, 3) {
            joined.push(passed(&subject, &links[0]).await?);
            plain.push(passed(&subject, &links[1]).await?);
            ffmpeg.push(copied(self.cdn.doors.tls).await?);
        }
        subject.process.stop().await?;
        let (joined, plain, ffmpeg) = (median(joined), median(plain), median(ffmpeg));
        let goal = Goal::AtMost((1.5 * plain).min(0.5 * ffmpeg));
        for (figure, cpu, goal) in [
            ("joined file: CPU s per GiB", joined, Some(goal)),
            ("its picture alone: CPU s per GiB", plain, None),
            ("`ffmpeg -c copy` of both: CPU s per GiB", ffmpeg, None),
        ] {
            self.report.add(Row::own(figure, cpu, goal));
        }
        self.report.note(format!(
            "joined file: {:.2} × its picture alone (goal 1.5), {:.2} × `ffmpeg -c copy` (goal 0.5), all over TLS",
            joined / plain,
            joined / ffmpeg
        ));
        Ok(())
    }

    async fn joined_memory(&mut self, streams: usize) -> Result<()> {
        let subject = self.serverrs(&[]).await?;
        let link = links(&subject).await?.swap_remove(0);
        let idle = subject.process.resident() as f64;
        let watch = subject.process.watch();
        let mut running = JoinSet::new();
        for number in 0..streams {
            running.spawn(watched(subject.port, number, link.clone()));
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        let each = (watch.peak() as f64 - idle) / streams as f64 / MIB;
        drop(watch);
        let figure =
            format!("{streams} joined files at 2000 kbit/s set by the client: MiB of each");
        self.report
            .add(Row::own(figure, each, Some(Goal::AtMost(1.0))));
        subject.process.stop().await
    }
}

/// Links to the joined file and to its picture.
async fn links(subject: &Subject) -> Result<Vec<String>> {
    let [picture, sound] = cdn::TRACKS.map(|track| track.itag);
    let video = cdn::joined_video();
    let mut links = Vec::new();
    for id in [format!("{picture}+{sound}"), picture.to_string()] {
        links.push(client::mint_format(subject.port, &video, &id).await?);
    }
    Ok(links)
}

/// CPU seconds per GiB of one download.
async fn passed(subject: &Subject, link: &str) -> Result<f64> {
    let before = subject.process.cpu();
    let bytes = read_all(subject.port, link).await?;
    let cpu = subject.process.cpu().saturating_sub(before);
    Ok(cpu.as_secs_f64() / (bytes as f64 / GIB))
}

async fn read_all(port: u16, link: &str) -> Result<u64> {
    let (mut stream, length) = open(port, 0, link).await?;
    let (mut buffer, mut left) = (vec![0; 256 * 1024], length);
    while left > 0 {
        match stream.read(&mut buffer).await? {
            0 => return Err("cut".into()),
            count => left = left.saturating_sub(count as u64),
        }
    }
    Ok(length)
}

/// Asks for a file; the connection, and the bytes of the file.
async fn open(port: u16, number: usize, link: &str) -> Result<(tokio::net::TcpStream, u64)> {
    let mut stream = connect(port, 1 + number / PER_SOURCE).await?;
    let request = format!("GET {link} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let head = read_head(&mut stream).await?;
    let length = head.length.filter(|_| head.status == 200);
    let length = length.ok_or_else(|| format!("status {}", head.status))?;
    Ok((stream, length - head.lead.len() as u64))
}

/// A client at the pace of a player, for a while.
async fn watched(port: u16, number: usize, link: String) -> Result<()> {
    let (mut stream, _) = open(port, number, &link).await?;
    let mut buffer = vec![0; RATE / 10];
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    let end = tokio::time::Instant::now() + WATCHED;
    while tokio::time::Instant::now() < end {
        tick.tick().await;
        stream.read_exact(&mut buffer).await?;
    }
    Ok(())
}

/// CPU seconds per GiB of FFmpeg that reads both tracks from the CDN and writes them to a pipe.
async fn copied(port: u16) -> Result<f64> {
    let [picture, sound] =
        cdn::TRACKS.map(|track| format!("https://127.0.0.1:{port}{}", track.path()));
    let mut command = Command::new("ffmpeg");
    command.args([
        "-v", "error", "-nostdin", "-i", &picture, "-i", &sound, "-c", "copy",
    ]);
    command.args([
        "-movflags",
        "frag_keyframe+empty_moov+default_base_moof",
        "-f",
        "mp4",
        "pipe:1",
    ]);
    let before = process::children_cpu();
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut output = child.stdout.take().ok_or("no output of ffmpeg")?;
    let (mut buffer, mut bytes) = (vec![0; 256 * 1024], 0_u64);
    loop {
        match output.read(&mut buffer).await? {
            0 => break,
            count => bytes += count as u64,
        }
    }
    let status = child.wait().await?;
    if !status.success() {
        return Err(format!("ffmpeg: {status}").into());
    }
    let cpu = process::children_cpu().saturating_sub(before);
    Ok(cpu.as_secs_f64() / (bytes as f64 / GIB))
}

/// Both tracks, `times` ten seconds long.
async fn make(folder: &Path, times: u32) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    progress("making two tracks");
    let again = (times - 1).to_string();
    for (track, (source, codec)) in cdn::TRACKS.iter().zip(SOURCES.iter().zip(CODECS)) {
        let once = format!("once-{}", track.file);
        let codec = format!("{codec} {MUXER}");
        ffmpeg(folder, &["-f", "lavfi", "-i", source], &codec, &once).await?;
        let looped = ["-stream_loop", &again, "-i", &once];
        ffmpeg(folder, &looped, &format!("-c copy {MUXER}"), track.file).await?;
    }
    Ok(())
}

/// Has FFmpeg make a file in `folder`.
pub(super) async fn ffmpeg(
    folder: &Path,
    input: &[&str],
    options: &str,
    output: &str,
) -> Result<()> {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "error", "-nostdin", "-y"])
        .args(input)
        .args(options.split_whitespace())
        .arg(output);
    let status = command
        .current_dir(folder)
        .kill_on_drop(true)
        .status()
        .await?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("ffmpeg: {status}").into())
    }
}
