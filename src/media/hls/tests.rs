//! Playlists as sites and test suites write them, and texts that are none.

use std::time::Duration;

use proptest::prelude::*;
use url::Url;

use super::*;
use crate::media::fuzz::assert_sound;

fn base() -> Url {
    Url::parse("https://manifest.example.com/live/index.m3u8?x=1").unwrap()
}

fn parse(text: &str) -> Result<Playlist, HlsError> {
    Playlist::parse(text.as_bytes(), &base())
}

fn segments(text: &str) -> Segments {
    match parse(text) {
        Ok(Playlist::Media(segments)) => segments,
        other => panic!("{other:?}"),
    }
}

fn master(text: &str) -> Master {
    match parse(text) {
        Ok(Playlist::Master(master)) => master,
        other => panic!("{other:?}"),
    }
}

#[test]
fn window_of_a_live_playlist_is_read_with_its_numbers() {
    let read = segments(
        "#EXTM3U\r\n#EXT-X-VERSION:3\r\n#EXT-X-TARGETDURATION:5\r\n#EXT-X-MEDIA-SEQUENCE:7794\r\n\
         #EXT-X-DISCONTINUITY-SEQUENCE:4\r\n#EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:00:00.000+00:00\r\n\
         #EXTINF:5.0,\r\nhttps://r1.example.com/seg/sq/7794/file/seg.ts\r\n\
         #EXT-X-DISCONTINUITY\r\n#EXTINF:4.9999,title, with a comma\r\nsq/7795.ts\r\n\
         #EXT-X-GAP\r\n#EXTINF:5,\r\n/sq/7796.ts\r\n# a comment\r\n\r\n",
    );
    assert_eq!(
        (read.target, read.is_ended),
        (Duration::from_secs(5), false)
    );
    let seen: Vec<_> = read
        .list
        .iter()
        .map(|segment| {
            let marks = (segment.is_discontinuity, segment.is_gap);
            (
                segment.number,
                segment.url.as_str(),
                segment.duration,
                marks,
            )
        })
        .collect();
    let ms = Duration::from_micros;
    assert_eq!(
        seen,
        [
            (
                7794,
                "https://r1.example.com/seg/sq/7794/file/seg.ts",
                ms(5_000_000),
                (false, false)
            ),
            (
                7795,
                "https://manifest.example.com/live/sq/7795.ts",
                ms(4_999_900),
                (true, false)
            ),
            (
                7796,
                "https://manifest.example.com/sq/7796.ts",
                ms(5_000_000),
                (false, true)
            ),
        ]
    );
}

#[test]
fn address_that_may_be_cut_is_left_to_a_later_reading() {
    let head = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n";
    let paths = |text: String| -> Vec<String> {
        let list = segments(&text).list.into_iter();
        list.map(|segment| segment.url.path().to_owned()).collect()
    };
    let cut = "#EXTINF:2,\n/one.ts\n#EXTINF:2,\n/tw";
    assert_eq!(paths(format!("{head}{cut}")), ["/one.ts"]);
    assert_eq!(paths(format!("{head}{cut}\n")), ["/one.ts", "/tw"]);
    assert_eq!(
        paths(format!("{head}#EXTINF:2,\n/one.ts\n#EXTINF:2")),
        ["/one.ts"]
    );
    // No reading will be later.
    let ended = format!("{head}#EXT-X-ENDLIST\n{cut}");
    assert_eq!(paths(ended), ["/one.ts", "/tw"]);
    let variants = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n/v.m3u8";
    assert_eq!(master(variants).variants[0].url.path(), "/v.m3u8");
}

