//! What ingests send, for [`crate::fuzz`].

use bytes::BytesMut;

use super::chunk::{ChunkReader, ChunkWriter, Message, kind};
use super::command::Reply;
use crate::broadcast::redact::strike;

/// Longest message that is read here.
const MAX_MESSAGE: usize = 64 * 1024;
/// A key that an ingest may repeat.
const KEY: &str = "live-1?sig=abc";

/// Chunks: the messages are the same however their bytes arrive, none is longer than accepted, and each is read as it
/// was written.
pub(crate) fn chunks(data: &[u8]) {
    let mut all = messages(data, data.len().max(1));
    assert_eq!(all, messages(data, 7));
    assert!(all.iter().all(|message| message.body.len() <= MAX_MESSAGE));
    // These say how what follows is cut.
    all.retain(|message| !matches!(message.kind, kind::SET_CHUNK_SIZE | kind::ABORT));
    let (mut writer, mut written) = (ChunkWriter::new(), BytesMut::new());
    for message in &all {
        writer.write(3, message, &mut written);
    }
    assert_eq!(all, messages(&written, written.len().max(1)));
}

/// The messages in `data`, which comes in pieces of `step` bytes, up to the first fault.
fn messages(data: &[u8], step: usize) -> Vec<Message> {
    let mut reader = ChunkReader::new(MAX_MESSAGE);
    let mut messages = Vec::new();
    for piece in data.chunks(step) {
        reader.push(piece);
        loop {
            match reader.next_message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(_refused) => return messages,
            }
        }
    }
    messages
}

/// Commands: what is shown of one is a short line without the key, however it is spelled.
pub(crate) fn reply(data: &[u8]) {
    if let Ok(Reply::Error(_, status) | Reply::Status(status)) = Reply::parse(data, KEY) {
        for text in [status.level, status.code, status.description] {
            assert!(!text.contains(char::is_control), "{text:?}");
            assert_eq!(strike(&text, KEY), text);
        }
    }
}
