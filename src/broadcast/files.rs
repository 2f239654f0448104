//! Files of this machine as items: only what lies in the operator's directory is opened, by the server itself.

use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use http_body::Frame;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use crate::transfer::range;

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// A part of a file, opened.
pub(super) struct Opened<S> {
    /// Bytes of the whole file.
    pub(super) total: u64,
    /// The half-open part that is sent; `None` for all of it.
    pub(super) part: Option<std::ops::Range<u64>>,
    /// Its bytes.
    pub(super) body: S,
}

/// The regular file of this name below `dir`, wherever links lead: it must still lie there.
///
/// # Errors
/// There is none.
pub(super) async fn find(dir: &Path, name: &str) -> io::Result<PathBuf> {
    let dir = tokio::fs::canonicalize(dir).await?;
    let path = tokio::fs::canonicalize(dir.join(name)).await?;
    let is_file = tokio::fs::metadata(&path).await?.is_file();
    if path.starts_with(&dir) && is_file {
        return Ok(path);
    }
    Err(io::Error::other("not a file of the media directory"))
}

/// Opens a file at the part that a `Range` header names.
///
/// # Errors
/// It can't be read; `None` within when no byte is asked for.
pub(super) async fn open(
    path: &Path,
    header: Option<&str>,
) -> io::Result<Option<Opened<impl Stream<Item = io::Result<Frame<Bytes>>> + Send + use<>>>> {
    let mut file = File::open(path).await?;
    let total = file.metadata().await?.len();
    let Ok(part) = range::resolve(header, total) else {
        return Ok(None);
    };
    let (start, end) = part
        .as_ref()
        .map_or((0, total), |part| (part.start, part.end));
    file.seek(SeekFrom::Start(start)).await?;
    let body = stream::try_unfold((file, end - start), async |(mut file, left)| {
        let piece = read(&mut file, left).await?;
        let piece = piece.map(|piece| {
            let left = left - piece.len() as u64;
            (Frame::data(piece), (file, left))
        });
        Ok(piece)
    });
    Ok(Some(Opened { total, part, body }))
}

/// The next of so many bytes that are left, which must be there: a file that has become shorter has not ended.
async fn read(file: &mut File, left: u64) -> io::Result<Option<Bytes>> {
    if left == 0 {
        return Ok(None);
    }
    let mut piece = BytesMut::with_capacity(READ_BYTES);
    if file.take(left).read_buf(&mut piece).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(piece.freeze()))
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    #[tokio::test]
    async fn only_files_below_the_directory_are_found() {
        let outside = tempfile::tempdir().unwrap();
        let dir = outside.path().join("media");
        std::fs::create_dir_all(dir.join("sub")).unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        std::fs::write(dir.join("sub/a b.mp4"), "film").unwrap();
        std::os::unix::fs::symlink("../secret", dir.join("link")).unwrap();
        std::os::unix::fs::symlink("sub/a b.mp4", dir.join("good")).unwrap();
        for (name, is_found) in [
            ("sub/a b.mp4", true),
            ("good", true),
            ("link", false),
            ("../secret", false),
            ("sub", false),
            ("missing", false),
        ] {
            assert_eq!(find(&dir, name).await.is_ok(), is_found, "{name}");
        }
    }

    #[tokio::test]
    async fn part_of_a_file_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("film");
        std::fs::write(&path, "0123456789").unwrap();
        for (header, expected, part) in [
            (None, "0123456789", None),
            (Some("bytes=3-5"), "345", Some(3..6)),
            (Some("bytes=7-"), "789", Some(7..10)),
        ] {
            let opened = open(&path, header).await.unwrap().unwrap();
            let frames: Vec<Frame<Bytes>> = opened.body.try_collect().await.unwrap();
            let bytes: Vec<Bytes> = frames.into_iter().flat_map(Frame::into_data).collect();
            assert_eq!(
                (bytes.concat().as_slice(), opened.part),
                (expected.as_bytes(), part)
            );
            assert_eq!(opened.total, 10);
        }
        assert!(open(&path, Some("bytes=10-")).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn file_that_becomes_shorter_while_it_is_read_has_not_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("film");
        std::fs::write(&path, vec![7; 3 * READ_BYTES]).unwrap();
        let opened = open(&path, None).await.unwrap().unwrap();
        let mut body = std::pin::pin!(opened.body);
        assert!(body.try_next().await.unwrap().is_some());
        let shorter = std::fs::OpenOptions::new().write(true).open(&path);
        shorter.unwrap().set_len(10).unwrap();
        let rest: io::Result<Vec<Frame<Bytes>>> = body.try_collect().await;
        assert_eq!(rest.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
