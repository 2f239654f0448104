//! FFmpeg as a maker of files and as a judge of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bytes::Bytes;
use tempfile::TempDir;

#[expect(clippy::disallowed_methods, reason = "a judge, run to its end")]
fn command(program: &str) -> Command {
    Command::new(program)
}

/// A folder in which it works.
pub(super) struct Ffmpeg {
    dir: TempDir,
}

impl Ffmpeg {
    /// `None`, said aloud, where it is missing.
    pub(super) fn find() -> Option<Self> {
        let version = command("ffmpeg").arg("-version").output();
        if !version.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: ffmpeg: it is not installed");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        Some(Self { dir })
    }

    /// Makes a file; `None`, said aloud, when this build can't.
    pub(super) fn make(&self, name: &str, arguments: &str) -> Option<Bytes> {
        let path = self.path(name);
        let arguments = format!("-nostdin -v error -threads 1 {arguments} -threads 1 -y");
        let output = command("ffmpeg")
            .args(arguments.split_whitespace())
            .arg(&path)
            .output()
            .unwrap();
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            eprintln!("SKIPPED: ffmpeg: {arguments}: {stderr}");
            return None;
        }
        Some(std::fs::read(path).unwrap().into())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Every decoded frame of a track (`v`, `a`): times, size and hash. `before` stands before the input.
    pub(super) fn frames(&self, file: &Path, track: &str, before: &str) -> Vec<String> {
        let text = self.run(
            "ffmpeg",
            &format!("-nostdin -v error -copyts {before}"),
            file,
            &format!("-map 0:{track} -fps_mode passthrough -f framehash -"),
        );
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    }

    /// Every packet of a track as it is stored.
    pub(super) fn packets(&self, file: &Path, track: &str) -> Vec<String> {
        let text = self.run(
            "ffmpeg",
            "-nostdin -v error -copyts",
            file,
            &format!("-map 0:{track} -c copy -f framehash -"),
        );
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    }

    /// What ffprobe says; it must have nothing to complain of.
    pub(super) fn probe(&self, file: &Path, what: &str) -> String {
        self.run("ffprobe", &format!("-v error {what}"), file, "")
    }

    fn run(&self, program: &str, before: &str, file: &Path, after: &str) -> String {
        let mut command = command(program);
        command.args(before.split_whitespace());
        if program == "ffmpeg" {
            command.arg("-i");
        }
        command.arg(file).args(after.split_whitespace());
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && stderr.is_empty(),
            "{program} {before} {after}: {stderr}"
        );
        String::from_utf8(output.stdout).unwrap()
    }
}
