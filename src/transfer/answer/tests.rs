//! Heads of upstreams, and what is made of them.

use super::*;

const WHOLE: Question = Question {
    ask: RangeAsk::From(0),
    expected: Expected::Media,
    known_length: None,
};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            let name = header::HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        })
        .collect()
}

fn judge(
    status: u16,
    pairs: &[(&'static str, &'static str)],
    question: &Question,
) -> Result<Facts, Fault> {
    check(
        StatusCode::from_u16(status).unwrap(),
        &headers(pairs),
        question,
    )
}

fn refusal(status: u16, pairs: &[(&'static str, &'static str)], question: &Question) -> String {
    judge(status, pairs, question).unwrap_err().to_string()
}

#[test]
fn answer_206_as_asked_is_believed() {
    let pairs = [
        ("content-range", "bytes 0-9/10"),
        ("content-length", "10"),
        ("etag", "\"a\""),
        ("content-type", "video/mp4"),
    ];
    let facts = judge(206, &pairs, &WHOLE).unwrap();
    assert_eq!(
        (facts.start, facts.end, facts.total),
        (0, Some(10), Some(10))
    );
    assert!(facts.is_partial && facts.accepts_ranges && !facts.is_counted);
    assert_eq!(facts.content_type.as_deref(), Some("video/mp4"));
    assert_eq!(facts.identity().unwrap().total, 10);
}

#[test]
fn answer_206_of_another_range_is_refused() {
    let asked = |ask| Question { ask, ..WHOLE };
    let cases = [
        ("bytes 1-9/10", RangeAsk::From(0)),
        ("bytes 0-8/10", RangeAsk::From(0)),
        ("bytes 2-4/10", RangeAsk::Between(2, 5)),
        ("bytes 8-9/10", RangeAsk::Suffix(1)),
        ("bytes 0-9/10", RangeAsk::Whole),
    ];
    for (content_range, ask) in cases {
        let refused = refusal(206, &[("content-range", content_range)], &asked(ask));
        assert_eq!(refused, "another range than asked", "{content_range}");
    }
    let clamped = judge(
        206,
        &[("content-range", "bytes 2-9/10")],
        &asked(RangeAsk::Between(2, 99)),
    );
    assert_eq!(clamped.unwrap().end, Some(10));
}

#[test]
fn answer_206_without_sound_content_range_is_refused() {
    assert_eq!(refusal(206, &[], &WHOLE), "content range");
    assert_eq!(
        refusal(206, &[("content-range", "bytes */10")], &WHOLE),
        "content range"
    );
    let starred = [("content-range", "bytes 0-9/*")];
    assert_eq!(
        refusal(206, &starred, &WHOLE),
        "content range without a total"
    );
    let known = Question {
        known_length: Some(10),
        ..WHOLE
    };
    assert_eq!(judge(206, &starred, &known).unwrap().total, Some(10));
    let contradiction = [("content-range", "bytes 0-9/10"), ("content-length", "9")];
    assert_eq!(
        refusal(206, &contradiction, &WHOLE),
        "content length contradicts content range"
    );
}

#[test]
fn answer_200_gives_its_length_and_says_whether_ranges_work() {
    let facts = judge(200, &[("content-length", "10")], &WHOLE).unwrap();
    assert_eq!(
        (facts.start, facts.end, facts.total),
        (0, Some(10), Some(10))
    );
    assert!(!facts.is_partial && !facts.accepts_ranges && !facts.is_counted);
    let pairs = [("content-length", "10"), ("accept-ranges", "bytes")];
    assert!(judge(200, &pairs, &WHOLE).unwrap().accepts_ranges);
}

#[test]
fn answer_with_another_last_coding_proves_no_end() {
    for (coding, framing) in [
        ("chunked", Framing::Chunked),
        ("gzip, Chunked ", Framing::Chunked),
        ("identity", Framing::Close),
        ("chunked, gzip", Framing::Close),
        ("", Framing::Close),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static(coding));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("5"));
        assert!(
            matches!(Framing::of(&headers), Ok(read) if read == framing),
            "{coding}"
        );
    }
}

#[test]
fn answer_chunked_ends_by_its_last_chunk() {
    let pairs = [("transfer-encoding", "chunked"), ("content-length", "5")];
    let facts = judge(200, &pairs, &WHOLE).unwrap();
    assert_eq!(
        (facts.end, facts.total, facts.is_counted),
        (None, None, false)
    );
    assert_eq!(facts.identity(), None);
}

#[test]
fn answer_close_delimited_needs_a_known_length() {
    assert_eq!(refusal(200, &[], &WHOLE), "no length and no chunks");
    let known = Question {
        known_length: Some(10),
        ..WHOLE
    };
    let facts = judge(200, &[], &known).unwrap();
    assert_eq!((facts.end, facts.is_counted), (Some(10), true));
}

#[test]
fn answer_empty_or_coded_or_with_odd_length_is_refused() {
    assert_eq!(refusal(200, &[("content-length", "0")], &WHOLE), "empty");
    assert_eq!(
        refusal(200, &[("content-length", "-1")], &WHOLE),
        "content length"
    );
    let coded = [("content-length", "5"), ("content-encoding", "gzip")];
    assert_eq!(refusal(200, &coded, &WHOLE), "content encoding");
    let plain = [("content-length", "5"), ("content-encoding", "identity")];
    judge(200, &plain, &WHOLE).unwrap();
}

#[test]
fn answer_type_is_held_against_the_kind() {
    let image = Question {
        expected: Expected::Image,
        ..WHOLE
    };
    let fits = |content_type, question| {
        judge(
            200,
            &[("content-length", "5"), ("content-type", content_type)],
            question,
        )
        .is_ok()
    };
    for page in [
        "text/html",
        "TEXT/plain; charset=utf-8",
        "application/json",
        "application/xhtml+xml",
    ] {
        assert!(!fits(page, &WHOLE) && !fits(page, &image), "{page}");
    }
    for media in [
        "video/mp4",
        "audio/mpeg",
        "application/octet-stream",
        "Video/MP4; codecs=\"avc1\"",
    ] {
        assert!(fits(media, &WHOLE), "{media}");
    }
    assert!(fits("image/webp", &image) && fits("binary/octet-stream", &image));
    assert!(!fits("video/mp4", &image));
}
