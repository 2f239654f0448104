//! Arbitrary and damaged bytes: an error or a file of the promised length, never a panic.

use super::joining::usual;
use super::pair::{Pair, head};
use super::walk::walk;

/// Numbers that look random, the same in each run (Marsaglia's xorshift).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }
}

/// Joins and reads everything, if it can be joined.
fn joined(sources: &[Vec<u8>; 2]) -> Option<Vec<u8>> {
    Pair::new(&sources[0], &sources[1]).ok()?.whole().ok()
}

/// All blocks of a file with their times, whatever their track is called.
fn blocks(file: &[u8]) -> Vec<(i64, Vec<u8>)> {
    let blocks = walk(file).blocks.into_iter();
    let mut blocks: Vec<_> = blocks.map(|block| (block.time, block.data)).collect();
    blocks.sort();
    blocks
}

/// Damages each byte before the media of both files. What is joined all the same has all blocks.
pub(crate) fn damage_heads(sources: &[Vec<u8>; 2]) {
    let all = blocks(&joined(sources).expect("sound files"));
    let mut counts = [0, 0];
    for side in 0..2 {
        let cluster = [0x1F, 0x43, 0xB6, 0x75];
        let head_len = sources[side].windows(4).position(|b| b == cluster);
        for at in 0..head_len.expect("a cluster") + 4 {
            for change in [0x01, 0x02, 0x10, 0x40, 0x80, 0xFF, sources[side][at]] {
                let mut damaged = sources.clone();
                damaged[side][at] ^= change;
                let file = joined(&damaged);
                counts[usize::from(file.is_some())] += 1;
                if let Some(file) = file {
                    assert!(blocks(&file) == all, "{side}: {at} ^ {change:x}");
                }
            }
        }
    }
    // Both happen: what a codec is told doesn't matter here, what a size is does.
    assert!(counts[0] > 1000 && counts[1] > 100, "{counts:?}");
}

#[test]
fn arbitrary_bytes_are_refused() {
    let mut noise = Noise(1);
    for _ in 0..50_000 {
        let bytes: Vec<u8> = (0..noise.below(64)).map(|_| noise.byte()).collect();
        assert!(head(&bytes).is_err());
    }
}

#[test]
fn arbitrary_elements_are_refused_or_read() {
    let (_, sound) = usual();
    let sound = sound.build();
    let ebml_and_segment = 12
        + sound
            .windows(4)
            .position(|b| b == [0x18, 0x53, 0x80, 0x67])
            .unwrap();
    let ids: [&[u8]; 12] = [
        &[0x15, 0x49, 0xA9, 0x66],
        &[0x16, 0x54, 0xAE, 0x6B],
        &[0x1C, 0x53, 0xBB, 0x6B],
        &[0x1F, 0x43, 0xB6, 0x75],
        &[0x11, 0x4D, 0x9B, 0x74],
        &[0xAE],
        &[0xBB],
        &[0xB7],
        &[0xF1],
        &[0xEC],
        &[0xD7],
        &[0xFF],
    ];
    let mut noise = Noise(2);
    for _ in 0..50_000 {
        let mut bytes = sound[..ebml_and_segment].to_vec();
        // A segment of unknown size.
        let at = bytes.len() - 8;
        bytes[at..].copy_from_slice(&[1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
        for _ in 0..noise.below(12) {
            bytes.extend_from_slice(ids[noise.below(ids.len())]);
            bytes.push(0x80 | noise.byte() & 0x1F);
            bytes.extend((0..noise.below(8)).map(|_| noise.byte()));
        }
        assert!(head(&bytes).is_err());
    }
}

#[test]
fn each_damaged_byte_of_a_head_is_survived() {
    let (mut picture, mut sound) = usual();
    picture.clusters.truncate(4);
    sound.clusters.truncate(2);
    damage_heads(&[picture.build(), sound.build()]);
}

#[test]
fn damaged_media_are_survived() {
    let (mut picture, mut sound) = usual();
    picture.has_groups = true;
    sound.has_unknown_clusters = true;
    picture.clusters.truncate(3);
    sound.clusters.truncate(2);
    let sources = [picture.build(), sound.build()];
    let mut noise = Noise(3);
    for _ in 0..2000 {
        let mut damaged = sources.clone();
        for _ in 0..=noise.below(3) {
            let side = noise.below(2);
            let at = noise.below(damaged[side].len());
            damaged[side][at] = noise.byte();
        }
        let cut = noise.below(20);
        let side = noise.below(2);
        let len = damaged[side].len() - if cut < 10 { 0 } else { cut };
        damaged[side].truncate(len);
        joined(&damaged);
    }
}
