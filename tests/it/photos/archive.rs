//! All pictures in one ZIP archive: exact, resumable, opened by the programs that people have.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;

use super::stage::{ID, Photos, first};
use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Fault, Gate, Rule};
use crate::harness::{
    Builder, Fetched, Stage, TestServer, address, assert_refusal, eventually, fetch, has_tool,
    skip, text,
};

/// Pictures by their first bytes, so that no program is needed to make them.
fn pictures() -> Vec<Bytes> {
    let filled = |start: &[u8], seed: u8, length: usize| -> Bytes {
        let rest = (0..=u8::MAX)
            .cycle()
            .take(length)
            .map(|at| at.wrapping_mul(31) ^ seed);
        start.iter().copied().chain(rest).collect()
    };
    vec![
        filled(b"\xff\xd8\xff\xe0", 1, 70_001),
        filled(b"RIFF\0\0\0\0WEBPVP8 ", 2, 300_007),
        filled(b"\x89PNG\r\n\x1a\n", 3, 1),
        filled(b"\0\0\0\x1cftypavif", 4, 50_021),
    ]
}

/// A post of these pictures, without ffmpeg.
struct Archive {
    stage: Stage,
    item: Item,
    link: String,
}

impl Archive {
    async fn of(pictures: &[Bytes]) -> Self {
        Self::with(pictures, |builder| builder).await
    }

    async fn with(pictures: &[Bytes], settings: impl FnOnce(Builder) -> Builder) -> Self {
        let stage = Stage::with(|builder| settings(builder.env("FFMPEG_PATH", "/nowhere"))).await;
        let item = Item::photo(ID, pictures.len());
        stage.serve(&item);
        let archive = Self {
            link: String::new(),
            stage,
            item,
        };
        for (number, picture) in pictures.iter().enumerate() {
            archive.put(&first(number), picture);
        }
        let body = archive
            .stage
            .api()
            .resolve(&format!("https://www.tiktok.com/@a/video/{ID}"))
            .await;
        Self {
            link: text(&body, "/download_link/zip"),
            ..archive
        }
    }

    fn put(&self, pointer: &str, bytes: &Bytes) {
        use crate::harness::upstream::{Media, Payload};
        let media = Media::of(Payload::Bytes(bytes.clone()), "image/jpeg");
        self.stage
            .world()
            .media(&address(&self.item, pointer), media);
    }

    async fn get(&self) -> Fetched {
        self.stage.api().get(&self.link).await
    }

    async fn range(&self, range: &str) -> Fetched {
        self.stage.api().get_range(&self.link, range).await
    }
}

const NAMES: [&str; 4] = [
    "harbour_keeper_01.jpg",
    "harbour_keeper_02.webp",
    "harbour_keeper_03.png",
    "harbour_keeper_04.avif",
];

#[tokio::test]
async fn archive_has_every_picture_under_its_true_type() {
    let pictures = pictures();
    let archive = Archive::of(&pictures).await;
    let head = archive.stage.api().head(&archive.link).await;
    let whole = archive.get().await;
    assert_eq!((whole.status.as_u16(), whole.is_whole), (200, true));
    for (name, value) in [
        ("content-type", "application/zip"),
        ("content-length", whole.body.len().to_string().as_str()),
        ("accept-ranges", "bytes"),
        ("x-filename", "harbour_keeper.zip"),
    ] {
        assert_eq!(
            (whole.header(name), head.header(name)),
            (value, value),
            "{name}"
        );
    }
    assert!(whole.header("etag").starts_with('"'));
    archive.stage.assert_well().await;

    let dir = tempfile::tempdir().expect("temporary directory");
    std::fs::write(dir.path().join("a.zip"), &whole.body).expect("file");
    let run = async |program: &str, arguments: &[&str]| {
        crate::harness::run(program, arguments, &BTreeMap::new(), dir.path()).await
    };
    if has_tool("python3").await {
        let script = "import sys, zipfile\n\
            archive = zipfile.ZipFile('a.zip')\n\
            assert archive.testzip() is None\n\
            assert [i.compress_type for i in archive.infolist()] == [0] * 4\n\
            assert archive.infolist()[0].date_time == (2025, 7, 9, 3, 30, 44), archive.infolist()[0].date_time\n\
            archive.extractall('out')\n\
            print('\\n'.join(archive.namelist()))";
        let output = run("python3", &["-c", script]).await;
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.lines().collect::<Vec<_>>(), NAMES);
        for (name, picture) in NAMES.iter().zip(&pictures) {
            let extracted = std::fs::read(dir.path().join("out").join(name)).expect(name);
            assert!(extracted == *picture, "{name}");
        }
    } else {
        skip("python3", "it is not installed");
    }
    // `unzip` without arguments says how it is used, and that well.
    if run("sh", &["-c", "command -v unzip"])
        .await
        .status
        .success()
    {
        let output = run("unzip", &["-t", "a.zip"]).await;
        assert!(output.status.success(), "{output:?}");
    } else {
        skip("unzip", "it is not installed");
    }
}

