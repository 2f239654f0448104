//! Pictures as sites have them: animations, types that FFmpeg can't read, and a great many.

use bytes::Bytes;

use super::faults::assert_names_picture;
use super::stage::{ID, Photos, assert_whole, first};
use crate::harness::upstream::tiktok::Item;
use crate::harness::{Builder, has_tool, skip, text};

#[tokio::test]
async fn picture_that_can_not_be_used_is_taken_from_its_other_address() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let good = photos.studio.picture("good.webp", "blue", "90x160").await;
    let undecodable = Bytes::from([&b"\xff\xd8\xff\xe0"[..], &[7; 300]].concat());
    let page = Bytes::from_static(b"<!DOCTYPE html><html>Access Denied</html>");
    for (number, bad) in [undecodable, page].into_iter().enumerate() {
        let item = Item::photo(&format!("752491945964391921{number}"), 1).without("/music/playUrl");
        photos.stage.serve(&item);
        photos.put(&item, &first(0), &bad, "image/jpeg");
        photos.put(
            &item,
            "/imagePost/images/0/imageURL/urlList/1",
            &good,
            "image/webp",
        );
        let answer = photos.slideshow(&item).await;
        assert_whole(&answer);
        let blue = photos.studio.frames(&answer.body).await[0].pixel(540, 960);
        assert!(blue[2] > 200 && blue[0] < 40, "{blue:?}");
    }
}

#[tokio::test]
async fn first_frame_of_an_animation_is_shown() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let colours = "-f lavfi -i color=blue:s=90x160:r=2:d=1 -f lavfi -i color=red:s=90x160:r=2:d=1 \
        -filter_complex [0][1]concat";
    let mut pictures = Vec::new();
    for arguments in [
        "-c:v libwebp_anim -lossless 1 a.webp",
        "-c:v libwebp_anim -lossless 0 a.webp",
        "-pix_fmt yuva420p -c:v libwebp_anim a.webp",
        "-f gif a.webp",
        "-f apng a.webp",
    ] {
        let (options, name) = arguments.rsplit_once(' ').expect("a name");
        let picture = photos
            .studio
            .make(name, &format!("{colours} {options}"))
            .await;
        pictures.push(picture);
    }
    let marks = |picture: &Bytes| memchr::memmem::find(picture, b"ANMF").is_some();
    assert_eq!(
        pictures.iter().map(marks).collect::<Vec<_>>(),
        [true, true, true, false, false]
    );
    let item = photos.serve(ID, &pictures, None);
    let answer = photos.slideshow(&item).await;
    assert_whole(&answer);
    let frames = photos.studio.frames(&answer.body).await;
    assert_eq!(frames.len(), 5);
    for frame in frames {
        let blue = frame.pixel(540, 960);
        assert!(blue[2] > 200 && blue[0] < 40, "{blue:?}");
    }
    photos.assert_nothing_left().await;
}

/// The beginning of an animation whose first frame has so many bytes, as it says.
fn animation_that_claims(length: u32) -> Bytes {
    let mut file = b"RIFF\xf8\x03\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0".to_vec();
    // 100 x 100, and a frame that fills it.
    let size = [99, 0, 0, 99, 0, 0];
    file.extend(size);
    file.extend(b"ANMF");
    file.extend(length.to_le_bytes());
    file.extend([0; 6]);
    file.extend(size);
    file.extend([100, 0, 0, 0]);
    file.extend(b"VP8 ");
    file.resize(1024, 0);
    file.into()
}

#[tokio::test]
async fn animation_that_claims_more_than_it_has_takes_no_room() {
    // Less than is claimed.
    let quota = |builder: Builder| builder.env("TEMP_QUOTA_MB", "500");
    let Some(photos) = Photos::with(|_, builder| quota(builder)).await else {
        return;
    };
    let good = photos.studio.picture("good.jpg", "blue", "90x160").await;
    for (number, length) in [3 << 30, u32::MAX, 2048].into_iter().enumerate() {
        let bad = animation_that_claims(length);
        let item = Item::photo(&format!("752491945964391923{number}"), 1).without("/music/playUrl");
        photos.stage.serve(&item);
        photos.put(&item, &first(0), &bad, "image/webp");
        let other = "/imagePost/images/0/imageURL/urlList/1";
        photos.put(&item, other, &good, "image/jpeg");
        let answer = photos.slideshow(&item).await;
        assert_whole(&answer);
        let blue = photos.studio.frames(&answer.body).await[0].pixel(540, 960);
        assert!(blue[2] > 200 && blue[0] < 40, "{blue:?}");
        let alone = photos.serve(&format!("752491945964391924{number}"), &[bad], None);
        assert_names_picture(&photos.slideshow(&alone).await, 1);
    }
    photos.assert_nothing_left().await;
}

