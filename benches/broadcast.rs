//! What a minute on air costs besides encoding: cutting an item into groups, laying them on the timeline, and writing
//! them as RTMP chunks. 1280x720 at 2628 kbit/s; the network is not in it.
//!
//! `cargo bench --bench broadcast`. A minute on air is a minute of one stream: the time told is what it takes of it.
#![expect(
    clippy::expect_used,
    reason = "a benchmark without its input has nothing to measure"
)]

use bytes::{Bytes, BytesMut};
use divan::Bencher;
use divan::counter::BytesCount;
use serverrs::broadcast::flv::{Tag, TagKind, write_header, write_tag};
use serverrs::broadcast::publisher::rtmp::{ChunkWriter, Message};
use serverrs::broadcast::source::{Source, SourceOptions, channel};
use serverrs::broadcast::splicer::{Item, Slate, Splicer, Step};

const FPS: u32 = 30;
const PICTURE_BYTES: usize = 2_500_000 / 8 / FPS as usize;
const SOUND_BYTES: usize = 128_000 / 8 * 1024 / 48_000;
/// What a read of a pipe gives.
const PIECE: usize = 64 * 1024;

fn main() {
    divan::main();
}

#[divan::bench]
fn minute_on_air(bencher: Bencher<'_, '_>) {
    let minute = flv(60 * FPS);
    let slate = Slate::parse(&flv(FPS / 2), FPS).expect("a slate");
    bencher
        .counter(BytesCount::of_slice(&minute))
        .bench(|| on_air(&slate, &minute));
}

/// Everything from the bytes of a pipe to the bytes of a socket; gives their number.
fn on_air(slate: &Slate, item: &[u8]) -> usize {
    let (mut sink, source) = channel(SourceOptions {
        fps: Some(FPS),
        headers: Some(slate.headers().clone()),
        ..SourceOptions::default()
    });
    let mut splicer = Splicer::new(slate.clone(), false);
    splicer.queue(Item {
        id: 1,
        source,
        base: std::time::Duration::ZERO,
    });
    let mut writer = ChunkWriter::new();
    writer.set_chunk_size(4096);
    let mut out = BytesMut::new();
    let mut written = 0;
    for piece in item.chunks(PIECE) {
        sink.push(piece).expect("an item");
        while splicer.awaited().is_some_and(Source::is_ready) {
            let Step::Unit(unit) = splicer.step() else {
                break;
            };
            for tag in unit.tags {
                let message = Message {
                    kind: tag.kind.number(),
                    stream: 1,
                    timestamp_ms: u32::try_from(tag.at.as_millis()).unwrap_or(u32::MAX),
                    body: tag.data,
                };
                writer.write(4, &message, &mut out);
                written += out.len();
                out.clear();
            }
        }
    }
    written
}

fn flv(pictures: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_header(&mut bytes);
    let mut put = |kind, timestamp_ms, head: &[u8], length| {
        let mut data = head.to_vec();
        data.resize(length, 0x55);
        let data = Bytes::from(data);
        let tag = Tag {
            kind,
            timestamp_ms,
            data,
        };
        write_tag(&tag, &mut bytes);
    };
    put(TagKind::Video, 0, &[0x17, 0, 0, 0, 0], 50);
    put(TagKind::Audio, 0, &[0xaf, 0, 0x11, 0x90], 4);
    let mut sounds = 0;
    for index in 0..pictures {
        let at = index * 1000 / FPS;
        while sounds * 64 / 3 <= at {
            put(TagKind::Audio, sounds * 64 / 3, &[0xaf, 1], SOUND_BYTES);
            sounds += 1;
        }
        let first = if index % (2 * FPS) == 0 { 0x17 } else { 0x27 };
        put(TagKind::Video, at, &[first, 1, 0, 0, 0], PICTURE_BYTES);
    }
    bytes
}