#[test]
fn segments_are_dated_from_any_date_to_the_next_break() {
    let entry = "#EXTINF:2.5,\na\n";
    let dated = |date: &str| format!("#EXT-X-PROGRAM-DATE-TIME:{date}\n{entry}");
    let head = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n";
    let text = [
        head,
        entry,
        &dated("1970-01-01T01:00:10.250+01:00"),
        entry,
        "#EXT-X-DISCONTINUITY\n",
        entry,
        &dated("1970-01-01T00:01:00Z"),
    ];
    let dates = |text: &str| -> Vec<Option<u128>> {
        let list = segments(text).list.into_iter();
        list.map(|segment| Some(segment.date?.as_millis()))
            .collect()
    };
    let expected = [7750, 10_250, 12_750, 57_500, 60_000].map(Some);
    assert_eq!(dates(&text.concat()), expected);
    for (text, expected) in [
        ("1970-01-01T00:00:01.5+0000", Some(1500)),
        ("1970-01-01T00:00:00-0030", Some(1_800_000)),
        ("1969-12-31T23:59:59Z", None),
        ("yesterday", None),
        ("", None),
        ("+0", None),
        ("\u{20ac}+00\u{20ac}", None),
    ] {
        assert_eq!(
            dates(&format!("{head}{}", dated(text))),
            [expected],
            "{text}"
        );
    }
}

#[test]
fn keys_hold_until_the_next_one() {
    let iv = format!("0X{:032x}", 258);
    let read = segments(&format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na\n#EXT-X-KEY:METHOD=AES-128,URI=\"k1\",IV={iv}\n\
         #EXT-X-MAP:URI=\"m\"\n#EXTINF:2,\nb\n#EXTINF:2,\nc\n\
         #EXT-X-KEY:METHOD=AES-128,KEYFORMAT=\"identity\",URI=\"k2\"\n#EXTINF:2,\nd\n\
         #EXT-X-KEY:METHOD=NONE\n#EXTINF:2,\ne\n"
    ));
    let key = |key: &Option<std::sync::Arc<Key>>| {
        let key = key.as_ref()?;
        Some((key.url.path().to_owned(), key.iv.map(u128::from_be_bytes)))
    };
    let keys: Vec<_> = read.list.iter().map(|segment| key(&segment.key)).collect();
    let first = Some(("/live/k1".to_owned(), Some(258)));
    let second = Some(("/live/k2".to_owned(), None));
    assert_eq!(keys, [None, first.clone(), first.clone(), second, None]);
    assert_eq!(key(&read.list[1].map.as_ref().unwrap().key), first);
}

#[test]
fn parts_of_files_follow_each_other() {
    let read = segments(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"a.mp4\",BYTERANGE=\"100@0\"\n\
         #EXTINF:2,\n#EXT-X-BYTERANGE:50@100\na.mp4\n#EXTINF:2,\n#EXT-X-BYTERANGE:60\na.mp4\n\
         #EXT-X-MAP:URI=\"b.mp4\"\n#EXTINF:2,\nb1.mp4\n#EXT-X-ENDLIST\n",
    );
    assert!(read.is_ended);
    let parts: Vec<_> = read
        .list
        .iter()
        .map(|segment| segment.part.clone())
        .collect();
    assert_eq!(parts, [Some(100..150), Some(150..210), None]);
    let maps: Vec<_> = read
        .list
        .iter()
        .map(|segment| segment.map.as_ref().unwrap())
        .map(|map| (map.url.path().to_owned(), map.part.clone()))
        .collect();
    assert_eq!(maps[0], ("/live/a.mp4".to_owned(), Some(0..100)));
    assert_eq!(
        (&maps[1], &maps[2].0),
        (&maps[0], &"/live/b.mp4".to_owned())
    );
}

