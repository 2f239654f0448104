//! Answers in order and out of it, and what is made of them.

use std::time::Duration;

use super::*;

/// An answer: status, headers by name and value, body.
type Told = (u16, &'static [(&'static str, &'static str)], &'static str);

fn answer((status, headers, body): Told) -> MediaResponse {
    let mut answer = http::Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    let answer = answer.body(body.into()).unwrap();
    MediaResponse::from_response(answer, "a.example".to_owned(), Duration::from_secs(1))
}

fn reading(part: Option<Range<u64>>, limit: usize) -> Reading {
    let address = Url::parse("https://a.example/").unwrap();
    let room = Room::new(1 << 20);
    Reading::new(&address, part, (limit, &room), Arrived::default())
}

/// What is held after these answers, with what is asked for before each; or the error that ended it.
async fn read(part: Option<Range<u64>>, answers: &[Told]) -> (String, Vec<RangeAsk>) {
    let mut reading = reading(part, 8);
    let mut asked = Vec::new();
    for told in answers {
        let step = async {
            asked.push(reading.ask()?);
            match reading.open(answer(*told))? {
                Step::More => reading.take().await,
                step => Ok(step),
            }
        };
        match step.await {
            Ok(Step::Whole) => {
                assert_eq!(asked.len(), answers.len(), "whole too early");
                assert_eq!(reading.arrived.bytes(), reading.held.len());
                let held = reading.into_held().freeze();
                return (String::from_utf8(held.to_vec()).unwrap(), asked);
            }
            Ok(Step::More | Step::Cut(_)) => {}
            Err(error) => return (format!("error: {error}"), asked),
        }
    }
    let held = String::from_utf8(reading.into_held().freeze().to_vec()).unwrap();
    (format!("more behind {held}"), asked)
}

async fn held(part: Option<Range<u64>>, answers: &[Told]) -> String {
    read(part, answers).await.0
}

const RANGE: &str = "content-range";

#[tokio::test]
async fn what_broke_off_is_taken_up_at_its_byte() {
    assert_eq!(held(None, &[(200, &[], "abc")]).await, "abc");
    assert_eq!(
        held(Some(2..4), &[(206, &[(RANGE, "bytes 2-3/4")], "cd")]).await,
        "cd"
    );
    let short: Told = (206, &[(RANGE, "bytes 0-3/4")], "ab");
    let rest: Told = (206, &[(RANGE, "bytes 2-3/4")], "cd");
    let (got, asked) = read(None, &[short, (503, &[], ""), rest]).await;
    assert_eq!(got, "abcd");
    let behind = RangeAsk::From(2);
    assert_eq!(asked, [RangeAsk::Whole, behind, behind]);
    // The whole in place of the rest.
    assert_eq!(held(None, &[short, (200, &[], "xyz")]).await, "xyz");
    let part: Told = (206, &[(RANGE, "bytes 10-11/90")], "ab");
    let (_, asked) = read(Some(10..18), &[part, (503, &[], "")]).await;
    assert_eq!(
        asked,
        [RangeAsk::Between(10, 17), RangeAsk::Between(12, 17)]
    );
}

#[tokio::test]
async fn part_that_is_shorter_than_asked_is_not_the_whole() {
    let first: Told = (206, &[(RANGE, "bytes 0-1/5"), ("etag", "\"a\"")], "ab");
    let next: Told = (206, &[(RANGE, "bytes 2-3/5"), ("etag", "\"a\"")], "cd");
    let last: Told = (206, &[(RANGE, "bytes 4-4/5")], "e");
    let (got, asked) = read(None, &[first, next, last]).await;
    assert_eq!(got, "abcde");
    assert_eq!(
        asked,
        [RangeAsk::Whole, RangeAsk::From(2), RangeAsk::From(4)]
    );
    assert_eq!(held(Some(0..5), &[first, next, last]).await, "abcde");
    assert_eq!(held(Some(0..4), &[first, next]).await, "abcd");
    // Nobody says how long it is until there is no more.
    let first: Told = (206, &[(RANGE, "bytes 0-1/*")], "ab");
    let next: Told = (206, &[(RANGE, "bytes 2-3/*")], "cd");
    let end: Told = (416, &[(RANGE, "bytes */4")], "");
    assert_eq!(held(None, &[first, next, end]).await, "abcd");
    assert_eq!(held(None, &[first, next]).await, "more behind abcd");
}

