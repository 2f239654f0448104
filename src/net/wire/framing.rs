//! Where a body ends (RFC 9112 §6.3 and §7.1).
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use bytes::{Buf, Bytes, BytesMut};

use super::WireError;

/// Bytes of one line of the chunked coding, extensions included, and of all trailers.
const MAX_LINE: usize = 4096;
const MAX_TRAILERS: usize = 16 * 1024;

/// How the rest of a body is told from what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes.
    Length(u64),
    /// In chunks.
    Chunked(Chunk),
    /// Up to the end of the connection.
    Close,
    /// All has been read.
    Done,
}

/// Where in the chunked coding the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    /// At the line with the size.
    Size,
    /// In the data; so many bytes are left, at least one.
    Data(u64),
    /// At the line end after the data.
    DataEnd,
    /// In the trailers, of which so many bytes have been read.
    Trailers(usize),
}

/// What the bytes at hand hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Content; never empty.
    Piece(Bytes),
    /// Nothing yet.
    More,
    /// The end of the body.
    End,
}

impl Framing {
    /// A body of `length` bytes.
    pub(super) fn of_length(length: u64) -> Self {
        match length {
            0 => Self::Done,
            length => Self::Length(length),
        }
    }

    /// Most bytes that are worth reading: what follows a body is not its reader's.
    pub(super) fn remaining(self) -> u64 {
        match self {
            Self::Length(left) => left,
            Self::Chunked(_) | Self::Close => u64::MAX,
            Self::Done => 0,
        }
    }

    /// Takes the next of the content out of `buffer`.
    pub(super) fn step(&mut self, buffer: &mut BytesMut) -> Result<Step, WireError> {
        match self {
            Self::Done => Ok(Step::End),
            _ if buffer.is_empty() => Ok(Step::More),
            Self::Close => Ok(Step::Piece(buffer.split().freeze())),
            Self::Length(left) => {
                let (piece, rest) = take(buffer, *left);
                *self = Self::of_length(rest);
                Ok(Step::Piece(piece))
            }
            Self::Chunked(chunk) => {
                let mut state = *chunk;
                let step = chunked(&mut state, buffer)?;
                *self = match step {
                    Step::End => Self::Done,
                    _ => Self::Chunked(state),
                };
                Ok(step)
            }
        }
    }

    /// The connection has ended.
    ///
    /// # Errors
    /// Something is missing.
    pub(super) fn finish(&mut self) -> Result<(), WireError> {
        match self {
            Self::Close | Self::Done => {
                *self = Self::Done;
                Ok(())
            }
            Self::Length(_) | Self::Chunked(_) => Err(WireError::Cut),
        }
    }
}

/// Up to `most` bytes off the front, and how much of `most` is left.
fn take(buffer: &mut BytesMut, most: u64) -> (Bytes, u64) {
    let length = buffer
        .len()
        .min(usize::try_from(most).unwrap_or(usize::MAX));
    let left = most.saturating_sub(length as u64);
    (buffer.split_to(length).freeze(), left)
}

fn chunked(state: &mut Chunk, buffer: &mut BytesMut) -> Result<Step, WireError> {
    loop {
        match *state {
            Chunk::Data(left) => {
                if buffer.is_empty() {
                    return Ok(Step::More);
                }
                let (piece, rest) = take(buffer, left);
                *state = match rest {
                    0 => Chunk::DataEnd,
                    rest => Chunk::Data(rest),
                };
                return Ok(Step::Piece(piece));
            }
            Chunk::Size => {
                let Some(line) = line(buffer)? else {
                    return Ok(Step::More);
                };
                *state = match size(&line)? {
                    0 => Chunk::Trailers(0),
                    size => Chunk::Data(size),
                };
            }
            Chunk::DataEnd => {
                let Some(line) = line(buffer)? else {
                    return Ok(Step::More);
                };
                if !line.is_empty() {
                    return Err(WireError::Malformed("chunk longer than its size"));
                }
                *state = Chunk::Size;
            }
            Chunk::Trailers(read) => {
                let Some(line) = line(buffer)? else {
                    return Ok(Step::More);
                };
                if line.is_empty() {
                    return Ok(Step::End);
                }
                let read = read
                    .saturating_add(line.len())
                    .saturating_add(b"\r\n".len());
                if read > MAX_TRAILERS {
                    return Err(WireError::Malformed("trailers too long"));
                }
                *state = Chunk::Trailers(read);
            }
        }
    }
}

