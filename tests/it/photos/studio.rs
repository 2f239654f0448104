//! Real media, made and looked at by ffmpeg and ffprobe; and programs that stand in for ffmpeg and misbehave.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{run, skip};

/// A directory, and the tools that make files in it.
pub(super) struct Studio {
    dir: TempDir,
}

/// A frame of a video, a tenth of its size.
pub(super) struct Frame(Vec<u8>);

impl Frame {
    /// The colour at a place of the full size.
    pub(super) fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        let at = (y / 10 * 108 + x / 10) * 3;
        *self.0[at..].first_chunk().expect("three bytes")
    }
}

impl Studio {
    /// `None`, said aloud, where there is no ffmpeg.
    pub(super) fn open() -> Option<Self> {
        for tool in ["ffmpeg", "ffprobe"] {
            if real(tool).as_os_str().is_empty() {
                skip("ffmpeg", &format!("{tool} is not installed"));
                return None;
            }
        }
        let dir = TempDir::new().expect("temporary directory");
        Some(Self { dir })
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The file that ffmpeg makes by these arguments.
    pub(super) async fn make(&self, name: &str, arguments: &str) -> Bytes {
        let arguments = format!("-v error -nostdin -y {arguments} {name}");
        let output = self.run("ffmpeg", &arguments).await;
        assert!(output.status.success(), "{arguments}: {output:?}");
        self.read(name)
    }

    /// A picture of one colour; the type follows from the name.
    pub(super) async fn picture(&self, name: &str, colour: &str, size: &str) -> Bytes {
        let extra = match name.rsplit('.').next() {
            Some("avif") => "-c:v libaom-av1 -cpu-used 8 -still-picture 1 -f avif",
            Some("webp") => "-c:v libwebp",
            _ => "",
        };
        let arguments = format!("-f lavfi -i color={colour}:s={size} -frames:v 1 {extra}");
        self.make(name, &arguments).await
    }

    /// A tone.
    pub(super) async fn tone(&self, name: &str, seconds: f64, codec: &str) -> Bytes {
        let arguments = format!("-f lavfi -i sine=440:r=44100:d={seconds} -c:a {codec}");
        self.make(name, &arguments).await
    }

    /// What ffprobe says of a file, all packets counted.
    pub(super) async fn probe(&self, file: &[u8]) -> Value {
        self.write("probed", file);
        let arguments = "-v error -count_packets -show_streams -show_format -of json probed";
        let output = self.run("ffprobe", arguments).await;
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// One line for each frame of the streams that `arguments` name: stream, times, length in bytes and digest of what was
    /// decoded.
    pub(super) async fn framehash(&self, file: &[u8], arguments: &str) -> Vec<Vec<String>> {
        self.write("digested", file);
        let arguments =
            format!("-v error -nostdin -i digested {arguments} -f framehash -hash md5 -");
        let output = self.run("ffmpeg", &arguments).await;
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{output:?}"
        );
        let text = String::from_utf8(output.stdout).expect("text");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let fields = lines.map(|line| line.split(',').map(|field| field.trim().to_owned()));
        fields.map(Iterator::collect).collect()
    }

    /// The frame in the middle of each four seconds of a video of five frames a second, as 108 × 192 pixels in RGB.
    pub(super) async fn frames(&self, video: &[u8]) -> Vec<Frame> {
        self.write("looked-at", video);
        let arguments = "-v error -nostdin -i looked-at -vf select=eq(mod(n\\,20)\\,10),scale=108:192:flags=neighbor \
             -vsync 0 -pix_fmt rgb24 -f rawvideo -";
        let output = self.run("ffmpeg", arguments).await;
        let frames = output.stdout.chunks_exact(108 * 192 * 3);
        frames.map(|frame| Frame(frame.to_vec())).collect()
    }

    /// Mean loudness of a part of the sound, in decibels; silence is about -90.
    pub(super) async fn loudness(&self, file: &[u8], from: f64, to: f64) -> f64 {
        self.write("heard", file);
        let arguments = format!(
            "-nostdin -hide_banner -i heard -map 0:a -af atrim={from}:{to},volumedetect -f null -"
        );
        let output = self.run("ffmpeg", &arguments).await;
        let said = String::from_utf8_lossy(&output.stderr);
        let (_, rest) = said.split_once("mean_volume:").expect("a volume");
        rest.split_whitespace()
            .next()
            .expect("a figure")
            .parse()
            .expect("a number")
    }

    /// A program in place of ffmpeg: a shell script, in which `$real` is the true one and `$0.bad` a file that
    /// [`Studio::behave`] takes away. What it can do is asked of the true one.
    pub(super) fn impostor(&self, script: &str) -> PathBuf {
        let path = self.dir().join("impostor");
        let asked = r#"case "$*" in *-encoders) exec "$real" "$@";; esac"#;
        let real = real("ffmpeg");
        let text = format!("#!/bin/sh\nreal={}\n{asked}\n{script}\n", real.display());
        std::fs::write(&path, text).expect("script");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("mode");
        self.write("impostor.bad", b"");
        path
    }

    /// From now on the impostor is ffmpeg.
    pub(super) fn behave(&self) {
        std::fs::remove_file(self.dir().join("impostor.bad")).expect("bad behaviour");
    }

    pub(super) fn read(&self, name: &str) -> Bytes {
        std::fs::read(self.dir().join(name)).expect(name).into()
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.dir().join(name), bytes).expect("file");
    }

    pub(super) async fn run(&self, program: &str, arguments: &str) -> std::process::Output {
        let arguments = arguments.split_whitespace();
        run(program, arguments, &BTreeMap::new(), self.dir()).await
    }
}

/// Where a program lies; empty when it isn't on the `PATH`.
fn real(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_default()
}
