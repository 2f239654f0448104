//! Messages cut into chunks.

use bytes::{BufMut, BytesMut};

use super::{DEFAULT_CHUNK, EXTENDED, Message};

/// Number of chunk streams that have a head of one byte.
const STREAMS: usize = 64;

/// What the chunk before on a stream said.
#[derive(Debug, Clone, Copy)]
struct Previous {
    timestamp_ms: u32,
    length: usize,
    kind: u8,
    stream: u32,
}

/// Cuts messages into chunks, with as short a head as what went before allows.
#[derive(Debug)]
pub struct ChunkWriter {
    chunk_size: usize,
    previous: [Option<Previous>; STREAMS],
}

impl Default for ChunkWriter {
    fn default() -> Self {
        Self {
            chunk_size: DEFAULT_CHUNK,
            previous: [None; STREAMS],
        }
    }
}

impl ChunkWriter {
    /// A writer at the start of a connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// The size of the chunks that follow; the other side must have been told in a message before.
    pub fn set_chunk_size(&mut self, chunk_size: usize) {
        self.chunk_size = chunk_size.max(1);
    }

    /// Writes a message on chunk stream `on`, from 2 to 63. Streams of the same kind should keep to one: heads are
    /// short then.
    pub fn write(&mut self, on: u8, message: &Message, out: &mut BytesMut) {
        let Some(slot) = self.previous.get_mut(usize::from(on) % STREAMS) else {
            return;
        };
        let length = message.body.len();
        let (format, time) = head(slot.as_ref(), message);
        *slot = Some(Previous {
            timestamp_ms: message.timestamp_ms,
            length,
            kind: message.kind,
            stream: message.stream,
        });
        let extended = (time >= EXTENDED).then_some(time);
        let pieces = length.checked_div(self.chunk_size).unwrap_or(0);
        out.reserve(length.saturating_add(pieces.saturating_mul(5).saturating_add(16)));
        out.put_u8(format << 6 | on);
        out.put_uint(u64::from(time.min(EXTENDED)), 3);
        if format <= 1 {
            out.put_uint(length as u64, 3);
            out.put_u8(message.kind);
        }
        if format == 0 {
            // The one number of the protocol that is little-endian.
            out.put_u32_le(message.stream);
        }
        put_extended(extended, out);
        for (index, piece) in message.body.chunks(self.chunk_size).enumerate() {
            if index > 0 {
                out.put_u8(0b1100_0000 | on);
                // Said again before every piece (section 5.3.1.3).
                put_extended(extended, out);
            }
            out.put_slice(piece);
        }
    }
}

fn put_extended(extended: Option<u32>, out: &mut BytesMut) {
    if let Some(time) = extended {
        out.put_u32(time);
    }
}

/// Format of the head, and the time that it carries: since the message before on this stream, or, for the first one
/// and after a step back, since the beginning.
fn head(previous: Option<&Previous>, message: &Message) -> (u8, u32) {
    let whole = (0, message.timestamp_ms);
    let Some(previous) = previous.filter(|previous| previous.stream == message.stream) else {
        return whole;
    };
    let step = message.timestamp_ms.wrapping_sub(previous.timestamp_ms);
    if step.cast_signed() < 0 {
        return whole;
    }
    let is_alike = previous.length == message.body.len() && previous.kind == message.kind;
    (if is_alike { 2 } else { 1 }, step)
}
