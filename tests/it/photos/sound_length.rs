//! The length of MP3: told beforehand where the track says its own exactly, and never wrong.

use bytes::Bytes;

use super::sound::{assert_mp3, link, mp3, seconds, serve, track};
use super::stage::Photos;

#[tokio::test]
async fn track_of_unknown_length_is_sent_in_chunks() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let track = photos.studio.tone("tone.webm", 5.0, "libopus").await;
    let (link, answer) = mp3(&photos, &track).await;
    assert_mp3(&answer);
    let first = photos.stage.api().get_range(&link, "bytes=0-0").await;
    assert!(
        first.status == 200 && first.body == answer.body,
        "{}",
        first.body.len()
    );
    assert!(!answer.headers.contains_key("content-length"));
    assert_eq!(answer.header("accept-ranges"), "none");
    assert!((seconds(&photos.studio.probe(&answer.body).await) - 5.0).abs() < 0.1);
}

#[tokio::test]
async fn length_of_a_cut_track_is_that_of_what_is_played() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let studio = &photos.studio;
    studio
        .tone("tone.m4a", 7.3, "aac -movflags +faststart")
        .await;
    // Edit lists: two seconds left out in front, a pause in front.
    for (arguments, length) in [
        ("-ss 2 -i tone.m4a -t 3", 3.0),
        ("-itsoffset 1.5 -i tone.m4a", 7.3),
    ] {
        let arguments = format!("{arguments} -c copy -movflags +faststart");
        let track = studio.make("cut.m4a", &arguments).await;
        assert!(memchr::memmem::find(&track, b"elst").is_some());
        let (_, answer) = mp3(&photos, &track).await;
        assert_mp3(&answer);
        let total = answer.body.len().to_string();
        assert_eq!(answer.header("content-length"), total, "{arguments}");
        let heard = seconds(&studio.probe(&answer.body).await);
        assert!((heard - length).abs() < 0.1, "{arguments}: {heard}");
    }
}

#[tokio::test]
async fn track_in_fragments_has_a_length_where_they_have_an_index() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    for (flags, is_known) in [
        ("+frag_keyframe+empty_moov", false),
        ("+frag_keyframe+dash+global_sidx", true),
    ] {
        let codec = format!("aac -movflags {flags}");
        let track = photos.studio.tone("tone.m4a", 5.0, &codec).await;
        let (_, answer) = mp3(&photos, &track).await;
        assert_mp3(&answer);
        let length = is_known.then(|| answer.body.len().to_string());
        assert_eq!(
            answer.header("content-length"),
            length.unwrap_or_default(),
            "{flags}"
        );
        assert!((seconds(&photos.studio.probe(&answer.body).await) - 5.0).abs() < 0.1);
    }
}

/// Writes words over the fields of the box of this name, from the byte `at` behind the name on.
fn overwrite(file: &mut [u8], name: [u8; 4], at: usize, words: &[u32]) {
    let start = memchr::memmem::find(file, &name).expect("the box") + 4 + at;
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    file[start..start + bytes.len()].copy_from_slice(&bytes);
}

#[tokio::test]
async fn track_that_lies_about_its_length_is_sent_in_chunks_the_next_time() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let track = track(&photos, 5.0).await;
    let mut lying = track.to_vec();
    // Each frame is said to last twice as long, and all of it to be played.
    overwrite(&mut lying, *b"stts", 12, &[2048]);
    overwrite(&mut lying, *b"elst", 8, &[10_000]);
    let item = serve(&photos, &Bytes::from(lying));
    let link = link(&photos, &item).await;
    let broken = photos.get(&link).await;
    assert!(broken.headers.contains_key("content-length") && !broken.is_whole);
    let answer = photos.get(&link).await;
    assert_mp3(&answer);
    assert!(!answer.headers.contains_key("content-length"));
    photos.assert_nothing_left().await;
}

#[tokio::test]
async fn range_behind_much_that_is_left_out_is_waited_for() {
    // Slower than anything may take to say nothing, which is eight seconds then; but it says something all the time.
    let slow = "\"$real\" \"$@\" | { for n in 1 2 3 4 5 6 7 8 9 10; do head -c 40000; sleep 1; done; cat; }";
    let photos = Photos::with(|studio, builder| {
        let impostor = studio.impostor(slow);
        builder
            .env("FFMPEG_PATH", &impostor.to_string_lossy())
            .env("STREAM_IDLE_TIMEOUT", "1")
    });
    let Some(photos) = photos.await else {
        return;
    };
    let track = track(&photos, 20.0).await;
    let item = serve(&photos, &track);
    let link = link(&photos, &item).await;
    let api = photos.stage.api();
    let head = api.head(&link).await;
    let total: u64 = head.header("content-length").parse().expect("a length");
    let part = api
        .get_range(&link, &format!("bytes={}-", total - 20_000))
        .await;
    assert_eq!((part.status.as_u16(), part.is_whole), (206, true));
    assert_eq!(part.body.len(), 20_000);
    photos.assert_nothing_left().await;
}
