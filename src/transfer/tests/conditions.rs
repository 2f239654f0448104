//! Conditional requests: what they come to, and what they cost.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::*;

const MONDAY: &str = "Mon, 02 Nov 2026 10:00:00 GMT";
const SUNDAY: &str = "Sun, 01 Nov 2026 10:00:00 GMT";

/// What a client asks with these headers.
fn request(headers: &[(&'static str, &'static str)]) -> Ask {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        map.append(HeaderName::from_static(name), value);
    }
    Ask::of(&Method::GET, &map)
}

#[tokio::test(start_paused = true)]
async fn condition_that_needs_no_body_asks_for_no_tail_and_holds_nothing() {
    for ask in [
        request(&[("if-none-match", "\"v1\"")]),
        request(&[("if-none-match", "\"x\""), ("if-none-match", "W/\"v1\"")]),
        request(&[("if-none-match", "\"v1\""), ("range", "bytes=9999999-")]),
        request(&[("if-none-match", "\"v1\""), ("range", "bytes=-0")]),
        request(&[("if-none-match", "\"v1\""), ("range", "bytes=-5")]),
        request(&[("if-modified-since", MONDAY)]),
    ] {
        for is_head in [false, true] {
            let ask = Ask {
                is_head,
                ..ask.clone()
            };
            let (fake, bench) = (Arc::new(Fake::new(good).tail("a")), Bench::new());
            let transfer = bench.start(&fake, ask.clone()).await.unwrap();
            let is_bare = transfer.report.is_none() && transfer.body.is_end_stream();
            assert!(transfer.head.is_not_modified && is_bare, "{ask:?}");
            assert_eq!((fake.open_bodies(), bench.admission.active()), (0, 0));
            assert_eq!(fake.tails(), 0, "{ask:?}");
            drop(transfer);
            let stats = bench.engine.stats();
            assert_eq!((stats.started, stats.refused), (0, 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn condition_that_fails_is_refused_before_the_range() {
    for ask in [
        request(&[("if-match", "\"v2\"")]),
        request(&[("if-match", "\"v2\""), ("range", "bytes=9999999-")]),
        request(&[("if-match", "W/\"v1\""), ("if-none-match", "\"v1\"")]),
        request(&[("if-unmodified-since", SUNDAY)]),
    ] {
        let (refused, fake, _) = refusal(Fake::new(good).tail("a"), ask).await;
        let is_failed = matches!(refused, TransferError::PreconditionFailed);
        assert!(is_failed, "{refused}");
        assert_eq!(fake.tails(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn condition_that_is_met_gives_the_bytes_with_the_tail_proven() {
    for ask in [
        request(&[("if-match", "\"v1\""), ("range", "bytes=5-")]),
        request(&[("if-none-match", "\"v2\""), ("range", "bytes=5-")]),
        request(&[("if-modified-since", SUNDAY), ("range", "bytes=5-")]),
        request(&[("if-unmodified-since", MONDAY), ("range", "bytes=5-")]),
    ] {
        let (fake, bench) = (Arc::new(Fake::new(good).tail("a")), Bench::new());
        assert_eq!(bench.fetch(&fake, ask).await, Read::clean(&file()[5..]));
        assert_eq!(fake.tails(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn condition_of_a_range_past_the_end_that_is_met_leaves_it_unsatisfiable() {
    let ask = request(&[("if-none-match", "\"v2\""), ("range", "bytes=9999999-")]);
    let (refused, ..) = refusal(Fake::new(good), ask).await;
    assert!(
        matches!(refused, TransferError::Unsatisfiable { total: 100_000 }),
        "{refused}"
    );
}

#[test]
fn range_twice_is_ignored_and_an_odd_if_range_never_fits() {
    let ask = request(&[("range", "bytes=0-1"), ("range", "bytes=2-3")]);
    assert_eq!(ask.range.as_deref(), Some(""));
    let ask = request(&[("range", "bytes=0-1\u{e9}")]);
    assert_eq!(ask.range.as_deref(), Some(""));
    for odd in [
        request(&[("if-range", "\"v1\""), ("if-range", "\"v1\"")]),
        request(&[("if-range", "\"v\u{e9}\"")]),
    ] {
        assert_eq!(odd.if_range.as_deref(), Some(""));
    }
    let ask = request(&[]);
    assert_eq!((ask.range, ask.if_range), (None, None));
}