#[tokio::test]
async fn file_that_has_changed_is_not_put_together() {
    let first: Told = (206, &[(RANGE, "bytes 0-1/4"), ("etag", "\"a\"")], "ab");
    for further in [
        (206, &[(RANGE, "bytes 2-3/4"), ("etag", "\"b\"")][..], "cd"),
        (206, &[(RANGE, "bytes 2-4/5")], "cde"),
        (416, &[(RANGE, "bytes */2")], ""),
        (416, &[(RANGE, "bytes */4")], ""),
        (416, &[], ""),
    ] {
        let told = held(None, &[first, further]).await;
        assert!(told.starts_with("error: "), "{further:?}: {told}");
    }
    // It is another one from its beginning.
    assert_eq!(
        held(None, &[first, (200, &[("etag", "\"b\"")], "x")]).await,
        "x"
    );
}

#[tokio::test]
async fn answers_that_are_none_are_refused() {
    let first: Told = (206, &[(RANGE, "bytes 0-1/9")], "ab");
    for (part, told) in [
        (None, (206, &[(RANGE, "bytes 1-2/9")][..], "bc")),
        (None, (206, &[(RANGE, "bytes 3-4/9")], "de")),
        (None, (206, &[], "cd")),
        (None, (206, &[(RANGE, "bytes */4")], "cd")),
        (None, (206, &[(RANGE, "bytes 2-3/9")], "cdef")),
        (Some(0..4), (200, &[], "abcd")),
        (Some(0..4), (206, &[(RANGE, "bytes 2-4/9")], "cde")),
        (None, (403, &[], "")),
        // Longer than wanted, as it says or as it shows.
        (None, (200, &[], "123456789")),
        (None, (200, &[("content-length", "9")], "1")),
        (None, (206, &[(RANGE, "bytes 2-8/9")], "cdefghi")),
    ] {
        let got = held(part, &[first, told]).await;
        assert!(got.starts_with("error: "), "{told:?}: {got}");
    }
    let got = held(Some(0..9), &[first]).await;
    assert_eq!(got, "error: more than 8 bytes");
}

#[tokio::test]
async fn upstream_that_brings_nothing_or_crumbs_is_given_up() {
    let mut reading = reading(None, 1000);
    for number in 1..=TRIES {
        reading.ask().unwrap();
        let step = reading.open(answer((503, &[], ""))).unwrap();
        assert_eq!(step, Step::Cut("status 503".to_owned()));
        assert_eq!(reading.is_tried_again(), number < TRIES);
    }
    let mut reading = self::reading(None, 1000);
    for number in 0..MAX_REQUESTS {
        reading.ask().unwrap();
        let range = format!("bytes {number}-{number}/1000");
        let crumb = http::Response::builder().status(206).header(RANGE, range);
        let crumb = crumb.body("x".into()).unwrap();
        let host = "a.example".to_owned();
        let crumb = MediaResponse::from_response(crumb, host, Duration::from_secs(1));
        assert_eq!(reading.open(crumb).unwrap(), Step::More);
        assert_eq!(reading.take().await.unwrap(), Step::More);
    }
    assert!(matches!(reading.ask(), Err(LiveError::Broken(_))));
}

#[tokio::test]
async fn what_finds_no_room_is_not_read() {
    let address = Url::parse("https://a.example/").unwrap();
    let room = Room::new(0);
    let mut reading = Reading::new(&address, None, (8, &room), Arrived::default());
    reading.open(answer((200, &[], "abc"))).unwrap();
    let taken = reading.take().await;
    assert!(matches!(taken, Err(LiveError::NoRoom)));
}

#[tokio::test(start_paused = true)]
async fn reading_that_is_left_goes_on_in_the_same_answer() {
    let pieces = futures_util::stream::unfold(0_u8, async |count| {
        tokio::time::sleep(Duration::from_secs(7)).await;
        (count < 4).then(|| (Ok::<_, std::io::Error>(vec![b'a' + count]), count + 1))
    });
    let body = reqwest::Body::wrap_stream(pieces);
    let answer = http::Response::new(body);
    let host = "a.example".to_owned();
    let answer = MediaResponse::from_response(answer, host, Duration::from_secs(30));
    let mut reading = reading(None, 8);
    reading.ask().unwrap();
    assert_eq!(reading.open(answer).unwrap(), Step::More);
    let mut left = 0;
    let limit = Duration::from_secs(10);
    while tokio::time::timeout(limit, reading.take()).await.is_err() {
        left += 1;
    }
    assert_eq!((left, reading.requests), (3, 1));
    assert_eq!(&reading.into_held().freeze()[..], b"abcd");
}
