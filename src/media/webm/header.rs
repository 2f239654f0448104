//! Writes what stands before the first cluster of the joined file.

use super::Fault;
use super::ebml::{put, put_id, put_uint, put_uint_wide};
use super::ids;
use super::tags::to_ebml;
use super::track::{Entry, Versions};
use crate::media::Tags;
use crate::media::tags::written;

/// Largest size that eight bytes hold, less room for what stands before the segment's data.
const MAX_SEGMENT: u64 = (1 << 56) - 2;

/// A cue point of the joined file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cue {
    /// Ticks.
    pub(super) time: u64,
    /// The picture's cluster of that time; bytes from the first cluster.
    pub(super) picture: u64,
    /// The sound's, if it has begun; stands behind the picture's.
    pub(super) sound: Option<u64>,
}

/// What the head is made of.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) versions: Versions,
    /// Nanoseconds of one tick.
    pub(super) scale: u64,
    /// Ticks.
    pub(super) duration: Option<f64>,
    /// With the numbers and UIDs of the joined file.
    pub(super) picture: &'a Entry,
    pub(super) sound: &'a Entry,
    pub(super) tags: &'a Tags<'a>,
    pub(super) cues: &'a [Cue],
    /// Bytes of all clusters.
    pub(super) media: u64,
}

impl Parts<'_> {
    /// All bytes before the first cluster.
    ///
    /// # Errors
    /// The file would be larger than an EBML size can say.
    pub(super) fn build(&self) -> Result<Vec<u8>, Fault> {
        let mut elements = vec![
            (ids::INFO, self.info()),
            (ids::TRACKS, self.tracks()),
            (ids::TAGS, to_ebml(self.tags)),
        ];
        elements.retain(|(_, data)| !data.is_empty());
        // Positions are written in eight bytes, so lengths don't depend on them.
        elements.push((ids::CUES, self.cues(0)));
        let seek_head_len = wrapped(ids::SEEK_HEAD, &seek_head(&elements, 0)).len();
        let rest: usize = elements
            .iter()
            .map(|(id, data)| wrapped(*id, data).len())
            .sum();
        let first_cluster = (seek_head_len + rest) as u64;
        if let Some((_, data)) = elements.last_mut() {
            *data = self.cues(first_cluster);
        }
        let size = first_cluster
            .checked_add(self.media)
            .filter(|&size| size <= MAX_SEGMENT)
            .ok_or(Fault::TooLarge("more than 2^56 bytes"))?;

        let mut out = self.ebml();
        put_id(&mut out, ids::SEGMENT);
        out.extend_from_slice(&(size | 1 << 56).to_be_bytes());
        put(
            &mut out,
            ids::SEEK_HEAD,
            &seek_head(&elements, seek_head_len as u64),
        );
        for (id, data) in &elements {
            put(&mut out, *id, data);
        }
        Ok(out)
    }

    fn ebml(&self) -> Vec<u8> {
        let mut data = Vec::new();
        put_uint(&mut data, ids::EBML_VERSION, 1);
        put_uint(&mut data, ids::EBML_READ_VERSION, 1);
        put_uint(&mut data, ids::EBML_MAX_ID_LENGTH, 4);
        put_uint(&mut data, ids::EBML_MAX_SIZE_LENGTH, 8);
        put(&mut data, ids::DOC_TYPE, b"webm");
        put_uint(&mut data, ids::DOC_TYPE_VERSION, self.versions.written);
        put_uint(&mut data, ids::DOC_TYPE_READ_VERSION, self.versions.read);
        wrapped(ids::EBML, &data)
    }

    fn info(&self) -> Vec<u8> {
        let mut data = Vec::new();
        put_uint(&mut data, ids::TIMESTAMP_SCALE, self.scale);
        if let Some(duration) = self.duration {
            put(&mut data, ids::DURATION, &duration.to_be_bytes());
        }
        if let Some(title) = written(self.tags.title) {
            put(&mut data, ids::TITLE, title.as_bytes());
        }
        put(&mut data, ids::MUXING_APP, b"serverrs");
        put(&mut data, ids::WRITING_APP, b"serverrs");
        data
    }

    fn tracks(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for entry in [self.picture, self.sound] {
            let mut track = Vec::new();
            put_uint(&mut track, ids::TRACK_NUMBER, entry.number);
            put_uint(&mut track, ids::TRACK_UID, entry.uid);
            track.extend_from_slice(&entry.rest);
            put(&mut data, ids::TRACK_ENTRY, &track);
        }
        data
    }

    /// `first_cluster`: its position, counted from the segment's data.
    fn cues(&self, first_cluster: u64) -> Vec<u8> {
        let mut data = Vec::new();
        let mut point = Vec::new();
        for cue in self.cues {
            point.clear();
            put_uint(&mut point, ids::CUE_TIME, cue.time);
            // The picture first: some players take the first position for that of both.
            position(&mut point, self.picture.number, first_cluster + cue.picture);
            if let Some(sound) = cue.sound {
                position(&mut point, self.sound.number, first_cluster + sound);
            }
            put(&mut data, ids::CUE_POINT, &point);
        }
        data
    }
}

fn position(out: &mut Vec<u8>, track: u64, position: u64) {
    let mut data = Vec::new();
    put_uint(&mut data, ids::CUE_TRACK, track);
    put_uint_wide(&mut data, ids::CUE_CLUSTER_POSITION, position);
    put(out, ids::CUE_TRACK_POSITIONS, &data);
}

/// The data of `SeekHead` for elements that stand one after the other from `position` on.
fn seek_head(elements: &[(u32, Vec<u8>)], mut position: u64) -> Vec<u8> {
    let mut data = Vec::new();
    for (id, content) in elements {
        let mut seek = Vec::new();
        put(&mut seek, ids::SEEK_ID, &id.to_be_bytes());
        put_uint_wide(&mut seek, ids::SEEK_POSITION, position);
        put(&mut data, ids::SEEK, &seek);
        position += wrapped(*id, content).len() as u64;
    }
    data
}

fn wrapped(id: u32, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, id, data);
    out
}
