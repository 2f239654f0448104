//! Chunks: what is written is read, the bytes are those of the specification, noise is harmless.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;

fn message(kind: u8, timestamp_ms: u32, length: usize) -> Message {
    Message {
        kind,
        stream: 1,
        timestamp_ms,
        body: vec![kind; length].into(),
    }
}

fn written(chunk_size: usize, messages: &[(u8, Message)]) -> BytesMut {
    let (mut writer, mut out) = (ChunkWriter::new(), BytesMut::new());
    writer.set_chunk_size(chunk_size);
    for (on, message) in messages {
        writer.write(*on, message, &mut out);
    }
    out
}

fn read(chunk_size: usize, bytes: &[u8], cut: usize) -> Result<Vec<Message>, ChunkError> {
    let mut reader = ChunkReader::new(1 << 20);
    let size = u32::try_from(chunk_size).unwrap().to_be_bytes();
    reader.push(&[&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0], &size[..]].concat());
    let mut messages = Vec::new();
    for piece in bytes.chunks(cut) {
        reader.push(piece);
        while let Some(message) = reader.next_message()? {
            messages.push(message);
        }
    }
    messages.remove(0);
    Ok(messages)
}

#[test]
fn chunk_heads_are_as_short_as_what_went_before_allows() {
    let messages = [
        (4, message(8, 10, 2)),
        (4, message(8, 33, 2)),
        (4, message(8, 54, 3)),
        (4, message(8, 50, 3)),
    ];
    let expected = [
        &[0x04, 0, 0, 10, 0, 0, 2, 8, 1, 0, 0, 0, 8, 8][..],
        &[0x84, 0, 0, 23, 8, 8],
        &[0x44, 0, 0, 21, 0, 0, 3, 8, 8, 8, 8],
        &[0x04, 0, 0, 50, 0, 0, 3, 8, 1, 0, 0, 0, 8, 8, 8],
    ]
    .concat();
    assert_eq!(written(128, &messages), expected);
}

#[test]
fn chunk_time_over_24_bits_is_said_before_every_piece() {
    let bytes = written(2, &[(6, message(9, 0x0100_0001, 5))]);
    let expected = [
        &[
            0x06, 0xff, 0xff, 0xff, 0, 0, 5, 9, 1, 0, 0, 0, 1, 0, 0, 1, 9, 9,
        ][..],
        &[0xc6, 1, 0, 0, 1, 9, 9],
        &[0xc6, 1, 0, 0, 1, 9],
    ]
    .concat();
    assert_eq!(bytes, expected);
    // The last one that fits is the one that marks those that don't.
    let bytes = written(128, &[(6, message(9, 0xff_ffff, 1))]);
    assert_eq!(bytes[1..4], [0xff; 3]);
    assert_eq!(bytes[12..16], [0, 0xff, 0xff, 0xff]);
    let bytes = written(128, &[(6, message(9, 0xff_fffe, 1))]);
    assert_eq!(bytes.len(), 13);
}

#[test]
fn chunk_time_runs_on_over_32_bits() {
    let messages = [(4, message(8, u32::MAX - 10, 1)), (4, message(8, 11, 1))];
    let bytes = written(128, &messages);
    assert_eq!(bytes[17..21], [0x84, 0, 0, 22]);
    let read = read(128, &bytes, 1000).unwrap();
    assert_eq!(read[1].timestamp_ms, 11);
}

#[test]
fn chunk_streams_may_be_interleaved() {
    let a = written(2, &[(4, message(8, 1, 4))]);
    let b = written(2, &[(6, message(9, 2, 4))]);
    let (first, second) = (a.len() - 3, b.len() - 3);
    let mixed = [&a[..first], &b[..second], &a[first..], &b[second..]].concat();
    assert_eq!(
        read(2, &mixed, 1).unwrap(),
        [message(8, 1, 4), message(9, 2, 4)]
    );
}

