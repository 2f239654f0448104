//! Fields of clients and upstreams, for [`crate::fuzz`].

use super::etag::EntityTag;
use super::range::{ContentRange, parse_content_range, resolve};

/// Sizes of files, at which arithmetic may go wrong.
const SIZES: [u64; 6] = [0, 1, 2, 1000, u64::MAX - 1, u64::MAX];

/// `Range`: what is served lies inside the file.
pub(crate) fn range(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for size in SIZES {
        if let Ok(Some(range)) = resolve(Some(text), size) {
            assert!(
                range.start < range.end && range.end <= size,
                "{range:?} of {size}"
            );
        }
    }
}

/// `Content-Range`: what is believed adds up.
pub(crate) fn content_range(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Some(ContentRange::Part { range, total }) = parse_content_range(text) {
        assert!(range.start < range.end, "{range:?}");
        assert!(
            total.is_none_or(|total| range.end <= total),
            "{range:?} of {total:?}"
        );
    }
}

/// Entity tags: one that is read equals itself, weakly.
pub(crate) fn entity_tag(data: &[u8]) {
    if let Some(tag) = EntityTag::parse(data) {
        assert!(tag.is_weakly(&tag));
    }
}
