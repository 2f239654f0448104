//! Addresses and pages, for [`crate::fuzz`].

use ::url::Url;

use super::{parse_page, url};

const ID: &str = "7520000000000000001";

pub(in crate::extract) fn address(url: &Url) {
    let _source = url::classify(url);
}

/// A page about another post is an error, whatever else it says.
pub(in crate::extract) fn page(data: &[u8]) {
    if let Ok(extraction) = parse_page(data, ID) {
        assert_eq!(extraction.id, ID);
    }
}