#[tokio::test]
async fn every_range_is_the_same_slice_of_the_whole() {
    let archive = Archive::of(&pictures()).await;
    // The end first: no picture has been read then, so its checksums must be found out.
    let end = archive.range("bytes=-150").await;
    let whole = archive.get().await.body;
    let total = whole.len();
    assert_eq!(
        (end.status.as_u16(), &end.body),
        (206, &whole.slice(total - 150..))
    );
    let first_header = 30 + NAMES[0].len();
    let descriptor = first_header + 70_005;
    for (from, to) in [
        (0, 1),
        (0, total),
        (first_header - 1, first_header + 1),
        (5_000, 6_000),
        (descriptor - 10, descriptor + 20),
        (descriptor + 7, total),
        (total / 2, total / 2 + 100_000),
        (total - 1, total),
    ] {
        let part = archive.range(&format!("bytes={from}-{}", to - 1)).await;
        assert_eq!(
            (part.status.as_u16(), part.is_whole),
            (206, true),
            "{from}..{to}"
        );
        assert!(part.body == whole.slice(from..to), "{from}..{to}");
        assert_eq!(
            part.header("content-range"),
            format!("bytes {from}-{}/{total}", to - 1)
        );
    }
    let beyond = archive.range(&format!("bytes={total}-")).await;
    assert_refusal(&beyond, 416, "range_not_satisfiable");
    let request = archive.stage.api().request(Method::GET, &archive.link);
    let other = fetch(
        request
            .header("range", "bytes=5-")
            .header("if-range", "\"other\""),
    )
    .await;
    assert_eq!((other.status.as_u16(), other.body.len()), (200, total));
}

#[tokio::test]
async fn other_instance_goes_on_with_the_same_bytes() {
    let archive = Archive::of(&pictures()).await;
    let whole = archive.get().await;
    let other = Builder::new(&archive.stage.upstream).env("FFMPEG_PATH", "/nowhere");
    let other: TestServer = other.start().await;
    let (_, path) = archive.link.split_once("/download").expect("a link");
    let from = whole.body.len() / 2;
    let request = other
        .api()
        .request(Method::GET, &format!("/download{path}"));
    let request = request.header("range", format!("bytes={from}-"));
    let rest = fetch(request.header("if-range", whole.header("etag"))).await;
    assert_eq!((rest.status.as_u16(), rest.is_whole), (206, true));
    assert!(rest.body == whole.body.slice(from..));
}

#[tokio::test]
async fn broken_picture_is_resumed_from_where_it_broke() {
    let archive = Archive::of(&pictures()).await;
    let whole = archive.get().await;
    let at = address(&archive.item, &first(1));
    let reset = Rule::address(&at, Fault::Reset { at: 100_000 });
    archive.stage.world().fault(reset.nth(1));
    let again = archive.get().await;
    assert!(again.is_whole && again.body == whole.body);
}

#[tokio::test]
async fn picture_that_becomes_another_breaks_the_archive_off() {
    let archive = Archive::of(&pictures()).await;
    assert!(archive.get().await.is_whole);
    archive.put(&first(2), &Bytes::from_static(b"\x89PNG\r\n\x1a\n!"));
    let broken = archive.get().await;
    assert_eq!((broken.status.as_u16(), broken.is_whole), (200, false));
    // What was planned is forgotten, so a new request is whole again.
    let new = archive.get().await;
    assert_eq!((new.status.as_u16(), new.is_whole), (200, true));
}