#[test]
fn variants_and_their_sound_are_read() {
    let read = master(
        "#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n\
         #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"234\",NAME=\"Default, \",DEFAULT=YES,URI=\"a/234.m3u8\"\n\
         #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"in\",NAME=\"x\"\n\
         #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"x\",URI=\"s.m3u8\"\n\
         #EXT-X-STREAM-INF:BANDWIDTH=2593500,CODECS=\"mp4a.40.2,avc1.4d401f\",RESOLUTION=1280x720,\
         FRAME-RATE=29.97,VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE\nv/95.m3u8\n\
         #EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"234\"\nv/136.m3u8\n\
         #EXT-X-STREAM-INF:BANDWIDTH=2,AUDIO=\"in\",RESOLUTION=0x9\nv/1.m3u8\n\
         #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9,URI=\"i.m3u8\"\n",
    );
    let first = &read.variants[0];
    assert_eq!(
        (first.bandwidth, first.size, first.fps),
        (2_593_500, Some((1280, 720)), Some(30))
    );
    assert_eq!(first.codecs, ["mp4a.40.2", "avc1.4d401f"]);
    let sounds: Vec<_> = read
        .variants
        .iter()
        .map(|variant| read.sound_of(variant).map(Url::path))
        .collect();
    assert_eq!(sounds, [None, Some("/live/a/234.m3u8"), None]);
    assert_eq!(read.variants[2].size, None);
}

#[test]
fn texts_that_are_no_playlists_are_refused() {
    let long = format!("#EXTM3U\n#{}\n", "x".repeat(MAX_LINE));
    let lines = format!("#EXTM3U\n{}", "#EXTINF:1,\na\n".repeat(MAX_LINES));
    let whole = format!("#EXTM3U\n{}", "x".repeat(MAX_BYTES));
    let head = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n";
    let many = format!("{head}{}", "#EXTINF:1,\na\n".repeat(20_001));
    let address = format!("{head}#EXTINF:1,\n{}\n", "a".repeat(MAX_ADDRESS));
    for (text, error) in [
        ("", HlsError::NotAPlaylist),
        ("<html>", HlsError::NotAPlaylist),
        ("\u{feff}#EXTM3U\n", HlsError::NotAPlaylist),
        ("#EXTM3U\n", HlsError::Tag("EXT-X-TARGETDURATION")),
        (
            "#EXTM3U\n#EXTINF:1,\na\n",
            HlsError::Tag("EXT-X-TARGETDURATION"),
        ),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", HlsError::Entry),
        (
            "#EXTM3U\n#EXT-X-STREAM-INF:CODECS=\"a\"\na\n",
            HlsError::Tag("EXT-X-STREAM-INF"),
        ),
        (
            &format!("{head}#EXT-X-STREAM-INF:BANDWIDTH=1\na\n"),
            HlsError::Mixed,
        ),
        (&format!("{head}a\n"), HlsError::Entry),
        (&format!("{head}#EXTINF:x,\na\n"), HlsError::Tag("EXTINF")),
        (&format!("{head}#EXTINF:-1,\na\n"), HlsError::Tag("EXTINF")),
        (&format!("{head}#EXTINF:1e9,\na\n"), HlsError::Tag("EXTINF")),
        (&format!("{head}#EXTINF:1,\nhttp://[\n"), HlsError::Entry),
        (
            &format!("{head}#EXT-X-BYTERANGE:9\n#EXTINF:1,\na\n"),
            HlsError::Tag("EXT-X-BYTERANGE"),
        ),
        (
            &format!("{head}#EXT-X-BYTERANGE:2@18446744073709551615\n#EXTINF:1,\na\n"),
            HlsError::Tag("EXT-X-BYTERANGE"),
        ),
        (
            &format!("{head}#EXT-X-BYTERANGE:0@0\n#EXTINF:1,\na\n"),
            HlsError::Tag("EXT-X-BYTERANGE"),
        ),
        (
            &format!("{head}#EXT-X-MEDIA-SEQUENCE:18446744073709551615\n"),
            HlsError::Tag("EXT-X-MEDIA-SEQUENCE"),
        ),
        (
            &format!("{head}#EXT-X-MAP:BYTERANGE=\"1@0\"\n"),
            HlsError::Tag("EXT-X-MAP"),
        ),
        (
            &format!("{head}#EXT-X-I-FRAMES-ONLY\n"),
            HlsError::PicturesOnly,
        ),
        (&long, HlsError::TooMany("bytes in a line")),
        (&lines, HlsError::TooMany("segments")),
        (&many, HlsError::TooMany("segments")),
        (&whole, HlsError::TooMany("bytes")),
        (&address, HlsError::TooMany("bytes in addresses")),
    ] {
        let got = parse(text);
        assert_eq!(got, Err(error), "{}", &text[..text.len().min(200)]);
    }
}

