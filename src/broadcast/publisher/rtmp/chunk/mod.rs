//! Messages cut into chunks, and chunks put together again (RTMP specification 1.0, section 5.3).

mod reader;
#[cfg(test)]
mod tests;
mod writer;

use bytes::Bytes;

pub use reader::ChunkReader;
pub use writer::ChunkWriter;

/// Size of a chunk before anyone says otherwise.
pub const DEFAULT_CHUNK: usize = 128;
/// A time or a step of this or more is written in four bytes of its own.
const EXTENDED: u32 = 0xff_ffff;

/// Numbers of messages (sections 5.4 and 7.1).
pub mod kind {
    /// Size of the chunks that follow.
    pub const SET_CHUNK_SIZE: u8 = 1;
    /// A message that was begun is not finished.
    pub const ABORT: u8 = 2;
    /// Bytes received so far.
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// A ping, or what becomes of a stream.
    pub const USER_CONTROL: u8 = 4;
    /// How often the other side shall acknowledge.
    pub const WINDOW_SIZE: u8 = 5;
    /// How much the other side may send unacknowledged.
    pub const PEER_BANDWIDTH: u8 = 6;
    /// Sound.
    pub const AUDIO: u8 = 8;
    /// A picture.
    pub const VIDEO: u8 = 9;
    /// Named values in AMF0.
    pub const DATA: u8 = 18;
    /// A command in AMF0.
    pub const COMMAND: u8 = 20;
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is, one of [`kind`].
    pub kind: u8,
    /// The stream that it belongs to; 0 for the connection.
    pub stream: u32,
    /// Its time in milliseconds, wrapping.
    pub timestamp_ms: u32,
    /// Its content.
    pub body: Bytes,
}

/// Bytes that are no chunks, or more than a peer has reason to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// Another version of the protocol, or none.
    #[error("no RTMP")]
    Version,
    /// A chunk refers to one before it that there was not.
    #[error("chunk without a beginning")]
    Orphan,
    /// A message longer than is accepted.
    #[error("message of {0} bytes")]
    TooLong(usize),
    /// A chunk size of 0, or one with the high bit set.
    #[error("chunk size of {0}")]
    ChunkSize(u32),
    /// More chunk streams at once than are accepted.
    #[error("too many chunk streams")]
    TooMany,
    /// A peer that asks and asks without reading the answers.
    #[error("too many unanswered requests")]
    Flood,
    /// A message whose content is not what its kind says.
    #[error("malformed message")]
    Malformed,
}