#[tokio::test]
async fn picture_that_can_not_be_had_is_an_error_before_the_first_byte() {
    let mut pictures = pictures();
    for (number, bad) in [
        Bytes::new(),
        Bytes::from_static(b"<!DOCTYPE html><html>Access Denied</html>"),
        Bytes::from_static(b"something else altogether"),
        Bytes::from([&b"\xff\xd8\xff\xe0"[..], &vec![0; 31 * 1024 * 1024]].concat()),
    ]
    .into_iter()
    .enumerate()
    {
        pictures[number] = bad.clone();
        let archive = Archive::of(&pictures).await;
        archive.put(
            &first(number)
                .replace("/0", "/1")
                .replace("images/1", "images/0"),
            &bad,
        );
        let others = format!("/imagePost/images/{number}/imageURL/urlList/1");
        archive.put(&others, &bad);
        let answer = archive.get().await;
        assert_refusal(&answer, 502, "upstream_error");
        let message = text(&answer.json(), "/message");
        assert!(
            message.starts_with(&format!("Image {} ", number + 1)),
            "{message}"
        );
        pictures = self::pictures();
    }
}

#[tokio::test]
async fn picture_of_unknown_length_is_counted_first() {
    let pictures = pictures();
    let archive = Archive::of(&pictures).await;
    let at = address(&archive.item, &first(0));
    for fault in [Fault::IgnoreRange, Fault::Chunked] {
        archive.stage.world().fault(Rule::address(&at, fault));
    }
    let whole = archive.get().await;
    assert_eq!((whole.status.as_u16(), whole.is_whole), (200, true));
    assert_eq!(whole.header("content-length"), whole.body.len().to_string());
    assert!(memchr::memmem::find(&whole.body, &pictures[0]).is_some());
}

#[tokio::test]
async fn client_that_leaves_an_archive_frees_everything() {
    let archive = Archive::of(&pictures()).await;
    let at = address(&archive.item, &first(1));
    let stall = Fault::Stall {
        at: 10_000,
        gate: Gate::new(),
    };
    archive
        .stage
        .world()
        .fault(Rule::address(&at, stall).at_offset(0).since(2));
    let request = archive.stage.api().request(Method::GET, &archive.link);
    let mut client = request.send().await.expect("an answer");
    let mut taken = 0;
    while taken < 75_000 {
        taken += client.chunk().await.expect("bytes").expect("more").len();
    }
    drop(client);
    eventually("its place is free", async || {
        let health = archive.stage.api().get("/health").await.json();
        (health["streams"]["active"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn archive_of_real_pictures_is_offered_beside_the_video() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let picture = photos.studio.picture("a.webp", "red", "90x160").await;
    let item = photos.serve(ID, &vec![picture; 100], None);
    let body = photos.resolve(&item).await;
    let answer = photos.get(&text(&body, "/download_link/zip")).await;
    assert_eq!((answer.status.as_u16(), answer.is_whole), (200, true));
    for name in ["harbour_keeper_001.webp", "harbour_keeper_100.webp"] {
        assert_eq!(
            memchr::memmem::find_iter(&answer.body, name).count(),
            2,
            "{name}"
        );
    }
    photos.assert_nothing_left().await;
}

#[tokio::test]
async fn pictures_that_are_not_told_of_in_time_are_given_up_and_asked_for_again() {
    let pictures = pictures();
    // Four times that is less than a site's patience for a head.
    let archive = Archive::with(&pictures, |builder| builder.env("STREAM_IDLE_TIMEOUT", "1")).await;
    let gate = Gate::new();
    for number in [1, 3] {
        let at = address(&archive.item, &first(number));
        let stall = Fault::StallBeforeHead(gate.clone());
        archive.stage.world().fault(Rule::address(&at, stall));
    }
    let refused = archive.get().await;
    assert_refusal(&refused, 504, "upstream_timeout");
    eventually("its places are free", async || {
        let health = archive.stage.api().get("/health").await.json();
        let is_free = health["streams"]["active"] == 0 && health["workers"]["active"] == 0;
        is_free.then_some(())
    })
    .await;
    gate.open();
    let whole = archive.get().await;
    assert_eq!((whole.status.as_u16(), whole.is_whole), (200, true));
    for picture in &pictures {
        assert!(memchr::memmem::find(&whole.body, picture).is_some());
    }
}
