//! Files that are read in parts, as an upstream may want it.

use super::*;

const PART: u64 = 30_000;

async fn fetch(fake: Fake, ask: Ask) -> (Read, Arc<Fake>, Bench) {
    let (fake, bench) = (Arc::new(fake), Bench::new());
    let got = bench.fetch(&fake, ask).await;
    bench.drain().await;
    assert_eq!(fake.open_bodies(), 0, "an upstream is still open");
    (got, fake, bench)
}

/// The asks as pairs of first and last byte; all of them must be such.
fn spans(fake: &Fake) -> Vec<(u64, u64)> {
    let span = |(_, ask): &(usize, RangeAsk)| match ask {
        RangeAsk::Between(first, last) => (*first, *last),
        other => panic!("{other:?}"),
    };
    fake.asks().iter().map(span).collect()
}

#[tokio::test(start_paused = true)]
async fn file_is_walked_part_by_part() {
    let (got, fake, bench) = fetch(Fake::new(good).parts(PART), Ask::default()).await;
    assert_eq!(got, Read::clean(&file()));
    let expected = [
        (0, 29_999),
        (30_000, 59_999),
        (60_000, 89_999),
        (90_000, 119_999),
    ];
    assert_eq!(spans(&fake), expected);
    assert_eq!(bench.engine.stats().resumes, 0, "a new part is no break");
    assert_eq!(bench.outcome(), Outcome::Complete);
}

#[tokio::test(start_paused = true)]
async fn range_across_parts_ends_where_the_client_wants() {
    let ask = range("bytes=10000-79999");
    let (got, fake, _) = fetch(Fake::new(good).parts(PART), ask).await;
    assert_eq!(got, Read::clean(&file()[10_000..80_000]));
    assert_eq!(
        spans(&fake),
        [(10_000, 39_999), (40_000, 69_999), (70_000, 79_999)]
    );
}

#[tokio::test(start_paused = true)]
async fn suffix_of_a_known_length_is_asked_from_its_beginning() {
    let fake = Arc::new(Fake::new(good).parts(PART));
    let bench = Bench {
        known_length: Some(TOTAL as u64),
        ..Bench::new()
    };
    let transfer = bench.start(&fake, range("bytes=-40000")).await.unwrap();
    assert_eq!(transfer.head.range, Some(60_000..100_000));
    assert_eq!(
        read(transfer.body).await,
        Read::clean(&file()[60_000..TOTAL])
    );
    assert_eq!(spans(&fake), [(60_000, 89_999), (90_000, 119_999)]);
}

#[tokio::test(start_paused = true)]
async fn suffix_of_a_length_that_is_wrong_is_found_out() {
    let fake = Arc::new(Fake::new(good).parts(PART));
    let bench = Bench {
        known_length: Some(90_000),
        ..Bench::new()
    };
    let got = bench.fetch(&fake, range("bytes=-40000")).await;
    assert_eq!(got, Read::clean(&file()[60_000..]));
}

#[tokio::test(start_paused = true)]
async fn head_and_first_part_tell_the_whole_length() {
    let fake = Arc::new(Fake::new(good).parts(PART));
    let transfer = Bench::new().start(&fake, head(Ask::default())).await;
    let told = transfer.unwrap().head;
    assert_eq!(
        (told.total, told.accepts_ranges),
        (Some(TOTAL as u64), true)
    );
    let bench = Bench::new();
    let transfer = bench.start(&fake, Ask::default()).await.unwrap();
    assert_eq!(transfer.head.content_length(), Some(TOTAL as u64));
    assert_eq!(transfer.head.range, None);
}

#[tokio::test(start_paused = true)]
async fn proof_of_the_tail_is_one_request_beside_the_first_part() {
    let fake = Arc::new(Fake::new(good).parts(PART).tail("a"));
    let bench = Bench {
        known_length: Some(TOTAL as u64),
        ..Bench::new()
    };
    let got = bench.fetch(&fake, Ask::default()).await;
    assert_eq!(got, Read::clean(&file()));
    assert_eq!(
        (spans(&fake).len(), fake.tails(), fake.suffixes()),
        (4, 1, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn break_inside_a_part_is_resumed_within_the_cap() {
    let fake = Fake::new(|call| match call.index {
        1 => good(call).cut(5000, Ending::Reset),
        _ => good(call),
    });
    let (got, fake, bench) = fetch(fake.parts(PART), Ask::default()).await;
    assert_eq!(got, Read::clean(&file()));
    assert_eq!(
        spans(&fake)[1..],
        [
            (30_000, 59_999),
            (35_000, 64_999),
            (65_000, 94_999),
            (95_000, 124_999)
        ]
    );
    assert_eq!(bench.engine.stats().resumes, 1);
}

#[tokio::test(start_paused = true)]
async fn expiry_between_two_parts_is_survived() {
    let fake = Fake::new(|call| match (call.index, call.refreshes) {
        (0, _) | (_, 1) => good(call),
        _ => Answer::status(403),
    });
    let fake = fake.parts(PART).content(|_| Some("18.1".to_owned()));
    let (got, fake, _) = fetch(fake, Ask::default()).await;
    assert_eq!((got, fake.refreshes()), (Read::clean(&file()), 1));
}

#[tokio::test(start_paused = true)]
async fn other_content_after_a_refresh_is_never_joined() {
    let fake = Fake::new(|call| match (call.index, call.refreshes) {
        (0, _) | (_, 1) => good(call),
        _ => Answer::status(403),
    });
    let fake = fake
        .parts(PART)
        .content(|refreshes| Some(format!("18.{refreshes}")));
    let (got, fake, bench) = fetch(fake, Ask::default()).await;
    assert!(got.bytes == file()[..30_000]);
    assert_eq!(got.broken, Some(Outcome::IdentityChanged));
    assert_eq!(
        (fake.refreshes(), bench.outcome()),
        (1, Outcome::IdentityChanged)
    );
}

#[tokio::test(start_paused = true)]
async fn part_of_another_file_is_never_joined() {
    let fake = Fake::new(|call| match call.index {
        0 => good(call),
        _ => good(call).with("etag", "\"v2\""),
    });
    let (got, _, bench) = fetch(fake.parts(PART), Ask::default()).await;
    assert!(got.bytes == file()[..30_000]);
    assert_eq!(bench.outcome(), Outcome::IdentityChanged);
}

#[tokio::test(start_paused = true)]
async fn part_that_is_too_long_is_cut_at_its_end() {
    let fake = Fake::new(|call| match call.index {
        0 => good(call).without("content-length").body(file()),
        _ => good(call),
    });
    let (got, fake, _) = fetch(fake.parts(PART), Ask::default()).await;
    assert_eq!(got, Read::clean(&file()));
    assert_eq!(spans(&fake)[1], (30_000, 59_999));
}

#[tokio::test(start_paused = true)]
async fn upstream_without_ranges_sends_all_of_it_at_once() {
    let (got, fake, _) = fetch(Fake::new(|_| Answer::whole()).parts(PART), Ask::default()).await;
    assert_eq!((got, fake.asks().len()), (Read::clean(&file()), 1));
}
