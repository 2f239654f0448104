//! Settings of the programs that encode, and the operator's picture for the slate.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use bytes::Bytes;

use crate::config::Env;
use crate::media::encoder::VideoEncoder;
use crate::media::pictures::{self, Kind, MAX_PIXELS};

/// Address space of a program unless a setting says otherwise, in MiB: 4K with the frames that x264 looks ahead.
const MEMORY_MB: usize = 4096;
/// Largest picture of the slate in bytes; it is kept in memory.
const MAX_IMAGE: u64 = 16 * 1024 * 1024;

/// Settings of the programs that encode.
#[derive(Debug, Clone)]
pub struct EncoderConfig {
    /// `BROADCAST_VIDEO_ENCODER` (`libx264`): what encodes the picture; of all items alike, because its configuration
    /// record must be the same.
    pub video: VideoEncoder,
    /// `BROADCAST_CHILD_MEM_MB` (4096; with an encoder in hardware 0): address space of one program, in bytes; 0 MiB is no
    /// bound. Drivers of graphics cards map far more than they use.
    pub memory_bytes: u64,
    /// `BROADCAST_SLATE_IMAGE` (none): a picture for the slate, which is black without.
    pub slate_image: Option<SlateImage>,
}

impl EncoderConfig {
    /// Reads the variables named at the fields.
    pub fn from_env(env: &mut Env) -> Self {
        let video = env.parse("BROADCAST_VIDEO_ENCODER", VideoEncoder::default());
        let default = match video {
            VideoEncoder::X264 => MEMORY_MB,
            _ => 0,
        };
        let memory = match env.count("BROADCAST_CHILD_MEM_MB", default, 0, 1 << 20) {
            0 => u64::MAX,
            mebibytes => (mebibytes as u64) << 20,
        };
        Self {
            video,
            memory_bytes: memory,
            slate_image: image(env, "BROADCAST_SLATE_IMAGE"),
        }
    }
}

/// A picture, read when the server started: what becomes of the file later changes nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct SlateImage {
    /// What it is, by its own bytes.
    pub kind: Kind,
    /// The whole file.
    pub bytes: Bytes,
}

impl fmt::Debug for SlateImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {} bytes", self.kind, self.bytes.len())
    }
}

/// Why a file is no picture for the slate.
#[derive(Debug, thiserror::Error)]
enum ImageError {
    #[error(transparent)]
    Read(#[from] std::io::Error),
    #[error("not a file")]
    NotAFile,
    #[error("larger than {} MiB", MAX_IMAGE >> 20)]
    TooLarge,
    #[error("not a PNG, JPEG or WebP picture")]
    Kind,
    #[error("a picture that breaks off, or of more than {MAX_PIXELS} pixels")]
    Size,
}

fn image(env: &mut Env, name: &str) -> Option<SlateImage> {
    let path = env.path(name)?;
    match read(&path) {
        Ok(image) => Some(image),
        Err(error) => {
            env.fault(name, format_args!("`{}`: {error}", path.display()));
            None
        }
    }
}

fn read(path: &Path) -> Result<SlateImage, ImageError> {
    // Not opened before it is known to be a file: a pipe would be waited for.
    if !std::fs::metadata(path)?.is_file() {
        return Err(ImageError::NotAFile);
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_IMAGE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_IMAGE {
        return Err(ImageError::TooLarge);
    }
    let kind = Kind::of(&bytes)
        .filter(|kind| matches!(kind, Kind::Jpeg | Kind::Png | Kind::WebP))
        .ok_or(ImageError::Kind)?;
    let (width, height) = pictures::size(kind, &bytes).ok_or(ImageError::Size)?;
    let pixels = u64::from(width) * u64::from(height);
    if !(1..=MAX_PIXELS).contains(&pixels) || !is_whole(kind, &bytes) {
        return Err(ImageError::Size);
    }
    let bytes = bytes.into();
    Ok(SlateImage { kind, bytes })
}

/// Whether its end is there, as far as that can be told without decoding it.
fn is_whole(kind: Kind, bytes: &[u8]) -> bool {
    match kind {
        // The last chunk: no bytes of data, its name, its sum (PNG, third edition, §11.2.5).
        Kind::Png => memchr::memmem::rfind(bytes, b"\0\0\0\0IEND").is_some(),
        // The end of the image (ITU-T T.81 §B.1.1.3); cameras may write more behind it.
        Kind::Jpeg => memchr::memmem::rfind(bytes, &[0xff, 0xd9]).is_some(),
        // The length of all that follows the first eight bytes (RFC 9649 §2.4).
        _ => bytes
            .get(4..8)
            .and_then(|length| length.try_into().ok())
            .is_some_and(|length| bytes.len() as u64 - 8 >= u64::from(u32::from_le_bytes(length))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        file.extend(width.to_be_bytes());
        file.extend(height.to_be_bytes());
        file.extend(b"\x08\x02\0\0\0sums\0\0\0\0IEND\xae\x42\x60\x82");
        file
    }

    fn faults(pairs: &[(&str, &str)]) -> String {
        let mut env = Env::from_pairs(pairs.iter().copied());
        EncoderConfig::from_env(&mut env);
        env.finish()
            .err()
            .map_or(String::new(), |error| error.to_string())
    }

    #[test]
    fn picture_is_read_and_anything_else_is_a_fault_with_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slate");
        let path_text = path.to_str().unwrap();
        let name = "BROADCAST_SLATE_IMAGE";
        let good = png(640, 360);
        std::fs::write(&path, &good).unwrap();
        assert_eq!(faults(&[(name, path_text)]), "");
        let large = vec![b'x'; usize::try_from(MAX_IMAGE).unwrap() + 1];
        for (bytes, said) in [
            (&b"GIF89a"[..], "not a PNG"),
            (b"", "not a PNG"),
            (&good[..good.len() - 12], "breaks off"),
            (&png(0, 1), "breaks off"),
            (&png(100_000, 100_000), "pixels"),
            (&large, "larger than 16 MiB"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let fault = faults(&[(name, path_text)]);
            assert!(fault.contains(name) && fault.contains(said), "{fault}");
        }
        for path in [dir.path().to_str().unwrap(), "/nonexistent/slate.png"] {
            assert!(faults(&[(name, path)]).contains(name), "{path}");
        }
    }

    #[test]
    fn encoders_in_hardware_have_no_bound_unless_one_is_set() {
        let memory = |pairs: &[(&str, &str)]| {
            EncoderConfig::from_env(&mut Env::from_pairs(pairs.iter().copied())).memory_bytes
        };
        let nvenc = ("BROADCAST_VIDEO_ENCODER", "h264_nvenc");
        let gibibyte = ("BROADCAST_CHILD_MEM_MB", "1024");
        assert_eq!(memory(&[]), 4 << 30);
        assert_eq!(memory(&[nvenc]), u64::MAX);
        assert_eq!(memory(&[nvenc, gibibyte]), 1 << 30);
    }
}
