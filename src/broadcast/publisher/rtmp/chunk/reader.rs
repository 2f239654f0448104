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
            0 => bytes
                .try_get_u8()
                .map(|low| u32::from(low).saturating_add(64)),
            1 => bytes
                .try_get_u16_le()
                .map(|low| u32::from(low).saturating_add(64)),
            small => Ok(u32::from(small)),
        };
        let Ok(on) = on else { return Ok(None) };
        let format = first >> 6;
        let length = match format {
            0 => 11,
            1 => 7,
            2 => 3,
            _ => 0,
        };
        let Some((fields, mut bytes)) = bytes.split_at_checked(length) else {
            return Ok(None);
        };
        let known = self.streams.get(&on);
        if format != 0 && known.is_none() {
            return Err(ChunkError::Orphan);
        }
        let short = fields.first_chunk::<3>().map(|short| be24(*short));
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
            length: self.buffer.len().saturating_sub(bytes.len()),
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
        let fields = self.buffer.get(..head.length).unwrap_or_default();
        let length = announced(head, fields);
        let stream = self.streams.get(&head.on);
        let begun = stream.map_or(0, |stream| stream.body.len());
        let length = length.or_else(|| Some(stream?.length)).unwrap_or(0);
        if length > self.max_message || self.held > self.max_message {
            return Err(ChunkError::TooLong(length.max(self.held)));
        }
        // A new head in the middle of a message begins another one.
        let begun = if head.format == 3 { begun } else { 0 };
        let size = length.saturating_sub(begun).min(self.chunk_size);
        if self.buffer.len() < head.length.saturating_add(size) {
            return Ok(None);
        }
        let fields = self.buffer.split_to(head.length);
        let body = self.buffer.split_to(size);
        let stream = self.streams.entry(head.on).or_default();
        if begun == 0 {
            self.held = self.held.saturating_sub(stream.body.len());
            stream.body.clear();
            stream.begin(head, &fields);
        }
        stream.body.extend_from_slice(&body);
        if stream.body.len() < stream.length {
            self.held = self.held.saturating_add(size);
            return Ok(Some(None));
        }
        let before = stream.body.len().saturating_sub(size);
        self.held = self.held.saturating_sub(before);
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
                    self.held = self.held.saturating_sub(stream.body.len());
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

fn be24([high, middle, low]: [u8; 3]) -> u32 {
    u32::from_be_bytes([0, high, middle, low])
}

/// What stands behind the basic head and the time: length, kind, stream.
fn behind_time(head: &[u8]) -> &[u8] {
    let basic = match head.first().map(|first| first & 0x3f) {
        Some(0) => 2,
        Some(1) => 3,
        _ => 1,
    };
    head.get(basic..)
        .and_then(|fields| fields.get(3..))
        .unwrap_or_default()
}

/// The length of the message, when the head says it.
fn announced(head: &Head, bytes: &[u8]) -> Option<usize> {
    let length = behind_time(bytes).first_chunk::<3>();
    let length = length.filter(|_| head.format <= 1)?;
    usize::try_from(be24(*length)).ok()
}

impl ChunkStream {
    /// A message begins. A head without a time repeats the step before (section 5.3.1.2.4).
    fn begin(&mut self, head: &Head, bytes: &[u8]) {
        self.is_extended = head.is_extended;
        self.step = head.time.unwrap_or(self.step);
        if head.format == 0 {
            self.timestamp_ms = self.step;
            let stream = behind_time(bytes).get(4..).unwrap_or_default();
            self.stream = stream
                .first_chunk()
                .map_or(0, |bytes| u32::from_le_bytes(*bytes));
        } else {
            self.timestamp_ms = self.timestamp_ms.wrapping_add(self.step);
        }
        if let Some(length) = announced(head, bytes) {
            self.length = length;
            self.kind = behind_time(bytes).get(3).copied().unwrap_or_default();
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
