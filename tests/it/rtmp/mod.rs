//! The wire half of broadcasts: groups on one timeline, published to ingests that behave and to ones that don't.

mod nginx;
mod playback;
mod pump;
mod session;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serverrs::broadcast::flv::{Tag, TagKind, write_header, write_tag};
use serverrs::broadcast::publisher::{Metadata, Rtmp, Target};
use serverrs::broadcast::source::{SourceOptions, SourceSink, channel};
use serverrs::broadcast::splicer::{Item, Slate};
use serverrs::config::Env;
use serverrs::net::{ClientConfig, TargetConfig, TargetDialer};

/// Found in nothing that is said.
const KEY: &str = "canary-7f3a?sig=canary-9b1c";

const METADATA: Metadata = Metadata {
    width: 320,
    height: 180,
    fps: 30,
    video_kbps: 300,
    audio_kbps: 64,
    sample_rate: 48_000,
};

/// A dialer for ingests of this machine.
fn dialer(pairs: &[(&str, &str)]) -> TargetDialer {
    let mut env = Env::from_pairs(pairs.iter().copied());
    let (config, client) = (
        TargetConfig::from_env(&mut env),
        ClientConfig::from_env(&mut env),
    );
    env.finish().unwrap();
    TargetDialer::new(config, &client).unwrap()
}

/// A publisher to `url` at this port of this machine.
fn publisher(url: &str, port: u16) -> Rtmp {
    publisher_with(url, port, &[])
}

fn publisher_with(url: &str, port: u16, pairs: &[(&str, &str)]) -> Rtmp {
    let exception = format!("127.0.0.1:{port}");
    let own = [("BROADCAST_ALLOW_PRIVATE_TARGETS", exception.as_str())];
    let dialer = dialer(&[&own[..], pairs].concat());
    let (target, key) = Target::parse(url, Some(KEY)).unwrap();
    Rtmp::new(Arc::new(dialer), target, key.unwrap())
}

/// A picture whose data says which item it is of and which number it has.
fn picture(mark: u8, index: u32, is_key: bool) -> Bytes {
    let first = if is_key { 0x17 } else { 0x27 };
    let mut data = vec![first, 1, 0, 0, 0, mark];
    data.extend(index.to_be_bytes());
    data.resize(400, 0);
    data.into()
}

/// An item of so many pictures, 30 a second, a key frame each second, with sound.
fn item_bytes(mark: u8, pictures: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_header(&mut bytes);
    let mut write = |kind, timestamp_ms, data: Bytes| {
        let tag = Tag {
            kind,
            timestamp_ms,
            data,
        };
        write_tag(&tag, &mut bytes);
    };
    write(
        TagKind::Video,
        0,
        Bytes::from_static(&[0x17, 0, 0, 0, 0, 1, 77]),
    );
    write(
        TagKind::Audio,
        0,
        Bytes::from_static(&[0xaf, 0, 0x11, 0x90]),
    );
    let mut sounds = 0;
    for index in 0..pictures {
        let at = (index * 1000 + 15) / 30;
        while sounds * 64 < (at + 33) * 3 {
            let mut data = vec![0xaf, 1, mark];
            data.extend(sounds.to_be_bytes());
            write(TagKind::Audio, sounds * 64 / 3, data.into());
            sounds += 1;
        }
        write(TagKind::Video, at, picture(mark, index, index % 30 == 0));
    }
    bytes
}

fn slate() -> Slate {
    Slate::parse(&item_bytes(0, 15), 30).unwrap()
}

fn source(id: u64) -> (SourceSink, Item) {
    let (sink, source) = channel(SourceOptions {
        fps: Some(30),
        headers: Some(slate().headers().clone()),
        ..SourceOptions::default()
    });
    let base = Duration::ZERO;
    (sink, Item { id, source, base })
}

fn whole_item(id: u8, pictures: u32) -> Item {
    let (mut sink, item) = source(u64::from(id));
    sink.push(&item_bytes(id, pictures)).unwrap();
    sink.finish();
    item
}
