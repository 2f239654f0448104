//! What encoders and ingests write, and targets that are posted, for [`crate::fuzz`].

use super::flv::{Reader, write_tag};
use super::publisher::{Target, rtmp, srt};

/// FLV: the tags are the same however their bytes arrive, and each is written as it was read.
pub(crate) fn flv(data: &[u8]) {
    let whole = tags(data, data.len().max(1));
    let dripped = tags(data, 7);
    assert_eq!(whole, dripped);
}

/// The tags in `data`, which comes in pieces of `step` bytes, written again.
fn tags(data: &[u8], step: usize) -> Vec<u8> {
    let mut reader = Reader::new();
    let mut written = Vec::new();
    for piece in data.chunks(step) {
        reader.push(piece);
        loop {
            match reader.next_tag() {
                Ok(Some(tag)) => {
                    let _judged = tag.payload();
                    write_tag(&tag, &mut written);
                }
                Ok(None) => break,
                Err(_refused) => return written,
            }
        }
    }
    written
}

/// RTMP chunks.
pub(crate) fn rtmp_chunks(data: &[u8]) {
    rtmp::fuzz::chunks(data);
}

/// RTMP commands.
pub(crate) fn rtmp_reply(data: &[u8]) {
    rtmp::fuzz::reply(data);
}

/// Keys of SRT targets.
pub(crate) fn srt_key(data: &[u8]) {
    srt::fuzz::key(data);
}

/// Targets: one that is read is read the same from what is shown of it.
pub(crate) fn target(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for key in [None, Some("k")] {
        if let Ok((target, _)) = Target::parse(&text, key) {
            let shown = target.to_string();
            let again = Target::parse(&shown, Some("k")).map(|(target, _)| target);
            assert_eq!(again, Ok(target), "{shown}");
        }
    }
}
