//! Links of others, for [`crate::fuzz`].

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::keys::KeyRing;
use super::{Purpose, claims, token};

/// A key that nobody knows: what opens under it was forged.
static RING: LazyLock<KeyRing> = LazyLock::new(|| KeyRing::derive(None, &[]));

/// Text and bytes that no key of ours sealed don't open; claims that are read are written back the same.
pub(crate) fn link(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        assert_eq!(token::open(&RING, Purpose::Media, text), None);
    }
    let text = URL_SAFE_NO_PAD.encode(data);
    assert_eq!(token::open(&RING, Purpose::Slideshow, &text), None);
    if let Some(link) = claims::read(data) {
        let written = claims::write(&link, link.hint.as_ref());
        let again = written.ok().and_then(|written| claims::read(&written));
        assert!(again.is_some_and(|again| again.id == link.id && again.hint == link.hint));
    }
}
