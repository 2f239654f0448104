//! From a site's answer to the model: pure, no I/O, one file per shape of answer.
//!
//! A mapper returns the model and warnings: what stood in the answer and could not be used. Warnings are logged in
//! operation and must be empty in tests over recorded answers.

mod app;
mod formats;
mod frame;
mod key;
mod pictures;
mod web;

pub(in crate::extract) use app::{Dialect, map_aweme};
pub(super) use web::map_item;

use crate::extract::{Container, Content, Extraction, Format, Image};

/// A post, and what of the answer could not be used.
#[derive(Debug)]
pub(in crate::extract) struct Mapped {
    /// The post; its session is still empty.
    pub(in crate::extract) extraction: Extraction,
    /// What could not be used.
    pub(in crate::extract) warnings: Vec<String>,
}

/// Milliseconds of a length in seconds.
fn milliseconds(seconds: Option<u64>) -> u64 {
    seconds.unwrap_or(0).saturating_mul(1000)
}

/// A count as pixels, frames and the like; 0 and what is absurd count as unknown.
fn small(count: Option<u64>) -> Option<u32> {
    count
        .and_then(|count| u32::try_from(count).ok())
        .filter(|count| *count > 0)
}

/// An address that can be asked for; everything after the host stays as it is, byte for byte.
fn address(text: &str) -> Option<String> {
    if text.starts_with("//") {
        return Some(format!("https:{text}"));
    }
    (text.starts_with("https://") || text.starts_with("http://")).then(|| text.to_owned())
}

/// What there is to download, if there is something.
fn content(images: Vec<Image>, audio: Option<Format>, formats: Vec<Format>) -> Option<Content> {
    if !images.is_empty() {
        return Some(Content::Slideshow { images, audio });
    }
    (!formats.is_empty()).then_some(Content::Video { formats })
}

/// File type of a sound track by its address (`mime_type=audio_mpeg`, or the name of the file), M4A otherwise.
fn track_container(address: &str) -> Container {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let is_mp3 = query
        .split('&')
        .any(|pair| matches!(pair, "mime_type=audio_mpeg" | "mime_type=audio_mp3"))
        || path
            .rsplit_once('.')
            .is_some_and(|(_, extension)| extension == "mp3");
    if is_mp3 {
        Container::Mp3
    } else {
        Container::M4a
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stay_as_they_are() {
        for (text, expected) in [
            (
                "https://a.test/x/?a=1&&bt=%7C",
                Some("https://a.test/x/?a=1&&bt=%7C"),
            ),
            ("//a.test/x", Some("https://a.test/x")),
            ("", None),
            ("javascript:alert(1)", None),
            ("/relative", None),
        ] {
            assert_eq!(address(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn track_type_is_read_from_the_address() {
        for (text, expected) in [
            (
                "https://a.test/x/?bt=1&mime_type=audio_mpeg&q=1",
                Container::Mp3,
            ),
            ("https://a.test/x.mp3", Container::Mp3),
            ("https://a.test/x.mp3?mime_type=audio_mp4", Container::Mp3),
            ("https://a.test/obj/tos-alisg", Container::M4a),
            ("https://a.test/x?y=mime_type=audio_mpeg", Container::M4a),
        ] {
            assert_eq!(track_container(text), expected, "{text}");
        }
    }

    #[test]
    fn absurd_counts_are_unknown() {
        assert_eq!(small(Some(0)), None);
        assert_eq!(small(Some(u64::MAX)), None);
        assert_eq!(small(Some(576)), Some(576));
        assert_eq!(milliseconds(Some(u64::MAX)), u64::MAX);
    }
}
