//! What comes in place of a post's page: refusals, walls, redirects, and pages that are too large.

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};
use serde_json::json;

use super::super::answer::Answer;
use super::super::page::Page;
use super::super::world::World;
use super::WWW;
use super::post::page_html;

/// A page that says no: HTTP 200 with a `statusCode`.
pub(crate) fn status_page(code: u32, message: &str) -> Answer {
    let scope = json!({
        "webapp.video-detail": { "itemInfo": {}, "statusCode": code, "statusMsg": message },
    });
    Answer::html(page_html(&scope))
}

/// The captcha wall.
pub(crate) fn captcha() -> Answer {
    Answer::html(
        "<!DOCTYPE html><html><head><title>Security Check</title>\
         <script src=\"https://lf16-tiktok-web.tiktokcdn-us.com/obj/webmssdk.js\"></script></head>\
         <body><div id=\"captcha-verify-container\" class=\"captcha_verify_container\"></div></body></html>",
    )
}

/// The page that refused header sets get, with status 200.
pub(crate) fn maintenance() -> Answer {
    Answer::html(
        "<!DOCTYPE html><html><head><title>Site Under Maintenance</title></head>\
         <body><h1>Site Under Maintenance</h1></body></html>",
    )
}

/// The redirect of posts that only visitors with an account see.
pub(crate) fn login_redirect() -> Answer {
    Answer::redirect(
        302,
        "https://www.tiktok.com/login?redirect_url=https%3A%2F%2Fwww.tiktok.com%2F",
    )
}

/// A page of `bytes` spaces around nothing.
pub(crate) fn oversize(bytes: usize) -> Answer {
    let mut page = b"<!DOCTYPE html><html><body>".to_vec();
    page.resize(bytes, b' ');
    Answer::html(page).encoded("identity")
}

/// A small gzip body that unpacks to `mebibytes` of zeros.
pub(crate) fn gzip_bomb(mebibytes: u64) -> Answer {
    Answer::html(zeros_in_gzip(mebibytes)).encoded("gzip")
}

/// RFC 1952 around one deflate block that is repeated: compressing that much in a test would take long.
fn zeros_in_gzip(mebibytes: u64) -> Bytes {
    const MEBIBYTE: usize = 1 << 20;
    let zeros = vec![0; MEBIBYTE];
    let mut block = Vec::with_capacity(16 * 1024);
    let mut deflate = Compress::new(Compression::best(), false);
    deflate
        .compress_vec(&zeros, &mut block, FlushCompress::Full)
        .expect("deflate");
    let mut block_crc = Crc::new();
    block_crc.update(&zeros);
    let mut crc = Crc::new();
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
    for _ in 0..mebibytes {
        gzip.extend_from_slice(&block);
        crc.combine(&block_crc);
    }
    // A last, empty block with fixed codes ends the stream.
    gzip.extend_from_slice(&[0x03, 0x00]);
    gzip.extend_from_slice(&crc.sum().to_le_bytes());
    gzip.extend_from_slice(&crc.amount().to_le_bytes());
    gzip.into()
}

/// A short link: `first` answers with a redirect to the next hop, and so on; the last entry is where it ends and is
/// not served here.
pub(crate) fn serve_short_link(world: &World, hops: &[&str]) {
    for pair in hops.windows(2) {
        let rest = pair[0].strip_prefix("https://").expect("an https address");
        let (host, path) = rest.split_at(rest.find('/').expect("a path"));
        let path = path.split('?').next().unwrap_or_default();
        world.page(Page::new(host, path, vec![Answer::redirect(301, pair[1])]));
    }
    let last = hops.last().expect("a target");
    assert!(hops.len() > 1, "a short link needs a target besides {last}");
    if *last == format!("https://{WWW}/") {
        world.page(Page::new(
            WWW,
            "/",
            vec![Answer::html("<html>For You</html>")],
        ));
    }
}
