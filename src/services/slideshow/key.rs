//! Which video: what names it, so that one who asks again gets the same.

use sha2::{Digest, Sha256};

use super::SlideshowError;
use crate::extract::Content;
use crate::services::origin::Post;

/// Site, post, and what the video is made of.
pub(super) type Key = (String, String, [u8; 16]);

/// Names the video of a post by its pictures in their order and its sound.
pub(super) fn key(post: &Post) -> Result<Key, SlideshowError> {
    let Content::Slideshow { images, audio } = &post.extraction.content else {
        return Err(SlideshowError::NotPhotos);
    };
    let urls = images.iter().map(|image| image.urls.first());
    let urls = urls.chain([audio.as_ref().and_then(|audio| audio.urls.first())]);
    let mut hash = Sha256::new();
    for url in urls {
        hash.update(identity(url.map_or("", String::as_str)));
        hash.update(b"\n");
    }
    let digest = hash.finalize();
    let mut name = [0; 16];
    name.copy_from_slice(&digest[..16]);
    let extraction = &post.extraction;
    Ok((extraction.site.clone(), extraction.id.clone(), name))
}

/// The part of an address that names the file: the last of its path, up to the template of sizes and types behind a `~`.
/// The rest changes with each extraction: signatures and times stand in the query and in front of the path
/// (`/<signature>/<time>/video/tos/…/<file>/`), and hosts and templates take turns (seen 2025 and 2026).
fn identity(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let (_, path) = path.split_once("://").unwrap_or(("", path));
    let mut parts = path.rsplit('/').filter(|part| !part.is_empty());
    let file = parts.next().unwrap_or_default();
    file.split('~').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_stays_while_signatures_hosts_and_templates_change() {
        for (url, name) in [
            (
                "https://v77.test/0a1b/68f0/video/tos/alisg/tos-alisg-v/oQfile/?a=1180&bt=2",
                "oQfile",
            ),
            (
                "https://v16.test/9c8d/690f/video/tos/alisg/tos-alisg-v/oQfile/?a=1180",
                "oQfile",
            ),
            (
                "https://p16-sign.test/tos-i/0a1b2c~tplv-photomode-image.jpeg?x-expires=1&x-signature=%2F",
                "0a1b2c",
            ),
            (
                "https://p19.test/tos-i/0a1b2c~tplv-photomode-image:q70.webp#x",
                "0a1b2c",
            ),
            ("https://a.test/obj/music.mp3", "music.mp3"),
            ("https://a.test", "a.test"),
            ("", ""),
        ] {
            assert_eq!(identity(url), name, "{url}");
        }
    }
}
