//! Tracks of any size, made box by box (ISO/IEC 14496-12): real indices and fragments around bytes that mean nothing.

use super::super::media::Payload;
use super::track::Track;

fn boxed(kind: &str, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).expect("a small box");
    [&size.to_be_bytes()[..], kind.as_bytes(), body].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A `moov` with one track that counts milliseconds.
fn moov(handler: &str) -> Vec<u8> {
    let stsd = [words(&[0, 1]), boxed("none", &[0; 8])].concat();
    let stbl = [boxed("stsd", &stsd), boxed("stsz", &words(&[0, 0, 0]))];
    let hdlr = [&words(&[0, 0])[..], handler.as_bytes(), &[0; 13]].concat();
    let mdia = [
        boxed("mdhd", &words(&[0, 0, 0, 1000, 0, 0])),
        boxed("hdlr", &hdlr),
        boxed("minf", &boxed("stbl", &stbl.concat())),
    ];
    let tkhd = [words(&[3, 0, 0, 1]), vec![0; 68]].concat();
    let trak = [boxed("tkhd", &tkhd), boxed("mdia", &mdia.concat())];
    let mvhd = [words(&[0, 0, 0, 1000, 0]), vec![0; 80]].concat();
    let moov = [
        boxed("mvhd", &mvhd),
        boxed("trak", &trak.concat()),
        boxed("mvex", &boxed("trex", &words(&[0, 1, 1, 0, 0, 0]))),
    ];
    boxed("moov", &moov.concat())
}

/// A run of a second with so many bytes of data: what stands before them, and they.
fn run(second: u32, data: u64) -> [Payload; 2] {
    let traf = |offset: u32| {
        [
            boxed("tfhd", &words(&[0x2_0000, 1])),
            boxed("tfdt", &words(&[0, second * 1000])),
            boxed("trun", &words(&[1, 0, offset])),
        ]
        .concat()
    };
    let moof = |offset: u32| {
        let mfhd = boxed("mfhd", &words(&[0, second + 1]));
        boxed("moof", &[mfhd, boxed("traf", &traf(offset))].concat())
    };
    let offset = u32::try_from(moof(0).len() + 8).expect("a small box");
    let seed = u64::from(second);
    let size = u32::try_from(data + 8).expect("a box of 32 bits");
    let before = [&moof(offset)[..], &size.to_be_bytes(), b"mdat"].concat();
    let data = Payload::Random { seed, length: data };
    [Payload::Bytes(before.into()), data]
}

/// Picture (itag 136) and sound (itag 140) of so many seconds, with so many bytes of each per second. They take hardly any
/// memory.
pub(crate) fn large_tracks(seconds: u32, bytes: [u64; 2]) -> [Track; 2] {
    let track = |itag, handler, bytes| {
        let runs: Vec<[Payload; 2]> = (0..seconds).map(|second| run(second, bytes)).collect();
        let head = [boxed("ftyp", b"iso6\0\0\0\0iso6"), moov(handler)].concat();
        let references = runs.iter().flat_map(|run| {
            let size: u64 = run.iter().map(Payload::len).sum();
            let size = u32::try_from(size).expect("a small run");
            words(&[size, 1000, 0x9000_0000])
        });
        let sidx = [words(&[0, 1, 1000, 0, 0, seconds]), references.collect()].concat();
        let index = boxed("sidx", &sidx);
        let (start, end) = (head.len() as u64, (head.len() + index.len()) as u64);
        let head = Payload::Bytes([head, index].concat().into());
        let file = Payload::parts(std::iter::once(head).chain(runs.into_iter().flatten()));
        Track::of(itag, u64::from(seconds)).holding(file, start, end)
    };
    [track(136, "vide", bytes[0]), track(140, "soun", bytes[1])]
}
