//! What encoders write, for [`crate::fuzz`].

use super::flv::{Reader, write_tag};

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
