//! Pictures of photo posts.

use super::{address, small};
use crate::extract::Image;

/// A picture with its addresses, what every reader knows first; `None` without one.
pub(super) fn picture(urls: &[String], width: Option<u64>, height: Option<u64>) -> Option<Image> {
    let mut urls: Vec<String> = urls.iter().filter_map(|url| address(url)).collect();
    urls.sort_by_key(|url| readability(url));
    (!urls.is_empty()).then(|| Image {
        urls,
        width: small(width),
        height: small(height),
    })
}

/// The address of a still that every reader knows.
pub(super) fn still(urls: &[String]) -> Option<String> {
    picture(urls, None, None)?.urls.into_iter().next()
}

/// JPEG, then WebP, then PNG and the unnamed, and last HEIC and AVIF.
fn readability(url: &str) -> u8 {
    let path = url.split_once('?').map_or(url, |(path, _)| path);
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("jpeg" | "jpg") => 0,
        Some("webp") => 1,
        Some("heic" | "heif" | "avif") => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readable_types_come_first_and_mirrors_keep_their_order() {
        let urls: Vec<String> = [
            "1.heic?x=.jpeg",
            "2.webp",
            "3.image",
            "4.jpeg?a=1",
            "5.webp?b",
            "6.jpg",
        ]
        .iter()
        .map(|path| format!("https://a.test/{path}"))
        .collect();
        let image = picture(&urls, Some(1080), Some(0)).unwrap();
        let order: Vec<_> = image
            .urls
            .iter()
            .map(|url| &url["https://a.test/".len()..])
            .collect();
        assert_eq!(
            order,
            [
                "4.jpeg?a=1",
                "6.jpg",
                "2.webp",
                "5.webp?b",
                "3.image",
                "1.heic?x=.jpeg"
            ]
        );
        assert_eq!((image.width, image.height), (Some(1080), None));
    }

    #[test]
    fn picture_without_address_is_none() {
        assert_eq!(picture(&[String::new()], Some(1), Some(1)), None);
    }
}