#[test]
fn chunk_stream_numbers_of_two_and_three_bytes_are_read() {
    for head in [&[0x00, 36][..], &[0x01, 36, 1]] {
        let bytes = [head, &[0, 0, 7, 0, 0, 1, 8, 1, 0, 0, 0, 8]].concat();
        assert_eq!(read(128, &bytes, 1).unwrap(), [message(8, 7, 1)]);
    }
}

#[test]
fn chunk_of_an_aborted_message_is_forgotten() {
    let begun = written(2, &[(4, message(8, 1, 4))]);
    let abort = Message {
        kind: kind::ABORT,
        stream: 0,
        timestamp_ms: 0,
        body: Bytes::from_static(&[0, 0, 0, 4]),
    };
    let abort_bytes = written(4, &[(2, abort.clone())]);
    let again = written(2, &[(4, message(8, 5, 2))]);
    let bytes = [
        &begun[..14],
        &abort_bytes[..12],
        &[0, 0],
        &[0xc2, 0, 4],
        &again[..],
    ]
    .concat();
    assert_eq!(read(2, &bytes, 3).unwrap(), [abort, message(8, 5, 2)]);
}

#[test]
fn chunk_faults_are_named() {
    assert_eq!(read(128, &[0xc4], 1), Err(ChunkError::Orphan));
    let long = [4, 0, 0, 0, 0xff, 0xff, 0xff, 8, 0, 0, 0, 0];
    assert_eq!(read(128, &long, 1), Err(ChunkError::TooLong(0xff_ffff)));
    for size in [0_u32, 0x8000_0000] {
        let mut bytes = vec![2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0];
        bytes.extend(size.to_be_bytes());
        assert_eq!(read(128, &bytes, 99), Err(ChunkError::ChunkSize(size)));
    }
    let short = [2, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 9];
    assert_eq!(read(128, &short, 99), Err(ChunkError::Malformed));
    let many: Vec<u8> = (0..80)
        .flat_map(|on| {
            [0, on, 0, 0, 0, 0, 0, 9, 8, 0, 0, 0, 0]
                .into_iter()
                .chain([7; 1])
        })
        .collect();
    assert_eq!(read(1, &many, 99), Err(ChunkError::TooMany));
}

#[test]
fn chunk_messages_that_never_end_are_bounded() {
    // A megabyte in each of two streams, none finished.
    let length = [0x0f, 0xff, 0xff];
    let mut bytes = Vec::new();
    for on in [4, 5] {
        bytes.extend([&[on, 0, 0, 0][..], &length, &[8, 0, 0, 0, 0]].concat());
        bytes.extend(vec![7; 0xf_0000]);
    }
    bytes.extend([0xc4]);
    assert!(matches!(
        read(0xf_0000, &bytes, 4096),
        Err(ChunkError::TooLong(_))
    ));
}

prop_compose! {
    fn any_message()(
        on in 2_u8..64,
        kind in 8_u8..21,
        stream in 0_u32..3,
        timestamp_ms in prop_oneof![0_u32..100_000, 0xff_fff0_u32..0x100_0010, any::<u32>()],
        length in 0_usize..600,
        seed: u8,
    ) -> (u8, Message) {
        let body: Vec<u8> = (0..length).map(|at| seed.wrapping_add(at.to_le_bytes()[0])).collect();
        (on, Message { kind, stream, timestamp_ms, body: body.into() })
    }
}

proptest! {
    #[test]
    fn chunk_messages_are_read_as_written(
        messages in prop::collection::vec(any_message(), 0..30),
        chunk_size in 1_usize..400,
        cut in 1_usize..700,
    ) {
        let bytes = written(chunk_size, &messages);
        let expected: Vec<_> = messages.into_iter().map(|(_, message)| message).collect();
        if expected.is_empty() {
            return Ok(());
        }
        prop_assert_eq!(read(chunk_size, &bytes, cut).unwrap(), expected);
    }

    #[test]
    fn chunk_of_any_bytes_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut reader = ChunkReader::new(500);
        for piece in bytes.chunks(7) {
            reader.push(piece);
            while let Ok(Some(message)) = reader.next_message() {
                prop_assert!(message.body.len() <= 500);
            }
        }
    }
}
