//! What the joined file says about itself: the data of `Tags`.

use super::ebml::put;
use super::ids;
use crate::media::Tags;
use crate::media::tags::written;

/// The data of `Tags`; empty when there is nothing to say. Names: RFC 9559 leaves them to the tag registry
/// (draft-ietf-cellar-tags). A cover is left out: WebM has no attachments.
pub(super) fn to_ebml(tags: &Tags<'_>) -> Vec<u8> {
    let values = [
        ("TITLE", tags.title),
        ("ARTIST", tags.artist),
        ("DATE_RELEASED", tags.date),
        ("DESCRIPTION", tags.description),
        ("URL", tags.source),
    ];
    let mut tag = Vec::new();
    for (name, value) in values {
        let Some(value) = written(value) else {
            continue;
        };
        let mut simple = Vec::new();
        put(&mut simple, ids::TAG_NAME, name.as_bytes());
        put(&mut simple, ids::TAG_STRING, value.as_bytes());
        put(&mut tag, ids::SIMPLE_TAG, &simple);
    }
    let mut all = Vec::new();
    if !tag.is_empty() {
        // Empty targets: the whole segment.
        let mut data = Vec::new();
        put(&mut data, ids::TARGETS, &[]);
        data.append(&mut tag);
        put(&mut all, ids::TAG, &data);
    }
    all
}
