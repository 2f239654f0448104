//! Makes WebM files of one track, as plain or as odd as asked for.

/// A cluster.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) time: u64,
    /// Whether a cue point leads to it.
    pub(crate) is_cued: bool,
    /// Ticks behind the cluster's time, and media bytes.
    pub(crate) blocks: Vec<(i16, Vec<u8>)>,
}

/// What a file is like. Each oddity is allowed by RFC 8794 and RFC 9559.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an oddity that goes with any other"
)]
pub(crate) struct Synth {
    pub(crate) is_picture: bool,
    pub(crate) number: u64,
    /// Bytes of the number in blocks.
    pub(crate) number_width: usize,
    pub(crate) uid: u64,
    pub(crate) scale: u64,
    pub(crate) duration: Option<f64>,
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) has_unknown_segment: bool,
    pub(crate) has_unknown_clusters: bool,
    /// All sizes in eight bytes.
    pub(crate) has_wide_sizes: bool,
    /// `Position`, `PrevSize` and `CRC-32` in clusters.
    pub(crate) has_place_marks: bool,
    pub(crate) has_groups: bool,
    /// Groups begin with something else than their block.
    pub(crate) has_late_blocks: bool,
    /// `Void` before and between clusters, and in them.
    pub(crate) has_voids: bool,
    /// Put in place of `Cues`, `Info` and so on, by identifier.
    pub(crate) replaced: Vec<(u32, Vec<u8>)>,
    /// Put behind the codec of the track.
    pub(crate) in_track: Vec<u8>,
    /// Stands behind the last cluster; the `SeekHead` names it.
    pub(crate) behind: Vec<u8>,
}

/// An element with its size in the fewest bytes.
pub(crate) fn el(id: u32, data: &[u8]) -> Vec<u8> {
    sized(id, data, false)
}

/// An unsigned integer.
pub(crate) fn num(id: u32, value: u64) -> Vec<u8> {
    let zeros = (value.leading_zeros() as usize / 8).min(7);
    el(id, &value.to_be_bytes()[zeros..])
}

fn id_bytes(id: u32) -> Vec<u8> {
    id.to_be_bytes()[id.leading_zeros() as usize / 8..].to_vec()
}

fn sized(id: u32, data: &[u8], is_wide: bool) -> Vec<u8> {
    let len = data.len() as u64;
    let width = if is_wide {
        8
    } else {
        (1..8).find(|w| len < (1 << (7 * w)) - 1).unwrap()
    };
    let mut out = id_bytes(id);
    out.extend_from_slice(&(len | 1 << (7 * width)).to_be_bytes()[8 - width..]);
    out.extend_from_slice(data);
    out
}

fn unknown(id: u32, data: &[u8]) -> Vec<u8> {
    [&id_bytes(id)[..], &[0x01], &[0xFF; 7], data].concat()
}

impl Synth {
    /// A plain file: clusters of these times with one block every 20 ticks until the next one, at least one.
    pub(crate) fn plain(is_picture: bool, times: &[u64], end: u64) -> Self {
        let ends = times.iter().skip(1).copied().chain([end]);
        let clusters = times.iter().zip(ends).map(|(&time, end)| Cluster {
            time,
            is_cued: true,
            blocks: (0..i16::try_from(end - time).unwrap().max(1))
                .step_by(20)
                .map(|t| (t, vec![is_picture.into(), 7, t.to_le_bytes()[0]]))
                .collect(),
        });
        Self {
            is_picture,
            number: 1,
            number_width: 1,
            uid: 77,
            scale: 1_000_000,
            duration: Some(end as f64),
            clusters: clusters.collect(),
            has_unknown_segment: false,
            has_unknown_clusters: false,
            has_wide_sizes: false,
            has_place_marks: false,
            has_groups: false,
            has_late_blocks: false,
            has_voids: false,
            replaced: Vec::new(),
            in_track: Vec::new(),
            behind: Vec::new(),
        }
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let clusters: Vec<Vec<u8>> = self.clusters.iter().map(|c| self.cluster(c)).collect();
        let media: usize = clusters.iter().map(Vec::len).sum();
        // Positions take eight bytes, so lengths don't depend on them.
        let len = self.head(0, &clusters, media).len();
        let mut data = self.head(len, &clusters, media);
        data.extend(clusters.concat());
        data.extend_from_slice(&self.behind);
        let ebml = [
            num(0x4286, 1),
            num(0x42F7, 1),
            num(0x42F2, 4),
            num(0x42F3, 8),
            el(0x4282, b"webm"),
            num(0x4287, if self.is_picture { 2 } else { 4 }),
            num(0x4285, 2),
        ]
        .concat();
        let ebml = self.top(0x1A45_DFA3, &ebml);
        let segment = if self.has_unknown_segment {
            unknown(0x1853_8067, &data)
        } else {
            sized(0x1853_8067, &data, true)
        };
        [ebml, segment].concat()
    }

