//! A plain reader of whole WebM files, for looking at what was joined.

use std::collections::BTreeMap;

/// A block, with all its bytes behind the track number but the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) track: u64,
    /// Ticks, of the cluster and the block together.
    pub(crate) time: i64,
    /// Position of its cluster, counted from the segment's data.
    pub(crate) cluster: u64,
    pub(crate) data: Vec<u8>,
}

/// Where a cue point leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cue {
    pub(crate) time: u64,
    /// Track and position of the cluster.
    pub(crate) positions: Vec<(u64, u64)>,
}

/// A file.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// Children of `EBML`, `Info` and the `TrackEntry`s by identifier.
    pub(crate) ebml: BTreeMap<u32, Vec<u8>>,
    pub(crate) info: BTreeMap<u32, Vec<u8>>,
    pub(crate) tracks: Vec<BTreeMap<u32, Vec<u8>>>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) cues: Vec<Cue>,
    /// Identifiers that stand in clusters and block groups.
    pub(crate) ids: Vec<u32>,
    /// Position and time.
    pub(crate) clusters: Vec<(u64, u64)>,
    pub(crate) blocks: Vec<Block>,
}

impl Walked {
    pub(crate) fn blocks_of(&self, track: u64) -> Vec<(i64, &[u8])> {
        let blocks = self.blocks.iter().filter(|block| block.track == track);
        blocks.map(|block| (block.time, &block.data[..])).collect()
    }

    pub(crate) fn duration(&self) -> Option<f64> {
        let bytes = self.info.get(&0x4489)?;
        Some(match bytes.len() {
            4 => f32::from_be_bytes(bytes[..].try_into().unwrap()).into(),
            _ => f64::from_be_bytes(bytes[..].try_into().unwrap()),
        })
    }
}

fn width(first: u8) -> usize {
    first.leading_zeros() as usize + 1
}

pub(crate) fn uint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte))
}

/// Identifier, start and end of the data of the element at `at`. One of unknown size ends at `end`.
fn element(file: &[u8], at: usize, end: usize) -> (u32, usize, usize) {
    let id_end = at + width(file[at]);
    let data = id_end + width(file[id_end]);
    let mask = (1 << (7 * (data - id_end))) - 1;
    let size = uint(&file[id_end..data]) & mask;
    let stop = if size == mask {
        end
    } else {
        data + usize::try_from(size).unwrap()
    };
    assert!(stop <= end, "the element at {at} is too long");
    (uint(&file[at..id_end]).try_into().unwrap(), data, stop)
}

fn children(file: &[u8], mut at: usize, end: usize) -> Vec<(u32, usize, usize)> {
    let mut found = Vec::new();
    while at < end {
        let child = element(file, at, end);
        at = child.2;
        found.push(child);
    }
    found
}

fn map(file: &[u8], at: usize, end: usize) -> BTreeMap<u32, Vec<u8>> {
    let values = children(file, at, end).into_iter();
    values
        .map(|(id, at, end)| (id, file[at..end].to_vec()))
        .collect()
}

/// Reads a file whose segment ends with it. Sizes must be known, but for the segment and clusters.
pub(crate) fn walk(file: &[u8]) -> Walked {
    let mut walked = Walked::default();
    let (id, at, ebml_end) = element(file, 0, file.len());
    assert_eq!(id, 0x1A45_DFA3);
    walked.ebml = map(file, at, ebml_end);
    let (id, base, end) = element(file, ebml_end, file.len());
    assert_eq!((id, end), (0x1853_8067, file.len()));
    let mut at = base;
    let mut found = BTreeMap::new();
    let mut seeks = Vec::new();
    while at < end {
        let (id, data, stop) = element(file, at, end);
        found.entry(id).or_insert((at - base) as u64);
        match id {
            0x114D_9B74 => seeks = children(file, data, stop),
            0x1549_A966 => walked.info = map(file, data, stop),
            0x1654_AE6B => {
                let tracks = children(file, data, stop).into_iter();
                walked.tracks = tracks.map(|(_, at, end)| map(file, at, end)).collect();
            }
            0x1C53_BB6B => walked.cues = cues(file, data, stop),
            0x1254_C367 => tags(file, data, stop, &mut walked.tags),
            0x1F43_B675 => {
                at = cluster(file, (at - base) as u64, data, stop, &mut walked);
                continue;
            }
            0xEC => {}
            _ => panic!("{id:x} at {at}"),
        }
        at = stop;
    }
    for (_, at, end) in seeks {
        let seek = map(file, at, end);
        let id = uint(&seek[&0x53AB]).try_into().unwrap();
        assert_eq!(found.get(&id), Some(&uint(&seek[&0x53AC])), "{id:x}");
    }
    walked
}

fn cues(file: &[u8], at: usize, end: usize) -> Vec<Cue> {
    let mut cues = Vec::new();
    for (_, at, end) in children(file, at, end) {
        let mut cue = Cue {
            time: 0,
            positions: Vec::new(),
        };
        for (id, at, end) in children(file, at, end) {
            if id == 0xB3 {
                cue.time = uint(&file[at..end]);
            } else {
                let position = map(file, at, end);
                cue.positions
                    .push((uint(&position[&0xF7]), uint(&position[&0xF1])));
            }
        }
        cues.push(cue);
    }
    cues
}

fn tags(file: &[u8], at: usize, end: usize, tags: &mut Vec<(String, String)>) {
    for (_, at, end) in children(file, at, end) {
        for (id, at, end) in children(file, at, end) {
            if id == 0x67C8 {
                let tag = map(file, at, end);
                let text = |id| String::from_utf8(tag[&id].clone()).unwrap();
                tags.push((text(0x45A3), text(0x4487)));
            }
        }
    }
}

/// Reads the cluster whose data begin at `at`, and returns its end.
fn cluster(file: &[u8], position: u64, mut at: usize, end: usize, walked: &mut Walked) -> usize {
    let mut time = None;
    while at < end {
        let (id, data, stop) = element(file, at, end);
        if id == 0x1F43_B675 {
            break;
        }
        walked.ids.push(id);
        match id {
            0xE7 => {
                time = Some(uint(&file[data..stop]));
                walked.clusters.push((position, time.unwrap()));
            }
            0xA3 => block(&file[data..stop], position, time.unwrap(), walked),
            0xA0 => {
                for (id, data, stop) in children(file, data, stop) {
                    walked.ids.push(id);
                    if id == 0xA1 {
                        block(&file[data..stop], position, time.unwrap(), walked);
                    }
                }
            }
            _ => {}
        }
        at = stop;
    }
    at
}

fn block(bytes: &[u8], cluster: u64, time: u64, walked: &mut Walked) {
    let width = width(bytes[0]);
    let [high, low] = bytes[width..width + 2].try_into().unwrap();
    walked.blocks.push(Block {
        track: uint(&bytes[..width]) & ((1 << (7 * width)) - 1),
        time: time.cast_signed() + i64::from(i16::from_be_bytes([high, low])),
        cluster,
        data: bytes[width + 2..].to_vec(),
    });
}