#[test]
fn keys_that_can_not_be_used_are_refused() {
    let head = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n";
    for (text, error) in [
        (
            &format!("{head}#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"\n#EXTINF:1,\na\n"),
            HlsError::Encrypted,
        ),
        (
            &format!("{head}#EXT-X-KEY:METHOD=AES-128,KEYFORMAT=\"x\",URI=\"k\"\n#EXTINF:1,\na\n"),
            HlsError::Encrypted,
        ),
        (
            &format!("{head}#EXT-X-KEY:METHOD=AES-128\n"),
            HlsError::Tag("EXT-X-KEY"),
        ),
        (
            &format!("{head}#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=12\n"),
            HlsError::Tag("EXT-X-KEY"),
        ),
        (
            &format!("{head}#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-MAP:URI=\"m\"\n"),
            HlsError::Tag("EXT-X-KEY"),
        ),
    ] {
        assert_eq!(parse(text), Err(error), "{text}");
    }
    let key = format!("{head}#EXT-X-KEY:METHOD=NONE\n#EXTINF:1,\na\n");
    assert!(parse(&key).is_ok());
}

proptest! {
    #[test]
    fn lines_in_any_order_keep_what_is_promised(
        lines in prop::collection::vec(
            prop_oneof![
                Just("#EXT-X-TARGETDURATION:2".to_owned()),
                Just("#EXT-X-DISCONTINUITY".to_owned()),
                Just("#EXT-X-ENDLIST".to_owned()),
                Just("a.ts".to_owned()),
                "#EXTINF:[0-9.]{0,6},",
                "#EXT-X-MEDIA-SEQUENCE:[0-9]{0,21}",
                "#EXT-X-KEY:METHOD=(NONE|AES-128),URI=\"[a-z]{0,3}\"(,IV=0x[0-9a-f]{0,40})?",
                "#EXT-X-PROGRAM-DATE-TIME:[0-9]{4}-0[1-9]-1[0-9]T10:00:00(Z|[+-][0-9:]{3,6})",
                "#EXT-X-BYTERANGE:[0-9]{1,20}(@[0-9]{1,20})?",
                "#EXT-X-MAP:URI=\"[a-z]{0,3}\"(,BYTERANGE=\"[0-9@]{0,9}\")?",
                "#EXT-X-STREAM-INF:(BANDWIDTH=[0-9]{1,4},?)?[A-Z=\",x0-9]{0,12}",
                ".{0,20}",
            ],
            0..30,
        ),
    ) {
        let text = format!("#EXTM3U\n{}", lines.join("\n"));
        if let Ok(playlist) = parse(&text) {
            assert_sound(&playlist);
        }
    }

    #[test]
    fn segments_written_are_those_read(
        first in 0..u64::MAX / 2,
        milliseconds in prop::collection::vec(0..10_000_u64, 0..40),
        is_ended: bool,
    ) {
        let entry = |(place, ms): (usize, &u64)| {
            format!("#EXTINF:{}.{:03},\nhttps://a.example/{place}.ts\n", ms / 1000, ms % 1000)
        };
        let entries: String = milliseconds.iter().enumerate().map(entry).collect();
        let end = if is_ended { "#EXT-X-ENDLIST" } else { "" };
        let head = format!("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXT-X-MEDIA-SEQUENCE:{first}");
        let text = format!("{head}\n{entries}{end}");
        let read = segments(&text);
        prop_assert_eq!(read.is_ended, is_ended);
        prop_assert_eq!(read.list.len(), milliseconds.len());
        for ((place, segment), ms) in read.list.iter().enumerate().zip(milliseconds) {
            prop_assert_eq!(segment.number, first + place as u64);
            prop_assert_eq!(segment.duration, Duration::from_millis(ms));
            let path = format!("/{place}.ts");
            prop_assert_eq!(segment.url.path(), path.as_str());
        }
    }
}