    fn top(&self, id: u32, data: &[u8]) -> Vec<u8> {
        let replaced = self.replaced.iter().find(|(other, _)| *other == id);
        replaced.map_or_else(
            || sized(id, data, self.has_wide_sizes),
            |(_, bytes)| bytes.clone(),
        )
    }

    fn head(&self, base: usize, clusters: &[Vec<u8>], media: usize) -> Vec<u8> {
        let mut info = num(0x002A_D7B1, self.scale);
        if let Some(duration) = self.duration {
            info.extend(el(0x4489, &duration.to_be_bytes()));
        }
        let (kind, codec) = if self.is_picture {
            (1, "V_VP9")
        } else {
            (2, "A_OPUS")
        };
        let entry = [
            num(0xD7, self.number),
            num(0x73C5, self.uid),
            num(0x83, kind),
            el(0x86, codec.as_bytes()),
            num(0x56AA, 6_500_000),
            self.in_track.clone(),
        ];
        let tracks = el(0xAE, &entry.concat());
        let mut out = Vec::new();
        if !self.behind.is_empty() {
            let position = ((base + media) as u64).to_be_bytes();
            let seek = [el(0x53AB, &self.behind[..4]), el(0x53AC, &position)].concat();
            out.extend(self.top(0x114D_9B74, &el(0x4DBB, &seek)));
        }
        out.extend(self.top(0x1549_A966, &info));
        out.extend(self.top(0x1654_AE6B, &tracks));
        if self.has_voids {
            out.extend(el(0xEC, &[0; 40]));
        }
        out.extend(self.top(0x1C53_BB6B, &self.cues(base, clusters)));
        if self.has_voids {
            out.extend(el(0xEC, &[]));
        }
        out
    }

    fn cues(&self, mut at: usize, clusters: &[Vec<u8>]) -> Vec<u8> {
        let mut cues = Vec::new();
        for (cluster, bytes) in self.clusters.iter().zip(clusters) {
            if cluster.is_cued {
                cues.extend(cue(cluster.time, self.number, at as u64));
            }
            at += bytes.len();
        }
        cues
    }

    fn cluster(&self, cluster: &Cluster) -> Vec<u8> {
        let wide = |id, data: &[u8]| sized(id, data, self.has_wide_sizes);
        let mut data = Vec::new();
        if self.has_place_marks {
            data.extend(el(0xBF, &[1, 2, 3, 4]));
        }
        data.extend(num(0xE7, cluster.time));
        if self.has_place_marks {
            data.extend(num(0xA7, 123_456));
            data.extend(num(0xAB, 1234));
        }
        for (i, (time, media)) in cluster.blocks.iter().enumerate() {
            let number = (self.number | 1 << (7 * self.number_width)).to_be_bytes();
            let block = [
                &number[8 - self.number_width..],
                &time.to_be_bytes(),
                &[0x80],
                media,
            ]
            .concat();
            if self.has_groups && i % 2 == 0 {
                let mut group = vec![wide(0xA1, &block), el(0x75A2, &[1, 2])];
                if self.has_late_blocks {
                    group.insert(0, el(0xBF, &[1, 2, 3, 4]));
                }
                data.extend(wide(0xA0, &group.concat()));
            } else {
                data.extend(wide(0xA3, &block));
            }
            if self.has_voids {
                data.extend(el(0xEC, &[9; 3]));
            }
        }
        let mut bytes = if self.has_unknown_clusters {
            unknown(0x1F43_B675, &data)
        } else {
            wide(0x1F43_B675, &data)
        };
        if self.has_voids {
            bytes.extend(el(0xEC, &[0; 5]));
        }
        bytes
    }
}

/// A cue point.
pub(crate) fn cue(time: u64, track: u64, position: u64) -> Vec<u8> {
    let position = [num(0xF7, track), el(0xF1, &position.to_be_bytes())].concat();
    el(0xBB, &[num(0xB3, time), el(0xB7, &position)].concat())
}
