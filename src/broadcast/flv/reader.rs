//! From bytes in pieces of any size to tags.

use bytes::{Buf, BytesMut};

use super::{FlvError, Tag, TagKind};

/// Longest tag that is accepted, in bytes: far more than a key frame at the highest rate a profile may ask for.
pub const MAX_TAG_BYTES: usize = 8 * 1024 * 1024;
/// Longest head of a file; more than the 9 bytes of today is skipped.
const MAX_FILE_HEAD: usize = 1024;
const FILE_HEAD: usize = 9;
const TAG_HEAD: usize = 11;
const TAG_TAIL: usize = 4;

/// Cuts a stream of bytes into tags. Holds no more than one tag and the piece that was pushed last.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: BytesMut,
    is_past_head: bool,
}

impl Reader {
    /// A reader at the start of a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream. Take all tags out before the next piece.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes that wait for the rest of their tag.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// The next whole tag; `None` when more bytes are needed.
    ///
    /// # Errors
    /// What comes is not FLV. The reader is of no use any more: there is no mark to find the next tag by.
    pub fn next_tag(&mut self) -> Result<Option<Tag>, FlvError> {
        if !self.is_past_head && !self.skip_head()? {
            return Ok(None);
        }
        let Some(head) = self.buffer.first_chunk::<TAG_HEAD>() else {
            return Ok(None);
        };
        let [number, l2, l1, l0, t2, t1, t0, t3, ..] = *head;
        let kind = TagKind::from_number(number).ok_or(FlvError::TagType(number))?;
        let length = usize::from(l2) << 16 | usize::from(l1) << 8 | usize::from(l0);
        let timestamp_ms = u32::from_be_bytes([t3, t2, t1, t0]);
        if length > MAX_TAG_BYTES {
            return Err(FlvError::TooLong(length));
        }
        let whole = length.saturating_add(TAG_HEAD);
        let with_tail = whole.saturating_add(TAG_TAIL);
        let Some(mut tail) = self.buffer.get(whole..with_tail) else {
            let held = self.buffer.len().min(whole);
            self.buffer.reserve(with_tail.saturating_sub(held));
            return Ok(None);
        };
        check_step(whole, tail.get_u32())?;
        let mut tag = self.buffer.split_to(with_tail);
        tag.advance(TAG_HEAD);
        tag.truncate(length);
        Ok(Some(Tag {
            kind,
            timestamp_ms,
            data: tag.freeze(),
        }))
    }

    /// Skips the file's head and the number behind it; `false` when more bytes are needed.
    fn skip_head(&mut self) -> Result<bool, FlvError> {
        let mut begun = self.buffer.iter().zip(b"FLV");
        if begun.any(|(byte, expected)| byte != expected) {
            return Err(FlvError::Signature);
        }
        let Some(mut length) = self.buffer.get(5..FILE_HEAD) else {
            return Ok(false);
        };
        let length = usize::try_from(length.get_u32()).unwrap_or(usize::MAX);
        if !(FILE_HEAD..=MAX_FILE_HEAD).contains(&length) {
            return Err(FlvError::Signature);
        }
        let length = length.saturating_add(TAG_TAIL);
        if self.buffer.len() < length {
            return Ok(false);
        }
        self.buffer.advance(length);
        self.is_past_head = true;
        Ok(true)
    }
}

fn check_step(announced: usize, repeated: u32) -> Result<(), FlvError> {
    let announced = u32::try_from(announced).unwrap_or(u32::MAX);
    if announced != repeated {
        return Err(FlvError::OutOfStep {
            announced,
            repeated,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::broadcast::flv::{write_header, write_tag};

    fn file(tags: &[Tag]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_header(&mut bytes);
        for tag in tags {
            write_tag(tag, &mut bytes);
        }
        bytes
    }

    fn read(pieces: &[&[u8]]) -> Result<Vec<Tag>, FlvError> {
        let mut reader = Reader::new();
        let mut tags = Vec::new();
        for piece in pieces {
            reader.push(piece);
            while let Some(tag) = reader.next_tag()? {
                tags.push(tag);
            }
        }
        Ok(tags)
    }

    fn video(timestamp_ms: u32, length: usize) -> Tag {
        Tag {
            kind: TagKind::Video,
            timestamp_ms,
            data: Bytes::from(vec![0x17; length]),
        }
    }

    #[test]
    fn reader_timestamp_over_24_bits_is_whole() {
        for timestamp in [0, 0xff_ffff, 0x100_0000, 0x1234_5678, u32::MAX] {
            let bytes = file(&[video(timestamp, 3)]);
            assert_eq!(read(&[&bytes]).unwrap(), [video(timestamp, 3)]);
        }
    }

    #[test]
    fn reader_faults_are_named() {
        assert_eq!(read(&[b"RIFF"]), Err(FlvError::Signature));
        assert_eq!(read(&[b"FL"]), Ok(vec![]));
        let good = file(&[video(1, 3)]);
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        let (head, tail) = (13, good.len() - 1);
        // The bit for encryption, then a type that is none.
        assert_eq!(read(&[&with(head, 0x29)]), Err(FlvError::TagType(0x29)));
        assert_eq!(read(&[&with(head, 7)]), Err(FlvError::TagType(7)));
        let out_of_step = FlvError::OutOfStep {
            announced: 14,
            repeated: 15,
        };
        assert_eq!(read(&[&with(tail, 15)]), Err(out_of_step));
        let long = with(head + 1, 0xff);
        assert!(matches!(read(&[&long]), Err(FlvError::TooLong(_))));
        assert_eq!(read(&[&with(8, 255)]), Ok(vec![]));
        assert_eq!(read(&[&with(5, 1)]), Err(FlvError::Signature));
    }

    proptest! {
        #[test]
        fn reader_gives_what_was_written_however_it_is_cut(
            tags in prop::collection::vec((any::<u32>(), 0_usize..300, 0_usize..3), 0..12),
            size in 1_usize..64,
        ) {
            let kinds = [TagKind::Audio, TagKind::Video, TagKind::Script];
            let tags: Vec<_> = tags
                .into_iter()
                .map(|(timestamp_ms, length, kind)| Tag { kind: kinds[kind], ..video(timestamp_ms, length) })
                .collect();
            let bytes = file(&tags);
            let pieces: Vec<_> = bytes.chunks(size).collect();
            prop_assert_eq!(read(&pieces).unwrap(), tags);
        }

        #[test]
        fn reader_never_panics_and_holds_no_more_than_a_tag(
            head in any::<bool>(),
            noise in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let mut reader = Reader::new();
            if head {
                reader.push(&file(&[]));
            }
            for byte in noise {
                reader.push(&[byte]);
                match reader.next_tag() {
                    Ok(Some(tag)) => prop_assert!(tag.data.len() <= MAX_TAG_BYTES),
                    Ok(None) => {}
                    Err(_) => break,
                }
            }
        }
    }
}
