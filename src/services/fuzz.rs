//! What instances lay down for each other, for [`crate::fuzz`].

use std::time::Duration;

use url::Url;

use super::shared::{Found, find};
use crate::extract::{Source, SourceKey};

const ID: &str = "7520000000000000001";
const NOW: u64 = 1_800_000_000;
const TTL: Duration = Duration::from_secs(300);

/// An extraction of another post is none, and none is served for longer than it may be.
pub(crate) fn shared(data: &[u8]) {
    if let Some(found) = read(data) {
        assert_eq!(found.extraction.id, ID);
        assert!(!found.left.is_zero() && found.left <= TTL);
    }
}

fn read(data: &[u8]) -> Option<Found> {
    let post = Source {
        site: "site",
        key: SourceKey::Post(ID.to_owned()),
        url: Url::parse("https://www.site.example/7520000000000000001").ok()?,
    };
    find(data, &post, NOW, TTL)
}

#[cfg(test)]
#[test]
fn corpus_is_read_as_extractions() {
    for corpus in [
        &include_bytes!("../../fuzz/corpus/shared/1")[..],
        include_bytes!("../../fuzz/corpus/shared/2"),
    ] {
        assert!(read(corpus).is_some());
    }
}
