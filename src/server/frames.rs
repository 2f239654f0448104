//! What the bytes of an HTTP/2 connection carry: content, or only words about the connection (RFC 9113 §4.1).
//!
//! A client may keep a stream's window shut and still make us answer its `PING` and `SETTINGS` frames; the bytes of those
//! answers are no progress of a response.

use std::io::IoSlice;

/// Bytes of a frame's head.
const HEAD: usize = 9;
/// Type of the frames with content.
const DATA: u8 = 0;

/// Follows the frames of one direction of a connection, in whatever pieces they come.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: [u8; HEAD],
    /// Bytes of the head that have come.
    head_bytes: usize,
    /// Bytes of the payload that have not.
    payload_bytes: usize,
}

impl Frames {
    /// Bytes of content among the first `length` bytes of `bufs`, which come next.
    pub(super) fn content_in(&mut self, bufs: &[IoSlice<'_>], length: usize) -> usize {
        let mut left = length;
        let mut content = 0;
        for buf in bufs {
            let part = &buf[..buf.len().min(left)];
            left -= part.len();
            content += self.follow(part);
        }
        content
    }

    fn follow(&mut self, mut bytes: &[u8]) -> usize {
        let mut content = 0;
        while !bytes.is_empty() {
            if self.payload_bytes == 0 {
                let (head, rest) = bytes.split_at(bytes.len().min(HEAD - self.head_bytes));
                self.take_head(head);
                bytes = rest;
            } else {
                let (payload, rest) = bytes.split_at(bytes.len().min(self.payload_bytes));
                self.payload_bytes -= payload.len();
                if self.head[3] == DATA {
                    content += payload.len();
                }
                bytes = rest;
            }
        }
        content
    }

    fn take_head(&mut self, bytes: &[u8]) {
        let end = self.head_bytes + bytes.len();
        self.head[self.head_bytes..end].copy_from_slice(bytes);
        self.head_bytes = end;
        if end == HEAD {
            let [high, middle, low, ..] = self.head;
            self.payload_bytes =
                usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            self.head_bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, length: u8) -> Vec<u8> {
        let mut bytes = vec![0, 0, length, kind, 0, 0, 0, 0, 1];
        bytes.extend(vec![0; length.into()]);
        bytes
    }

    /// How much content each of these pieces carries.
    fn content<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<usize> {
        let mut frames = Frames::default();
        let pieces = pieces.into_iter();
        pieces
            .map(|piece| frames.content_in(&[IoSlice::new(piece)], piece.len()))
            .collect()
    }

    #[test]
    fn only_payload_of_data_frames_is_content() {
        let frames = [frame(PING, 8), frame(DATA, 5), frame(DATA, 0), frame(4, 0)];
        let pieces = frames.iter().map(Vec::as_slice);
        assert_eq!(content(pieces), [0, 5, 0, 0]);
    }

    #[test]
    fn frames_are_followed_byte_by_byte() {
        let bytes = [frame(PING, 3), frame(DATA, 2), frame(PING, 1)].concat();
        let expected = (0..bytes.len()).map(|at| usize::from((21..23).contains(&at)));
        assert_eq!(content(bytes.chunks(1)), expected.collect::<Vec<_>>());
    }

    #[test]
    fn many_frames_in_one_write_are_all_seen() {
        let pings = frame(PING, 8).repeat(100);
        let mixed = [pings.clone(), frame(DATA, 1), pings.clone()].concat();
        assert_eq!(content([&pings[..], &mixed, &pings]), [0, 1, 0]);
    }

    #[test]
    fn bytes_that_were_not_taken_come_again() {
        let (ping, data) = (frame(PING, 8), frame(DATA, 4));
        let bufs = [IoSlice::new(&ping), IoSlice::new(&data)];
        let mut frames = Frames::default();
        assert_eq!(frames.content_in(&bufs, ping.len() + HEAD + 1), 1);
        assert_eq!(frames.content_in(&[IoSlice::new(&data[HEAD + 1..])], 3), 3);
    }
}