/// The next line without its end; `None` while that has not come. Both bytes of it are wanted: what a lenient reader
/// takes for a line, another doesn't.
fn line(buffer: &mut BytesMut) -> Result<Option<Bytes>, WireError> {
    let Some(end) = memchr::memchr(b'\n', buffer) else {
        return match buffer.len() {
            0..=MAX_LINE => Ok(None),
            _ => Err(WireError::Malformed("line of the chunked coding too long")),
        };
    };
    let mut line = buffer.split_to(end).freeze();
    buffer.advance(1);
    if line.last() != Some(&b'\r') || line.len() > MAX_LINE {
        return Err(WireError::Malformed("bad line of the chunked coding"));
    }
    line.truncate(line.len().saturating_sub(1));
    Ok(Some(line))
}

/// The size in a chunk's first line; extensions are ignored (RFC 9112 §7.1.1).
fn size(line: &[u8]) -> Result<u64, WireError> {
    let bad = WireError::Malformed("bad chunk size");
    let end = line.iter().position(|byte| !byte.is_ascii_hexdigit());
    let (digits, rest) = line.split_at(end.unwrap_or(line.len()));
    let is_extension = matches!(rest.trim_ascii_start().first(), None | Some(b';'));
    if !is_extension {
        return Err(bad);
    }
    // Empty or of more than 64 bits, it doesn't parse.
    let digits = std::str::from_utf8(digits).unwrap_or_default();
    u64::from_str_radix(digits, 16).map_err(|_| bad)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `parts` one after the other; the content, and whether the end was seen.
    fn run(mut framing: Framing, parts: &[&[u8]]) -> Result<(Vec<u8>, bool), WireError> {
        let mut buffer = BytesMut::new();
        let mut content = Vec::new();
        for part in parts {
            buffer.extend_from_slice(part);
            loop {
                match framing.step(&mut buffer)? {
                    Step::Piece(piece) => content.extend_from_slice(&piece),
                    Step::More => break,
                    Step::End => return Ok((content, true)),
                }
            }
        }
        Ok((content, false))
    }

    const CHUNKED: Framing = Framing::Chunked(Chunk::Size);

    #[test]
    fn framing_length_ends_by_count_and_leaves_the_rest() {
        let mut framing = Framing::of_length(3);
        let mut buffer = BytesMut::from(&b"abcdef"[..]);
        assert_eq!(
            framing.step(&mut buffer).unwrap(),
            Step::Piece("abc".into())
        );
        assert_eq!(framing.step(&mut buffer).unwrap(), Step::End);
        assert_eq!(buffer, &b"def"[..]);
        assert_eq!(Framing::of_length(0).remaining(), 0);
    }

    #[test]
    fn framing_cut_is_an_error_except_where_the_close_is_the_end() {
        assert!(Framing::Length(1).finish().is_err());
        for state in [
            Chunk::Size,
            Chunk::Data(1),
            Chunk::DataEnd,
            Chunk::Trailers(0),
        ] {
            assert!(Framing::Chunked(state).finish().is_err());
        }
        assert!(Framing::Close.finish().is_ok());
        assert!(Framing::Done.finish().is_ok());
    }

    #[test]
    fn framing_chunks_with_extensions_and_trailers_are_read() {
        let body = b"3;a=b\r\nabc\r\nA \r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\nGET";
        let expected = (b"abc0123456789".to_vec(), true);
        assert_eq!(run(CHUNKED, &[body]).unwrap(), expected);
        let single: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(run(CHUNKED, &single).unwrap(), expected);
    }

    #[test]
    fn framing_bad_chunks_are_refused() {
        let long = [b'a'; MAX_LINE + 1];
        let bad: [&[u8]; 11] = [
            b"\r\n",
            b"x\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b"0x1\r\n",
            b"1 2\r\n",
            b"3\nabc",
            b"3\r\nabcd\r\n",
            b"3\r\nabc\n",
            b"10000000000000000\r\n",
            &long,
        ];
        for body in bad {
            assert!(run(CHUNKED, &[body]).is_err(), "{}", body.escape_ascii());
        }
        let trailers = [&b"0\r\n"[..], &b"a: b\r\n".repeat(4096)].concat();
        assert!(run(CHUNKED, &[&trailers]).is_err());
    }

    proptest! {
        #[test]
        fn framing_chunked_content_is_the_same_however_it_is_cut(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..60), 0..8),
            step in 1_usize..40,
        ) {
            let mut body = Vec::new();
            for chunk in &chunks {
                body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                body.extend_from_slice(chunk);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\n");
            let parts: Vec<&[u8]> = body.chunks(step).collect();
            prop_assert_eq!(run(CHUNKED, &parts).unwrap(), (chunks.concat(), true));
            // Without its last byte it is not whole.
            let cut = &body[..body.len() - 1];
            prop_assert!(!run(CHUNKED, &[cut]).unwrap().1);
        }

        #[test]
        fn framing_any_bytes_never_panic(body: Vec<u8>, step in 1_usize..9) {
            let parts: Vec<&[u8]> = body.chunks(step).collect();
            let _ = run(CHUNKED, &parts);
        }
    }
}