#[tokio::test]
async fn heic_that_can_not_be_read_is_taken_from_its_other_address() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let avif = photos.studio.picture("a.avif", "red", "64x64").await;
    let mut heic = avif.to_vec();
    for (from, to) in [(b"avif", b"heic"), (b"av01", b"hvc1"), (b"av1C", b"hvcC")] {
        let places: Vec<_> = memchr::memmem::find_iter(&heic, from).collect();
        for at in places {
            heic[at..at + 4].copy_from_slice(to);
        }
    }
    let heic = Bytes::from(heic);
    let good = photos.studio.picture("good.jpg", "blue", "90x160").await;
    let item = Item::photo(ID, 1).without("/music/playUrl");
    photos.stage.serve(&item);
    photos.put(&item, &first(0), &heic, "image/heic");
    let other = "/imagePost/images/0/imageURL/urlList/1";
    photos.put(&item, other, &good, "image/jpeg");
    let answer = photos.slideshow(&item).await;
    assert_eq!(answer.status, 200);
    let blue = photos.studio.frames(&answer.body).await[0].pixel(540, 960);
    assert!(blue[2] > 200 && blue[0] < 40, "{blue:?}");
    let alone = photos.serve("7524919459643919108", &[good, heic], None);
    assert_names_picture(&photos.slideshow(&alone).await, 2);
    photos.assert_nothing_left().await;
}

/// A HEIC file as other programs make it; `None`, said aloud, where none can.
async fn true_heic(photos: &Photos) -> Option<Bytes> {
    photos.studio.picture("true.png", "red", "90x160").await;
    if !has_tool("heif-enc").await {
        skip("heif-enc", "it is not installed");
        return None;
    }
    let output = photos.studio.run("heif-enc", "true.png -o true.heic").await;
    assert!(output.status.success(), "{output:?}");
    Some(photos.studio.read("true.heic"))
}

#[tokio::test]
async fn true_heic_is_shown_or_taken_from_its_other_address() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let Some(heic) = true_heic(&photos).await else {
        return;
    };
    assert_eq!(heic[4..12], *b"ftypheic");
    // FFmpeg 5.1 can't.
    let reading = "-v error -nostdin -f mov -i true.heic -frames:v 1 -f null -";
    let is_readable = photos.studio.run("ffmpeg", reading).await.status.success();
    let good = photos.studio.picture("good.jpg", "blue", "90x160").await;
    let item = Item::photo(ID, 1).without("/music/playUrl");
    photos.stage.serve(&item);
    photos.put(&item, &first(0), &heic, "image/heic");
    let other = "/imagePost/images/0/imageURL/urlList/1";
    photos.put(&item, other, &good, "image/jpeg");
    let answer = photos.slideshow(&item).await;
    assert_whole(&answer);
    let pixel = photos.studio.frames(&answer.body).await[0].pixel(540, 960);
    let (shown, hidden) = if is_readable { (0, 2) } else { (2, 0) };
    assert!(pixel[shown] > 200 && pixel[hidden] < 40, "{pixel:?}");
    // An archive needs nobody who can read it.
    let link = text(&photos.resolve(&item).await, "/download_link/zip");
    let archive = photos.get(&link).await;
    assert_whole(&archive);
    for part in [&b"harbour_keeper_01.heic"[..], &heic] {
        assert!(memchr::memmem::find(&archive.body, part).is_some());
    }
    let alone = photos.serve("7524919459643919108", &[good, heic], None);
    let answer = photos.slideshow(&alone).await;
    if is_readable {
        assert_whole(&answer);
    } else {
        assert_names_picture(&answer, 2);
    }
    photos.assert_nothing_left().await;
}

#[tokio::test]
async fn hundred_pictures_are_one_video() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let red = photos.studio.picture("a.png", "red", "9x16").await;
    let blue = photos.studio.picture("b.png", "blue", "9x16").await;
    let mut pictures = vec![red; 99];
    pictures.push(blue);
    let item = photos.serve(ID, &pictures, None);
    let answer = photos.slideshow(&item).await;
    assert_whole(&answer);
    let facts = photos.studio.probe(&answer.body).await;
    let picture = &facts["streams"][0];
    assert_eq!(picture["nb_read_packets"], "2000");
    assert_eq!(picture["duration"], "400.000000");
    let frames = photos.studio.frames(&answer.body).await;
    let blue: Vec<_> = frames
        .iter()
        .map(|frame| frame.pixel(540, 960)[2] > 200)
        .collect();
    assert_eq!(blue.len(), 100);
    assert_eq!(blue.iter().position(|is_blue| *is_blue), Some(99));
    photos.assert_nothing_left().await;
}
