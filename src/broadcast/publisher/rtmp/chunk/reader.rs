//! Chunks put together to messages.

use std::collections::HashMap;

use bytes::{Buf, Bytes, BytesMut};

use super::{ChunkError, DEFAULT_CHUNK, EXTENDED, Message, kind};

/// Chunk streams that a peer may use at once; servers use five.
const MAX_STREAMS: usize = 64;
/// The largest chunk size there is any use for: the longest message (section 5.4.1).
const MAX_CHUNK: u32 = 0xff_ffff;

/// What is known of a chunk stream.
#[derive(Debug, Default)]
struct ChunkStream {
    timestamp_ms: u32,
    step: u32,
    length: usize,
    kind: u8,
    stream: u32,
    is_extended: bool,
    body: BytesMut,
}

/// A chunk's head, read but not taken.
struct Head {
    on: u32,
    format: u8,
    /// Bytes of the head.
    length: usize,
    /// Time or step.
    time: Option<u32>,
    is_extended: bool,
}

/// Puts chunks together. Holds at most `max_message` bytes of messages that are not whole, and one chunk.
#[derive(Debug)]
pub struct ChunkReader {
    buffer: BytesMut,
    chunk_size: usize,
    max_message: usize,
    held: usize,
    streams: HashMap<u32, ChunkStream>,
}

impl ChunkReader {
    /// A reader at the start of a connection, behind the handshake.
    pub fn new(max_message: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            chunk_size: DEFAULT_CHUNK,
            max_message,
            held: 0,
            streams: HashMap::new(),
        }
    }

    /// Takes the next bytes. Take all messages out before the next ones.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message; `None` when more bytes are needed. The chunk size and the abortion of messages are
    /// obeyed here.
    ///
    /// # Errors
    /// [`ChunkError`]. The reader is of no use any more.
    pub fn next_message(&mut self) -> Result<Option<Message>, ChunkError> {
        while let Some(head) = self.head()? {
            let Some(whole) = self.chunk(&head)? else {
                return Ok(None);
            };
            if let Some(message) = whole {
                self.obey(&message)?;
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Reads the head of the next chunk (section 5.3.1); `None` when it is not all there.
    fn head(&self) -> Result<Option<Head>, ChunkError> {
        let mut bytes = &self.buffer[..];
        let Ok(first) = bytes.try_get_u8() else {
            return Ok(None);
        };
        let on = match first & 0x3f {
            0 => bytes.try_get_u8().map(|low| 64 + u32::from(low)),
            1 => bytes.try_get_u16_le().map(|low| 64 + u32::from(low)),
            small => Ok(u32::from(small)),
        };
        let Ok(on) = on else { return Ok(None) };
        let format = first >> 6;
        let rest = [11, 7, 3, 0][usize::from(format)];
        if bytes.len() < rest {
            return Ok(None);
        }
        let known = self.streams.get(&on);
        if format != 0 && known.is_none() {
            return Err(ChunkError::Orphan);
        }
        let short = (format < 3)
            .then(|| u32::from(bytes[0]) << 16 | u32::from(bytes[1]) << 8 | u32::from(bytes[2]));
        bytes.advance(rest);
        let is_extended = match short {
            Some(time) => time == EXTENDED,
            None => known.is_some_and(|known| known.is_extended),
        };
        let mut time = short;
        if is_extended {
            let Ok(extended) = bytes.try_get_u32() else {
                return Ok(None);
            };
            time = time.map(|_| extended);
        }
        Ok(Some(Head {
            on,
            format,
            length: self.buffer.len() - bytes.len(),
            time,
            is_extended,
        }))
    }

    /// Takes the chunk with this head: `None` when it is not all there, else the message that it ends.
    #[expect(
        clippy::option_option,
        reason = "no whole chunk, a chunk, a chunk that ends a message"
    )]
    fn chunk(&mut self, head: &Head) -> Result<Option<Option<Message>>, ChunkError> {
        if !self.streams.contains_key(&head.on) && self.streams.len() == MAX_STREAMS {
            return Err(ChunkError::TooMany);
        }
        let fields = &self.buffer[..head.length];
        let length = announced(head, fields);
        let stream = self.streams.get(&head.on);
        let begun = stream.map_or(0, |stream| stream.body.len());
        let length = length.or_else(|| Some(stream?.length)).unwrap_or(0);
        if length > self.max_message || self.held > self.max_message {
            return Err(ChunkError::TooLong(length.max(self.held)));
        }
        // A new head in the middle of a message begins another one.
        let begun = if head.format == 3 { begun } else { 0 };
        let size = (length - begun).min(self.chunk_size);
        if self.buffer.len() < head.length + size {
            return Ok(None);
        }
        let fields = self.buffer.split_to(head.length);
        let body = self.buffer.split_to(size);
        let stream = self.streams.entry(head.on).or_default();
        if begun == 0 {
            self.held -= stream.body.len();
            stream.body.clear();
            stream.begin(head, &fields);
        }
        stream.body.extend_from_slice(&body);
        if stream.body.len() < stream.length {
            self.held += size;
            return Ok(Some(None));
        }
        self.held -= stream.body.len() - size;
        Ok(Some(Some(stream.end())))
    }

    fn obey(&mut self, message: &Message) -> Result<(), ChunkError> {
        match message.kind {
            kind::SET_CHUNK_SIZE => {
                let size = number(&message.body)?;
                if size == 0 || size > i32::MAX.cast_unsigned() {
                    return Err(ChunkError::ChunkSize(size));
                }
                self.chunk_size = usize::try_from(size.min(MAX_CHUNK)).unwrap_or(DEFAULT_CHUNK);
            }
            kind::ABORT => {
                if let Some(stream) = self.streams.get_mut(&number(&message.body)?) {
                    self.held -= stream.body.len();
                    stream.body.clear();
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn number(mut body: &[u8]) -> Result<u32, ChunkError> {
    body.try_get_u32().map_err(|_| ChunkError::Malformed)
}

/// Bytes of the basic head in front of the fields.
fn basic(fields: &[u8]) -> usize {
    match fields[0] & 0x3f {
        0 => 2,
        1 => 3,
        _ => 1,
    }
}

/// The length of the message, when the head says it.
fn announced(head: &Head, fields: &[u8]) -> Option<usize> {
    let at = basic(fields) + 3;
    let bytes = fields.get(at..at + 3).filter(|_| head.format <= 1)?;
    Some(usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2]))
}

impl ChunkStream {
    /// A message begins. A head without a time repeats the step before (section 5.3.1.2.4).
    fn begin(&mut self, head: &Head, fields: &[u8]) {
        let at = basic(fields);
        self.is_extended = head.is_extended;
        self.step = head.time.unwrap_or(self.step);
        if head.format == 0 {
            self.timestamp_ms = self.step;
            let mut stream = &fields[at + 7..at + 11];
            self.stream = stream.get_u32_le();
        } else {
            self.timestamp_ms = self.timestamp_ms.wrapping_add(self.step);
        }
        if let Some(length) = announced(head, fields) {
            self.length = length;
            self.kind = fields[at + 6];
        }
    }

    fn end(&mut self) -> Message {
        Message {
            kind: self.kind,
            stream: self.stream,
            timestamp_ms: self.timestamp_ms,
            body: Bytes::from(std::mem::take(&mut self.body)),
        }
    }
}
